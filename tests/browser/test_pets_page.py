"""The page of the pets service in a real browser, in front of the real back end on another port."""

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect
from werkzeug.wrappers import Response

from course_utils.environment import data_folder
from course_utils.inference import shipped_model
from course_utils.services import pets, pets_front
from course_utils.serving import Server, launch
from tests.browser.conftest import Visit
from tests.support.serving import free_port
from tests.support.web_app import CAT, COFFEE, WebApp, check_looks

DOG = data_folder() / "photos" / "dog.jpg"
SHARE = "row => Number(row.style.getPropertyValue('--share'))"
SIZES = {360: 900, 1280: 900}


@pytest.fixture(scope="module")
def back_end() -> Iterator[Server]:
    with launch(pets.create_app(shipped_model("pets")), port=free_port()) as server:
        yield server


@pytest.fixture(scope="module", params=[False, True], ids=["direct", "relayed"])
def relayed(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(scope="module")
def front_end(back_end: Server, relayed: bool) -> Iterator[Server]:
    with launch(pets_front.create_app(back_end.url, relay=relayed), port=free_port()) as server:
        yield server


@pytest.fixture
def app(visit: Visit, front_end: Server, back_end: Server) -> WebApp:
    return visit(front_end.url, back_end.url)


def expect_says(app: WebApp, name: str) -> None:
    expect(app.page.get_by_role("status")).to_have_text(f"The network’s answer: a {name}")


@pytest.mark.parametrize(("path", "name"), [(CAT, "cat"), (DOG, "dog")])
def test_a_chosen_photo_is_shown_and_judged(app: WebApp, path: Path, name: str) -> None:
    app.choose(path)
    expect_says(app, name)
    shares = [row.evaluate(SHARE) for row in app.classes.all()]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert app.classes.locator(".name").all_text_contents() == ["cat", "dog"]
    expect(app.page.locator(".best .name")).to_have_text(name)
    expect(app.page.get_by_text("neither a cat nor a dog")).to_be_hidden()
    picture = app.page.get_by_role("img", name=f"Your photo: {path.name}")
    assert picture.evaluate("async img => { await img.decode(); return img.naturalWidth > 0 }")


def test_doubt_is_said(app: WebApp) -> None:
    app.choose(COFFEE)
    expect(app.page.get_by_role("status")).to_have_text("Not sure: rather a cat")
    expect(app.page.get_by_text("Perhaps the photo shows neither a cat nor a dog")).to_be_visible()


def test_the_back_end_alone_has_the_page_too(visit: Visit, back_end: Server) -> None:
    app = visit(back_end.url)  # at whose end only this one has been asked
    app.choose(DOG)
    expect_says(app, "dog")
    expect(app.page.locator("footer")).to_contain_text(f"goes to {back_end.url}/ alone")
    answer = requests.get(back_end.url, timeout=60)  # as before there was a page
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_way_of_the_photo(app: WebApp, relayed: bool, back_end: Server) -> None:
    """Direct: to the back end's own port, another origin. Relayed: to nobody but this port."""
    app.choose(CAT)
    expect_says(app, "cat")
    others = {url for url in app.asked if not url.startswith((app.url, "data:", "blob:"))}
    assert others == (set() if relayed else {f"{back_end.url}/"})


@pytest.mark.thorough
def test_it_works_by_keyboard(app: WebApp) -> None:
    app.page.keyboard.press("Tab")
    expect(app.page.get_by_label("Choose a photo")).to_be_focused()
    with app.page.expect_file_chooser() as chooser:
        app.page.keyboard.press("Enter")
    chooser.value.set_files(DOG)
    expect_says(app, "dog")


@pytest.mark.thorough
def test_a_photo_is_dropped(app: WebApp) -> None:
    app.drop(CAT)
    expect_says(app, "cat")


@pytest.mark.thorough
def test_what_is_no_photo_is_explained_and_the_next_photo_works(
    app: WebApp, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.jpg"
    letter.write_bytes(b"%PDF-1.7 a letter")
    app.choose(letter)
    app.expect_problem("Received: a PDF document")
    expect(app.page.locator("#photo")).to_be_hidden()
    expect(app.page.get_by_role("status")).to_be_empty()
    expect(app.page.get_by_text("Drop a photo")).to_be_visible()  # no empty frame
    app.choose(CAT)
    expect_says(app, "cat")
    expect(app.problem).to_be_empty()


@pytest.mark.thorough
@pytest.mark.parametrize("relay", [False, True])
def test_without_the_back_end_it_says_so(visit: Visit, relay: bool) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with launch(pets_front.create_app(nobody, relay=relay), port=free_port()) as front:
        app = visit(front.url, nobody)
        app.choose(CAT)
        app.expect_problem("Is it running?")


@pytest.mark.thorough
def test_a_page_that_is_not_welcome_reads_nothing(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The back end's list does not name it; the browser keeps the answer from the page."""
    monkeypatch.setenv("COURSE_ORIGINS", "https://pets.example")
    with (
        launch(pets.create_app(shipped_model("pets")), port=free_port()) as back,
        launch(pets_front.create_app(back.url), port=free_port()) as front,
    ):
        app = visit(front.url, back.url)
        app.choose(CAT)
        app.expect_problem("does not welcome this page")
    assert "CORS policy" in app.complaints.pop()


FORM_ENCODED = """
async ([url, image]) => {
    const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8" },
        body: JSON.stringify({ image }),
    });
    return { status: answer.status, body: await answer.json() };
}
"""


@pytest.mark.thorough
def test_pages_that_exist_work_as_they_are(visit: Visit, back_end: Server) -> None:
    """As they post it: JSON that claims to be a form, from any other origin of this machine."""
    page = Response("<!doctype html><h1>another page</h1>", content_type="text/html")
    image = "data:image/png;base64," + base64.b64encode(CAT.read_bytes()).decode()
    with launch(page, port=free_port()) as other:
        app = visit(other.url.replace("127.0.0.1", "localhost"), back_end.url)
        said = app.page.evaluate(FORM_ENCODED, [f"{back_end.url}/", image])
        assert said["status"] == 200
        assert set(said["body"]["prediction"]) == {"cat", "dog"}
        refused = app.page.evaluate(FORM_ENCODED, [f"{back_end.url}/", "!"])
        assert (refused["status"], len(refused["body"]["errors"])) == (400, 1)
    assert app.asked.count(f"{back_end.url}/") == 2  # no question before, whether it may


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(SIZES, ["light", "dark"])))
def test_nothing_bars_anybody(
    visit: Visit, front_end: Server, back_end: Server, artifacts: Path, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": SIZES[width]}
    options = {"viewport": viewport, "color_scheme": scheme, "is_mobile": width < 500}
    app = visit(front_end.url, back_end.url, **options)
    check_looks(app.page, artifacts / f"pets_empty_{scheme}_{width}.png")
    app.choose(COFFEE)
    expect(app.page.get_by_role("status")).to_have_text("Not sure: rather a cat")
    check_looks(app.page, artifacts / f"pets_result_{scheme}_{width}.png")
    app.choose(Path(__file__))
    app.expect_problem("not an image")
    check_looks(app.page, artifacts / f"pets_error_{scheme}_{width}.png")
