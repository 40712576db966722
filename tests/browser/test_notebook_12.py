"""The pages that notebook 12 writes by hand, as they stand in its cells, in a real browser."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from course_utils.serving import Server, launch
from tests.support.notebooks import NOTEBOOKS, code_cells, is_file, read, tags

(NOTEBOOK,) = (path for path in NOTEBOOKS if path.name.startswith("12_"))
CELLS = code_cells(read(NOTEBOOK))
Open = Callable[[str], Page]

# Of Keras' own, when it saves a model under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def write_files() -> None:
    """What the cells with ``%%writefile`` write."""
    for cell in filter(is_file, CELLS):
        name, _, content = cell.source.removeprefix("%%writefile ").partition("\n")
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content, "utf-8")


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The names after the cells by hand, which are run in a folder of their own."""
    last = next(i for i, cell in enumerate(CELLS) if "wanted, canvas =" in cell.source)
    space: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        write_files()
        for cell in CELLS[: last + 1]:
            if not ({"set-up", "by-hand"} & {*tags(cell)} or is_file(cell)):
                exec(cell.source, space)
        yield space
        space["by_hand"].stop()


@pytest.fixture
def open_page(browser: Browser, space: dict[str, Any]) -> Iterator[Open]:
    """Opens a path of the notebook's app; afterwards no other host may have been asked."""
    served: Server = space["by_hand"]
    asked: list[str] = []
    with closing(browser.new_context()) as context:
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()

        def visit(path: str) -> Page:
            page.goto(served.url + path)
            return page

        yield visit
    assert [url for url in asked if not url.startswith((served.url, "data:", "blob:"))] == []


def predict(space: dict[str, Any], weight: int, year: int) -> str:
    car = np.array([[8, 307, 130, weight, 12, year, 1]], "float32")
    return f"{weight} lb: {float(space['mpg_network'](car)[0, 0]):.2f} mpg"


def test_the_first_page_computes_what_keras_computes(open_page: Open, space: dict[str, Any]):
    page = open_page("/index.html")
    answer = page.get_by_role("status")
    expect(answer).to_have_text(predict(space, 3504, 70))
    page.get_by_label("Weight").fill("2000")
    expect(answer).to_have_text(predict(space, 2000, 70))
    prose = "".join(cell.source for cell in read(NOTEBOOK).cells)
    assert predict(space, 2000, 70).split()[2] in prose

    file = Path("page/index.html")
    before = file.read_text("utf-8")
    file.write_text(before.replace("12, 70, 1]", "12, 82, 1]"), "utf-8")  # the learner's change
    expect(open_page("/index.html").get_by_role("status")).to_have_text(predict(space, 3504, 82))
    file.write_text(before, "utf-8")


def test_an_open_batch_axis_is_refused_with_the_sentence_that_the_notebook_quotes(open_page: Open):
    answer = open_page("/index.html?open.tflite").get_by_role("status")
    expect(answer).to_contain_text("does not match")
    said = answer.inner_text()
    assert any(f"`{said}`" in cell.source for cell in read(NOTEBOOK).cells)


def test_the_canvas_resizes_as_the_notebook_says(open_page: Open, space: dict[str, Any]):
    """Its stand-in in Python is near what Chromium's canvas does, and has the same classes."""
    page = open_page("/photo.html")
    answer = page.get_by_role("status")
    expect(answer).to_have_text("The network is loaded.")
    said = "The network is loaded."
    for file, row in zip(space["files"], space["canvas"], strict=True):
        page.get_by_label("Choose a photo").set_input_files(file)
        expect(answer).not_to_have_text(said)
        said = answer.inner_text()
        name, probability = said.split()
        assert name == space["names"][row.argmax()]
        assert float(probability) == pytest.approx(row.max(), abs=0.02)


@pytest.mark.thorough  # half a minute; the page's pieces are tested one by one elsewhere
def test_the_page_to_take_home_classifies_as_keras_does(browser: Browser, space: dict[str, Any]):
    space["mobilenet"].save("mobilenet.keras")
    command = [sys.executable, "to_page.py", "mobilenet.keras", "home", "--runtime", "page"]
    command += ["--scale", str(1 / 127.5), "--offset", "-1", "--labels", *map(str, range(1000))]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert json.loads(Path("home/model.json").read_text())["shape"] == [1, 224, 224, 3]
    app = space["Flask"]("home", static_folder=Path("home").resolve(), static_url_path="/")
    with launch(app, port=5083) as server, closing(browser.new_page()) as page:
        page.goto(f"{server.url}/index.html")
        message, first = page.get_by_role("status"), page.get_by_role("listitem").first
        expect(message).to_have_text("The network is loaded.")
        for file, row in zip(space["files"], space["wanted"], strict=True):
            page.get_by_label("Choose a photo").set_input_files(file)
            expect(first).to_have_text(f"{row.argmax()} {row.max():.3f}")
        text = {"name": "cat.txt", "mimeType": "text/plain", "buffer": b"This is a cat."}
        page.get_by_label("Choose a photo").set_input_files(text)
        expect(message).to_have_text("This file is not an image that can be read.")
        expect(page.get_by_role("listitem")).to_have_count(0)
