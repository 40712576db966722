"""The page to draw a digit on, in a real browser: drawn with the real mouse, finger and keys."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from werkzeug.wrappers import Response

from course_utils.datasets import load_mnist
from course_utils.serving import launch
from tests.browser.conftest import Visit
from tests.support.serving import Served, free_port, serving
from tests.support.web_app import check_looks

SIZES = {360: 900, 1280: 900}
PNG = "data:image/png;base64,"
# Each digit as a pen would draw it, in hundredths of the paper: points x,y, and a bar after a line.
DIGITS = [
    "50,20 35,30 30,50 35,70 50,80 65,70 70,50 65,30 50,20",
    "50,20 50,80",
    "33,30 45,20 60,22 66,35 60,50 33,80 70,80",
    "35,22 55,20 65,32 55,47 42,50 60,53 67,67 55,80 35,78",
    "38,20 33,50 68,50 | 62,20 60,82",
    "66,20 40,20 38,47 58,48 66,62 58,78 36,80",
    "60,20 42,40 36,62 45,80 60,76 63,60 50,52 38,62",
    "30,20 50,20 70,20 60,45 50,60 42,85",
    "50,48 40,30 50,20 60,30 50,48 62,65 50,80 38,65 50,48",
    "64,35 50,22 38,32 42,47 58,46 64,35 62,60 56,82",
]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("digit") as served:
        yield served


@pytest.fixture
def page(visit: Visit, served: Served) -> Page:
    return visit(served.url).page


def draw(page: Page, digit: int) -> None:
    box = page.get_by_label("Paper to draw on").bounding_box()
    assert box is not None
    for line in DIGITS[digit].split("|"):
        for number, point in enumerate(line.split()):
            x, y = (float(share) / 100 for share in point.split(","))
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
            if number == 0:
                page.mouse.down()
        page.mouse.up()


def answer(page: Page) -> str:
    """The large digit."""
    digit = page.locator("#digit")
    expect(digit).to_be_visible()
    return digit.inner_text()


@pytest.mark.thorough
def test_digits_drawn_with_the_mouse_are_read(page: Page) -> None:
    found = []
    for digit in range(10):
        page.get_by_role("button", name="Clear").click()
        draw(page, digit)
        found.append(int(answer(page)))
    assert found == [*range(10)]


def test_the_ten_probabilities_are_shown(page: Page) -> None:
    draw(page, 7)
    assert answer(page) == "7"
    rows = page.locator("#shares li").all()
    values = [float(row.evaluate("row => row.style.getPropertyValue('--share')")) for row in rows]
    assert abs(sum(values) - 1) < 1e-4
    assert int(np.argmax(values)) == 7
    assert [row.locator(".name").inner_text() for row in rows] == [*"0123456789"]
    assert 0.9995 < values[7] < 1
    expect(page.locator("#shares .best")).to_have_text(re.compile("^7 over 99.9\xa0%$"))


def test_the_picture_that_the_network_gets_is_shown(page: Page) -> None:
    draw(page, 7)
    answer(page)
    shown = page.get_by_role("img", name="28 × 28 pixels").get_attribute("src") or ""
    with Image.open(io.BytesIO(base64.b64decode(shown.removeprefix(PNG)))) as picture:
        assert picture.size == (28, 28)
        ink = np.asarray(picture)
    assert ink[:4].max() == ink[:, :4].max() == 0  # MNIST's margin
    assert ink.max() > 200


@pytest.mark.thorough
def test_doubt_is_said(page: Page) -> None:
    shares = [0, 0, 0, 0, 0.55, 0, 0, 0, 0, 0.45]
    told = {"digit": "4", "probabilities": shares, "unsure": True, "picture": PNG}
    page.route("**/api/digit?picture=1", lambda route: route.fulfill(json=told))
    draw(page, 4)
    expect(page.get_by_role("status")).to_have_text("Not sure: a 4, or perhaps a 9")


@pytest.mark.thorough
def test_two_digits_are_refused(page: Page) -> None:
    box = page.get_by_label("Paper to draw on").bounding_box()
    assert box is not None
    for x in (0.3, 0.7):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.8 * box["height"], steps=5)
        page.mouse.up()
    expect(page.get_by_role("alert")).to_contain_text("More than one digit is seen.")
    expect(page.locator("#digit")).to_be_hidden()


@pytest.mark.thorough
def test_lines_are_smooth(page: Page) -> None:
    """Three places of the pen make no corner at the middle one."""
    box = page.get_by_label("Paper to draw on").bounding_box()
    assert box is not None
    for number, (x, y) in enumerate([(0.2, 0.8), (0.5, 0.2), (0.8, 0.8)]):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    dark = "canvas => canvas.getContext('2d').getImageData(280, 112, 1, 1).data[0] < 128"
    assert not page.locator("canvas").evaluate(dark)  # the corner would have been there


def test_clear_forgets_the_drawing_and_its_answer(page: Page) -> None:
    draw(page, 7)
    answer(page)
    draw(page, 7)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(800)  # longer than an answer takes: none may come late
    expect(page.get_by_role("status")).to_have_text("Nothing is drawn yet.")
    white = (
        "canvas => canvas.getContext('2d').getImageData(0, 0, 560, 560).data.every(v => v === 255)"
    )
    assert page.locator("canvas").evaluate(white)


@pytest.mark.thorough
def test_it_can_be_drawn_with_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_label("Paper to draw on")).to_be_focused()
    page.keyboard.press("Space")
    for _ in range(22):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert answer(page) == "1"
    page.keyboard.press("Backspace")
    expect(page.get_by_role("status")).to_have_text("Nothing is drawn yet.")


@pytest.mark.thorough
def test_it_can_be_drawn_with_a_finger(visit: Visit, served: Served) -> None:
    """The page stays where it is while a finger draws on it."""
    phone = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
    page = visit(served.url, **phone).page
    expect(page.get_by_text("By keyboard")).to_be_hidden()
    box = page.get_by_label("Paper to draw on").bounding_box()
    assert box is not None
    devtools = page.context.new_cdp_session(page)
    x = box["x"] + box["width"] / 2
    for kind, share in [("touchStart", 0.15), *[("touchMove", s / 20) for s in range(4, 18)]]:
        points = [{"x": x, "y": box["y"] + share * box["height"]}]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert answer(page) == "1"
    assert page.evaluate("scrollY") == 0


def test_a_photo_can_be_sent_instead_and_a_bad_one_is_refused(page: Page, tmp_path: Path) -> None:
    picture = load_mnist()[1][0][0]  # a seven
    Image.fromarray(255 - picture).resize((280, 280)).save(tmp_path / "seven.jpg")
    (tmp_path / "letter.png").write_bytes(b"%PDF-1.7 a letter")
    page.get_by_label("Send a photo instead").set_input_files(tmp_path / "seven.jpg")
    assert answer(page) == "7"
    page.get_by_label("Send a photo instead").set_input_files(tmp_path / "letter.png")
    expect(page.get_by_role("alert")).to_contain_text("not an image of a kind")


@pytest.mark.thorough
def test_it_says_when_the_service_is_gone(page: Page) -> None:
    page.route("**/api/digit*", lambda route: route.abort())
    draw(page, 7)
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_nothing_bars_anybody(
    visit: Visit, served: Served, artifacts: Path, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": SIZES[width]}
    is_phone = width < 500
    page = visit(
        served.url,
        viewport=viewport,
        color_scheme=scheme,
        is_mobile=is_phone,
        has_touch=is_phone,
    ).page
    check_looks(page, artifacts / f"digit_empty_{scheme}_{width}.png")
    draw(page, 7)
    answer(page)
    check_looks(page, artifacts / f"digit_drawn_{scheme}_{width}.png")


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another origin: a page of somebody else, on another port."""
    page = Response("<!doctype html><title>Mine</title><h1>Mine</h1>", content_type="text/html")
    with launch(page, port=free_port()) as server:
        yield server.url


POST = """
async ([url, length]) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 280;
    const ink = canvas.getContext("2d");
    ink.lineWidth = 24;
    ink.beginPath(); ink.moveTo(140, 40); ink.lineTo(140, 40 + length); ink.stroke();
    const form = new FormData();
    form.append("file", await new Promise(done => canvas.toBlob(done)), "1.png");
    const reply = await fetch(url, { method: "POST", body: form });
    return [reply.status, await reply.json()];
}
"""


@pytest.mark.thorough
def test_a_page_on_another_origin_reads_answers_and_refusals(
    visit: Visit, served: Served, elsewhere: str
) -> None:
    page = visit(elsewhere, served.url).page
    assert page.evaluate(POST, [f"{served.url}/upload", 200]) == [200, "1"]
    status, problem = page.evaluate(POST, [f"{served.url}/upload", 0])
    assert status == 400
    assert problem["errors"][0]["detail"].startswith("nothing is drawn")
