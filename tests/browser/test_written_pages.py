"""The pages that notebook 06 writes, as they stand in its cells, in a real browser."""

import ast
import pathlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from PIL import Image
from playwright.sync_api import Page, expect

from course_utils.serving import Server, launch
from tests.browser.conftest import Visit
from tests.support.notebooks import NOTEBOOKS, code_cells, read
from tests.support.web_app import CAT, PANDA

SOURCES = [cell.source for cell in code_cells(read(NOTEBOOKS[6]))]
ATTACK = '<img src="0" onerror="document.querySelector(`h1`).textContent = `changed`">'
HEADING = "What is in this photo?"
CLAIM = {"name": "claim.png", "mimeType": "image/png", "buffer": b"P6 50000 50000 255\n"}
TEXT = {"name": "cat.txt", "mimeType": "text/plain", "buffer": b"This is a cat."}


def written(name: str) -> list[str]:
    """What the notebook writes into a file, first version first."""
    head = f"%%writefile {name}\n"
    return [source.removeprefix(head) for source in SOURCES if source.startswith(head)]


class Classifier:
    """In place of the network: the photo's width as its probability."""

    def __init__(self) -> None:
        self.names = ["Egyptian_cat", "tabby"]
        self.may_answer: Callable[[Image.Image], object] = lambda photo: None

    def __call__(self, photo: Image.Image) -> list[dict[str, Any]]:
        photo.load()
        self.may_answer(photo)
        return [{"name": name, "prob": photo.width / 1000} for name in self.names]


class Written:
    """The notebook's Flask apps and files, run in a folder of their own."""

    def __init__(self) -> None:
        self.classify = Classifier()
        self.space: dict[str, Any] = {
            **{"classify": self.classify, "Image": Image, "pathlib": pathlib},
            "launch": lambda app, port: app,
        }
        start = "react_folder = PACKAGE_FOLDER"
        for source in SOURCES:
            if 'Flask("' in source and not source.startswith("%%"):
                exec(source, self.space)
                self.space.setdefault("first", self.space["app"])
            elif start in source:
                exec(source.partition("source =")[0], self.space)

    def app(self, name: str) -> Flask:
        return self.space[name]


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    monkeypatch.chdir(tmp_path)
    return Written()


def take_home() -> Flask:
    """The page of the file to take home, with its policy, in front of a service that answers."""
    (source,) = written("photo_page.py")
    texts = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if isinstance(node.targets[0], ast.Name)
    }
    app = Flask("take_home")
    headers = {"Content-Security-Policy": texts["POLICY"]}
    page = Response(texts["PAGE"], mimetype="text/html", headers=headers)
    app.add_url_rule("/", "page", lambda: page)
    script = Response(texts["SCRIPT"], mimetype="text/javascript")
    app.add_url_rule("/page.js", "script", lambda: script)
    return app


@pytest.fixture(params=["html", "react", "home"])
def mended(request: pytest.FixtureRequest, notebook: Written) -> Iterator[Server]:
    """The second page, the same in React, and the one to take home."""
    Path("page.html").write_text(written("page.html")[1], "utf-8")
    for name in ("react.html", "app.js", "ask.js", "chooser.js", "classes.js"):
        Path(name).write_text(written(name)[0], "utf-8")
    app = notebook.app("app" if request.param == "html" else "react_app")
    if request.param == "home":
        app = take_home()
        image = notebook.app("app").view_functions["checked_image"]
        app.add_url_rule("/api/image", view_func=image, methods=["POST"])
    app.logger.disabled = True
    with launch(app, port=5082) as server:
        yield server


def choose(page: Page, file: Any) -> None:
    page.get_by_label("Choose a photo").set_input_files(file)


