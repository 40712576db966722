"""The page of the MPG service in a real browser: sliders, and the request to copy."""

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from course_utils.inference import FeatureSchema
from tests.browser.conftest import Visit
from tests.support.serving import CAR, MODEL, Served, ask_mpg, serving
from tests.support.web_app import check_looks

SIZES = {360: 900, 1280: 900}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("mpg") as served:
        yield served


@pytest.fixture
def page(visit: Visit, served: Served) -> Page:
    return visit(served.url, permissions=["clipboard-read", "clipboard-write"]).page


def expect_answer(page: Page, miles: float) -> None:
    expect(page.locator("#mpg")).to_have_text(f"{miles:.1f}")


def test_only_who_asks_for_html_gets_it(served: Served) -> None:
    page = requests.get(served.url, headers=BROWSER, timeout=60)
    assert page.status_code == 200
    assert '<div id="root">' in page.text
    assert page.headers["Vary"] == "Accept"
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        answer = requests.get(served.url, headers={"Accept": accept}, timeout=60)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_there_is_a_slider_for_each_feature_with_its_range(page: Page, served: Served) -> None:
    sliders = page.get_by_role("slider")
    expect(sliders).to_have_count(7)
    for slider, feature in zip(
        sliders.all(), FeatureSchema.load(MODEL.with_name("mpg.schema.json")).features, strict=True
    ):
        expect(slider).to_have_accessible_name(feature.name)
        low, high = slider.get_attribute("min"), slider.get_attribute("max")
        assert (float(low or "nan"), float(high or "nan")) == (feature.minimum, feature.maximum)
        assert float(slider.input_value()) == CAR[feature.name]  # the example of /docs
    expect(page.get_by_text("1 is the USA, 2 Europe, 3 Japan")).to_be_visible()
    expect_answer(page, ask_mpg(served.url).json()["mpg"])


def test_the_answer_changes_with_the_car(page: Page, served: Served) -> None:
    expect_answer(page, ask_mpg(served.url).json()["mpg"])
    weight = page.get_by_role("slider", name="weight")
    weight.focus()
    page.keyboard.press("Home")
    page.get_by_role("slider", name="acceleration").fill("15.3")
    car = CAR | {"weight": 1613, "acceleration": 15.3}
    expect_answer(page, ask_mpg(served.url, car).json()["mpg"])


def copy(page: Page, name: str) -> str:
    page.get_by_role("button", name=name).click()
    expect(page.get_by_text("Copied.")).to_be_attached()
    copied: str = page.evaluate("navigator.clipboard.readText()")
    return copied


@pytest.mark.parametrize("name", ["with curl", "in Python"])
def test_the_request_that_is_copied_gets_the_same_answer(
    page: Page, served: Served, name: str
) -> None:
    page.get_by_role("slider", name="origin").fill("3")
    car = CAR | {"origin": 3}
    expect_answer(page, miles := ask_mpg(served.url, car).json()["mpg"])
    code = copy(page, f"Copy the request {name}")
    shell = [shutil.which("bash") or "sh", "-c", code]
    command = shell if "curl" in name else [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r"mpg['\"]: ([\d.]+)", done.stdout)
    assert found
    assert float(found[1]) == miles


@pytest.mark.thorough
def test_it_says_when_the_service_is_gone(page: Page) -> None:
    page.route("**/api/mpg", lambda route: route.abort())
    page.get_by_role("slider", name="year").fill("80")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(page.locator("#mpg")).to_have_text("–")


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(SIZES, ["light", "dark"])))
def test_nothing_bars_anybody(
    visit: Visit, served: Served, artifacts: Path, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": SIZES[width]}
    options = {"viewport": viewport, "color_scheme": scheme, "is_mobile": width < 500}
    page = visit(served.url, **options).page
    expect_answer(page, ask_mpg(served.url).json()["mpg"])
    check_looks(page, artifacts / f"mpg_answer_{scheme}_{width}.png")
    page.get_by_role("slider", name="origin").scroll_into_view_if_needed()
    expect(page.locator("#mpg")).to_be_in_viewport()  # the answer, while a slider is moved
    page.route("**/api/mpg", lambda route: route.abort())
    page.get_by_role("slider", name="year").fill("80")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    check_looks(page, artifacts / f"mpg_error_{scheme}_{width}.png")
