"""How the page looks: at every width, by day and night, to everybody, and how heavy it is."""

import gzip
import itertools
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from course_utils.environment import PACKAGE_FOLDER
from tests.browser.conftest import Visit
from tests.support.serving import Served
from tests.support.web_app import CAT, COFFEE, PANDA, WebApp

pytestmark = pytest.mark.thorough

SIZES = {360: 1250, 1280: 900}
SCHEMES = ["light", "dark"]
LONG = "a-photo-with-a-long-name-that-has-no-place-to-break-but-must-not-widen-the-page.png"


def show(app: WebApp, state: str) -> None:
    if state != "empty":
        for path, name in [(COFFEE, "espresso"), (PANDA, "lesser panda"), (CAT, "Egyptian cat")]:
            app.choose(path)
            app.expect_best(name)
            app.has_photo()
    if state == "error":
        app.give_address("http://localhost/cat.png")
        app.expect_problem("No photo came from this address")


@pytest.mark.parametrize("state", ["empty", "result", "error"])
@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(SIZES, SCHEMES)))
def test_nothing_bars_anybody(
    visit: Visit, service: Served, artifacts: Path, width: int, scheme: str, state: str
):
    """axe-core finds nothing; the screenshots are for people."""
    app = visit(
        service.url,
        viewport={"width": width, "height": SIZES[width]},
        is_mobile=width < 500,
        has_touch=width < 500,
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    show(app, state)
    app.page.screenshot(path=artifacts / f"web_app_{state}_{scheme}_{width}.png")
    results = Axe().run(app.page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_is_wider_than_the_screen(
    visit: Visit, service: Served, tmp_path: Path, width: int
):
    photo = tmp_path / LONG
    photo.write_bytes(CAT.read_bytes())
    app = visit(service.url, viewport={"width": width, "height": 700})
    for state in ("empty", "result", "error"):
        show(app, state)
        assert widest(app) <= width
    app.choose(photo)
    app.expect_best("Egyptian cat")
    assert widest(app) <= width


def widest(app: WebApp) -> int:
    return int(app.page.evaluate("document.documentElement.scrollWidth"))


def test_night_is_dark_and_day_is_light(visit: Visit, service: Served):
    def brightness(scheme: str) -> float:
        app = visit(service.url, color_scheme=scheme)
        colour = app.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(","))) / 3

    assert brightness("dark") < 40
    assert brightness("light") > 215


def test_nothing_moves_for_those_who_asked_for_that(visit: Visit, service: Served):
    app = visit(service.url, reduced_motion="reduce")
    app.choose(CAT)
    app.expect_best("Egyptian cat")
    assert app.page.evaluate("document.getAnimations().length") == 0


def test_the_page_is_light():
    scripts = [path.read_bytes() for path in (PACKAGE_FOLDER / "webapp/dist/assets").glob("*.js")]
    assert scripts
    assert sum(len(script) for script in scripts) <= 250_000
    assert sum(len(gzip.compress(script)) for script in scripts) <= 80_000
