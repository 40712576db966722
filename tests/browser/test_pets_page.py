"""The page of the pets service in a real browser, in front of the real back end on another port."""

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from course_utils.environment import data_folder
from course_utils.inference import shipped_model
from course_utils.services import pets, pets_front
from course_utils.serving import Server, launch
from tests.support.serving import free_port
from tests.support.web_app import CAT, MAKE_TRANSFER, check_looks

DOG = data_folder() / "photos" / "dog.jpg"
SIZES = {360: 900, 1280: 900}


@pytest.fixture(scope="module")
def back_end() -> Iterator[Server]:
    with launch(pets.create_app(shipped_model("pets")), port=free_port()) as server:
        yield server


@pytest.fixture(scope="module", params=[False, True], ids=["direct", "relayed"])
def front_end(back_end: Server, request: pytest.FixtureRequest) -> Iterator[Server]:
    app = pets_front.create_app(back_end.url, relay=request.param)
    app.name = f"front {request.param}"
    with launch(app, port=free_port()) as server:
        yield server


class Window:
    """A page, where its requests went and what its console said."""

    def __init__(self, browser: Browser, **options: Any):
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.asked: list[tuple[str, str]] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda asked: self.asked.append((asked.method, asked.url)))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text))
        # Asked for here, so that a test which waits for one does not ask too late.
        self.page.on("filechooser", lambda _: None)

    def expect_says(self, name: str) -> None:
        expect(self.page.get_by_role("status")).to_have_text(f"The network says: a {name}.")


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    window = Window(browser)
    yield window
    window.context.close()


def choose(window: Window, path: Path) -> None:
    window.page.get_by_label("Choose a photo").set_input_files(path)


@pytest.mark.parametrize(("path", "name"), [(CAT, "cat"), (DOG, "dog")])
def test_a_chosen_photo_is_shown_and_judged(
    window: Window, front_end: Server, path: Path, name: str
) -> None:
    window.page.goto(front_end.url)
    choose(window, path)
    window.expect_says(name)
    shares = window.page.locator("dd").filter(has_text="%").all_text_contents()
    assert sum(float(share.rstrip("%")) for share in shares) == pytest.approx(100, abs=0.11)
    terms = window.page.locator("dt").all_text_contents()
    assert terms == ["cat", "dog"]
    picture = window.page.get_by_role("img", name=f"Your photo: {path.name}")
    assert picture.evaluate("async img => { await img.decode(); return img.naturalWidth > 0 }")
    assert window.complaints == []


def test_the_way_of_the_photo(window: Window, front_end: Server, back_end: Server) -> None:
    """Direct: to the back end's own port, another origin. Relayed: to nobody but this port."""
    window.page.goto(front_end.url)
    choose(window, CAT)
    window.expect_says("cat")
    posts = [url for method, url in window.asked if method == "POST"]
    relayed = front_end.name.endswith("True")
    assert posts == [f"{front_end.url}/api/pets" if relayed else f"{back_end.url}/"]
    others = [url for _, url in window.asked if not url.startswith((front_end.url, "data:"))]
    assert bool(others) != relayed


@pytest.mark.thorough
def test_it_works_by_keyboard(window: Window, front_end: Server) -> None:
    window.page.goto(front_end.url)
    window.page.keyboard.press("Tab")
    expect(window.page.get_by_label("Choose a photo")).to_be_focused()
    with window.page.expect_file_chooser() as chooser:
        window.page.keyboard.press("Enter")
    chooser.value.set_files(DOG)
    window.expect_says("dog")


@pytest.mark.thorough
def test_a_photo_is_dropped(window: Window, front_end: Server) -> None:
    window.page.goto(front_end.url)
    content = base64.b64encode(CAT.read_bytes()).decode()
    files = [{"name": "cat.png", "type": "image/png", "content": content}]
    transfer = window.page.evaluate_handle(MAKE_TRANSFER, files)
    for event in ("dragenter", "dragover", "drop"):
        window.page.dispatch_event("main", event, {"dataTransfer": transfer})
    window.expect_says("cat")


@pytest.mark.thorough
def test_what_is_no_photo_is_explained_and_the_next_photo_works(
    window: Window, front_end: Server, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.jpg"
    letter.write_bytes(b"%PDF-1.7 a letter")
    window.page.goto(front_end.url)
    choose(window, letter)
    expect(window.page.get_by_role("alert")).to_contain_text("Received: a PDF document")
    expect(window.page.locator("#photo")).to_be_hidden()
    expect(window.page.get_by_role("status")).to_be_empty()
    choose(window, CAT)
    window.expect_says("cat")
    expect(window.page.get_by_role("alert")).to_be_empty()


@pytest.mark.thorough
@pytest.mark.parametrize("relay", [False, True])
def test_without_the_back_end_it_says_so(window: Window, relay: bool) -> None:
    app = pets_front.create_app(f"http://127.0.0.1:{free_port()}", relay=relay)
    with launch(app, port=free_port()) as front:
        window.page.goto(front.url)
        choose(window, CAT)
        expect(window.page.get_by_role("alert")).to_contain_text("Is it running?")


@pytest.mark.thorough
def test_a_page_that_is_not_welcome_reads_nothing(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The back end's list does not name it; the browser keeps the answer from the page."""
    monkeypatch.setenv("COURSE_ORIGINS", "https://pets.example")
    closed = pets.create_app(shipped_model("pets"))
    closed.name = "closed"
    with launch(closed, port=free_port()) as back:
        app = pets_front.create_app(back.url)
        with launch(app, port=free_port()) as front:
            window.page.goto(front.url)
            choose(window, CAT)
            expect(window.page.get_by_role("alert")).to_contain_text("does not welcome this page")
    assert any("CORS policy" in complaint for complaint in window.complaints)


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
def test_pages_that_exist_work_as_they_are(window: Window, back_end: Server) -> None:
    """As they post it: JSON that claims to be a form, from any other origin of this machine."""
    elsewhere = Flask("elsewhere")
    elsewhere.add_url_rule("/", "page", lambda: "<!doctype html><title>another page</title>")
    image = "data:image/png;base64," + base64.b64encode(CAT.read_bytes()).decode()
    with launch(elsewhere, port=free_port()) as other:
        window.page.goto(other.url.replace("127.0.0.1", "localhost"))
        said = window.page.evaluate(FORM_ENCODED, [f"{back_end.url}/", image])
        assert said["status"] == 200
        assert set(said["body"]["prediction"]) == {"cat", "dog"}
        refused = window.page.evaluate(FORM_ENCODED, [f"{back_end.url}/", "!"])
        assert (refused["status"], len(refused["body"]["errors"])) == (400, 1)
    assert [method for method, url in window.asked if url.startswith(back_end.url)] == ["POST"] * 2


@pytest.mark.thorough
@pytest.mark.parametrize("state", ["empty", "result", "error"])
@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(SIZES, ["light", "dark"])))
def test_nothing_bars_anybody(
    browser: Browser, back_end: Server, artifacts: Path, width: int, scheme: str, state: str
) -> None:
    viewport = {"width": width, "height": SIZES[width]}
    window = Window(browser, viewport=viewport, color_scheme=scheme)
    app = pets_front.create_app(back_end.url)
    with launch(app, port=free_port()) as front:
        window.page.goto(front.url)
        if state != "empty":
            choose(window, CAT)
            window.expect_says("cat")
        if state == "error":
            choose(window, Path(__file__))
            expect(window.page.get_by_role("alert")).to_contain_text("not an image")
        check_looks(window.page, artifacts / f"pets_{state}_{scheme}_{width}.png")
    window.context.close()