def test_the_first_page_shows_the_classes_and_runs_what_is_in_a_name(
    notebook: Written, visit: Visit
) -> None:
    Path("page.html").write_text(written("page.html")[0], "utf-8")
    with launch(notebook.app("first"), port=5082) as server:
        app = visit(server.url)
        choose(app.page, CAT)
        expect(app.page.get_by_role("listitem")).to_have_text(["Egyptian_cat 0.451", "tabby 0.451"])
        notebook.classify.names = [ATTACK]
        choose(app.page, PANDA)
        expect(app.page.get_by_role("heading")).to_have_text("changed")
        with app.page.expect_event("pageerror") as error:
            choose(app.page, TEXT)  # the answer is an error in HTML
        assert "is not valid JSON" in str(error.value)
        expect(app.page.get_by_role("listitem")).to_have_count(1)  # of the photo before
        app.complaints.clear()


def test_the_other_pages_show_classes_and_every_error(
    notebook: Written, mended: Server, visit: Visit
) -> None:
    page = visit(mended.url).page
    items, message = page.get_by_role("listitem"), page.get_by_role("status")
    choose(page, CAT)
    expect(items).to_have_text(["Egyptian_cat 0.451", "tabby 0.451"])
    assert page.locator("img").evaluate("async img => { await img.decode(); return img.width }")
    expect(message).to_be_empty()
    choose(page, TEXT)
    expect(message).to_have_text("This file is not an image that can be read.")
    expect(items).to_have_count(0)
    choose(page, CLAIM)
    expect(message).to_have_text("The service failed (status 500). Try another photo.")
    notebook.classify.names = [ATTACK]
    choose(page, PANDA)
    expect(items).to_have_text([f"{ATTACK} 0.64"])
    expect(page.get_by_role("heading")).to_have_text(HEADING)
    mended.stop()
    choose(page, CAT)
    expect(message).to_have_text("The service cannot be reached. Is it still running?")


@pytest.mark.parametrize("mended", ["react"], indirect=True)
def test_the_learner_s_change_shows_after_loading_the_page_again(
    mended: Server, visit: Visit
) -> None:
    page = visit(mended.url).page
    bars = page.locator("li meter")
    choose(page, CAT)
    expect(page.get_by_role("listitem")).to_have_count(2)
    expect(bars).to_have_count(0)
    Path("classes.js").write_text(written("classes.js")[1], "utf-8")
    page.reload()
    choose(page, CAT)
    expect(bars).to_have_count(2)
    expect(page.get_by_role("listitem").first).to_have_text("45 % Egyptian_cat")


@pytest.mark.parametrize(
    ("mended", "shown"),
    [
        ("html", ["Egyptian_cat 0.64", "tabby 0.64", "Egyptian_cat 0.451", "tabby 0.451"]),
        ("react", ["Egyptian_cat 0.451", "tabby 0.451"]),
    ],
    indirect=["mended"],
)
def test_what_two_photos_in_quick_succession_show(
    notebook: Written, mended: Server, visit: Visit, shown: list[str]
) -> None:
    """The faults of its own pages that the notebook tells of; the first photo takes longer."""
    second_is_shown = threading.Event()

    def wait(photo: Image.Image) -> None:
        if photo.width == 451:
            assert second_is_shown.wait(60)

    notebook.classify.may_answer = wait
    page = visit(mended.url).page
    items = page.get_by_role("listitem")
    choose(page, CAT)
    choose(page, PANDA)
    expect(items).to_have_text(["Egyptian_cat 0.64", "tabby 0.64"])
    second_is_shown.set()
    expect(items).to_have_text(shown)


@pytest.mark.parametrize("mended", ["home"], indirect=True)
def test_the_policy_blocks_code_in_the_html(mended: Server, visit: Visit) -> None:
    app = visit(mended.url)
    with app.page.expect_console_message(lambda said: "inline event handler" in said.text):
        app.page.evaluate("text => { find('classes').innerHTML = text }", ATTACK)
    expect(app.page.locator("#classes img")).to_have_count(1)
    expect(app.page.get_by_role("heading")).to_have_text(HEADING)
    app.complaints.clear()
