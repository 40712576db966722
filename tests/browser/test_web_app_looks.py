"""How the page looks: narrow and wide, by day and night, to everybody, and how heavy it is."""

import gzip
import itertools
from pathlib import Path

import pytest

from course_utils.environment import PACKAGE_FOLDER
from tests.browser.conftest import Visit
from tests.support.serving import Served
from tests.support.web_app import CAT, COFFEE, PANDA, check_looks

pytestmark = pytest.mark.thorough

SIZES = {320: 1250, 1280: 900}
SCHEMES = ["light", "dark"]
LONG_NAME = "a-photo-with-a-long-name-that-has-no-place-to-break-but-must-not-widen-the-page.png"


@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(SIZES, SCHEMES)))
def test_nothing_bars_anybody(
    visit: Visit, service: Served, artifacts: Path, tmp_path: Path, width: int, scheme: str
):
    app = visit(
        service.url,
        viewport={"width": width, "height": SIZES[width]},
        is_mobile=width < 500,
        has_touch=width < 500,
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    check_looks(app.page, artifacts / f"web_app_empty_{scheme}_{width}.png")
    photo = tmp_path / LONG_NAME
    photo.write_bytes(CAT.read_bytes())
    for path, name in [(COFFEE, "espresso"), (PANDA, "lesser panda"), (photo, "Egyptian cat")]:
        app.choose(path)
        app.expect_best(name)
        app.has_photo()
    check_looks(app.page, artifacts / f"web_app_result_{scheme}_{width}.png")
    app.give_address("http://localhost/cat.png")
    app.expect_problem("No photo came from this address")
    check_looks(app.page, artifacts / f"web_app_error_{scheme}_{width}.png")


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
