"""Drawings and rows: the page in Chromium against Keras, from what is given to the answer."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Page

from course_utils.export import browser as in_page
from course_utils.inference import FeatureSchema
from course_utils.services.digit import read_digit
from course_utils.services.http.errors import Problem
from tests.browser.test_digit_page import DIGITS
from tests.export.conftest import silent
from tests.support import networks
from tests.support.in_page import predict, static_host, visiting
from tests.support.serving import MODEL

pytestmark = pytest.mark.thorough

NUMBER = 200  # of drawings
PAPER_PIXELS = 560
STEPS = 6  # places of the pen between two points of a line
# As the digit page draws: from the middle of one step to the middle of the next, in a curve.
DRAW = """
strokes => {
    const paper = document.createElement("canvas");
    paper.width = paper.height = 560;
    const ink = paper.getContext("2d");
    ink.fillStyle = "white";
    ink.fillRect(0, 0, 560, 560);
    ink.lineWidth = 44;
    ink.lineCap = ink.lineJoin = "round";
    const line = (from, to, bend = to) => {
        ink.beginPath();
        ink.moveTo(...from);
        ink.quadraticCurveTo(...bend, ...to);
        ink.stroke();
    };
    for (const [first, ...places] of strokes) {
        let [pen, middle] = [first, first];
        line(pen, pen);
        for (const next of places) {
            const half = [(pen[0] + next[0]) / 2, (pen[1] + next[1]) / 2];
            line(middle, half, pen);
            [pen, middle] = [next, half];
        }
        line(middle, pen);
    }
    return paper.toDataURL("image/png").split(",")[1];
}
"""


def make_strokes(digit: int, draw: np.random.Generator) -> list[list[list[float]]]:
    """The places of a pen that draws a digit, as some hand does: larger, slanted, unsteady."""
    size, angle = draw.uniform(0.6, 1.2), draw.normal(0, 0.15)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    stretch = np.diag(draw.uniform(0.8, 1.2, 2)) * size
    shift = draw.uniform(-0.08, 0.08, 2)
    strokes = []
    for line in DIGITS[digit].split("|"):
        points = np.array([[float(share) for share in point.split(",")] for point in line.split()])
        points = points / 100 + draw.normal(0, 0.015, points.shape)
        placed = (points - 0.5) @ stretch @ turn + 0.5 + shift
        at = np.linspace(0, len(placed) - 1, STEPS * (len(placed) - 1) + 1)
        steps = [np.interp(at, np.arange(len(placed)), placed[:, axis]) for axis in (0, 1)]
        strokes.append((PAPER_PIXELS * np.stack(steps, axis=1)).round(2).tolist())
    return strokes


@pytest.fixture(scope="module")
def drawings(browser: Browser) -> list[bytes]:
    """PNG files as the paper of the page gives them, the digits 0 to 9 in turn."""
    dice, page = np.random.default_rng(25), browser.new_page()
    found = [page.evaluate(DRAW, make_strokes(n % 10, dice)) for n in range(NUMBER)]
    page.close()
    return [base64.b64decode(text) for text in found]


@pytest.fixture(scope="module")
def pictures(drawings: list[bytes]) -> np.ndarray:
    """What the digit service gives its network for them."""
    return np.stack([read_digit(drawing) for drawing in drawings])[..., None]


def shown(browser: Browser, folder: Path) -> Iterator[Page]:
    with static_host(folder) as url, visiting(browser) as visitor:
        yield visitor.open(url)


@pytest.fixture(scope="module")
def digit_network() -> Any:
    return networks.digit_network()


@pytest.fixture(scope="module")
def digit_page(
    browser: Browser, digit_network: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("digit") / "page"
    labels = [*"0123456789"]
    in_page.convert(digit_network, folder, kind="drawing", labels=labels, report=silent)
    yield from shown(browser, folder)


def test_each_drawing_gets_keras_answer(
    digit_page: Page, digit_network: Any, drawings: list[bytes], pictures: np.ndarray
) -> None:
    wanted = digit_network(pictures, training=False).numpy()
    right = wanted.argmax(axis=1) == np.arange(NUMBER) % 10
    assert right.mean() > 0.9  # they are digits
    got = np.stack([predict(digit_page, drawing) for drawing in drawings])
    differences = np.abs(got - wanted).max(axis=1)
    print(f"{NUMBER} drawings: {differences.max():.1e}")
    assert {n: round(float(d), 5) for n, d in enumerate(differences) if not d <= 3e-4} == {}


def draw_strokes(browser: Browser, strokes: list[Any]) -> bytes:
    page = browser.new_page()
    text = page.evaluate(DRAW, strokes)
    page.close()
    return base64.b64decode(text)


PLACES = {"beside": [(0, 140), (280, 140)], "above": [(140, 0), (140, 280)]}


@pytest.mark.parametrize("places", PLACES.values(), ids=list(PLACES))
def test_two_digits_are_refused_on_both_sides(
    digit_page: Page, browser: Browser, places: list[tuple[int, int]]
) -> None:
    dice, strokes = np.random.default_rng(26), []
    for digit, shift in zip((3, 2), places, strict=True):
        strokes += [(np.array(line) / 2 + shift).tolist() for line in make_strokes(digit, dice)]
    both = draw_strokes(browser, strokes)
    with pytest.raises(Problem) as told:
        read_digit(both)
    assert told.value.faults[0].detail == "more than one digit is seen"
    with pytest.raises(Error, match="More than one digit is seen"):
        predict(digit_page, both)


def test_a_three_in_two_halves_is_one_digit_on_both_sides(
    digit_page: Page, digit_network: Any, browser: Browser
) -> None:
    halves = [[(25, 22), (55, 20), (75, 32), (60, 38)], [(50, 58), (75, 67), (55, 80), (25, 78)]]
    drawing = draw_strokes(browser, [(np.array(half) * 5.6).tolist() for half in halves])
    wanted = digit_network(read_digit(drawing)[None, ..., None], training=False).numpy()
    assert np.abs(predict(digit_page, drawing) - wanted).max() <= 3e-4


@pytest.fixture(scope="module")
def ink_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page that answers half of the ink in each of the 28 × 28 pixels."""
    layers = networks.quiet_keras().layers
    mirror = [layers.Input((28, 28, 1)), layers.Flatten(), layers.Rescaling(0.5)]
    folder = tmp_path_factory.mktemp("ink") / "page"
    in_page.convert(
        networks.quiet_keras().Sequential(mirror), folder, kind="drawing", report=silent
    )
    yield from shown(browser, folder)


def test_each_drawing_becomes_the_picture_that_python_makes_of_it(
    ink_page: Page, drawings: list[bytes], pictures: np.ndarray
) -> None:
    got = np.stack([2 * predict(ink_page, drawing) for drawing in drawings])
    differences = np.abs(got - pictures.reshape(NUMBER, -1)).max(axis=1)
    assert {n: round(float(d), 5) for n, d in enumerate(differences) if not d <= 1e-4} == {}


def test_each_car_gets_keras_miles(
    browser: Browser, mpg: tuple[Any, np.ndarray], tmp_path: Path
) -> None:
    network, rows = mpg
    schema = FeatureSchema.load(MODEL.with_name("mpg.schema.json"))
    in_page.convert(network, tmp_path / "page", kind="row", schema=schema, report=silent)
    wanted = network(rows, training=False).numpy()
    with static_host(tmp_path / "page") as url, visiting(browser) as visitor:
        page = visitor.open(url)
        got = np.stack([predict(page, row) for row in rows])
    assert got.shape == wanted.shape == (398, 1)
    print(f"{len(rows)} cars: {np.abs(got - wanted).max():.1e} mpg")
    assert np.abs(got - wanted).max() <= 1e-4
