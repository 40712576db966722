"""Where a page with a network in it may lie, each place tried in Chromium.

The pages are those that ``course export browser`` writes of the models that the course brings.
"""

import contextlib
import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Frame, Page, expect

from course_utils.environment import PACKAGE_FOLDER, data_folder
from course_utils.export import browser as in_page
from course_utils.images import read_image
from course_utils.inference import FeatureSchema, Predictor, shipped_model
from course_utils.services.digit import read_digit
from tests.support import networks
from tests.support.bad_images import encoded
from tests.support.command import course
from tests.support.in_page import (
    Visitor,
    await_network,
    predict,
    refusing_proxy,
    static_host,
    visiting,
)
from tests.support.lab import jupyterlab
from tests.support.notebooks import NOTEBOOKS
from tests.support.serving import CAR, MODEL

DOG = data_folder() / "photos" / "dog.jpg"
NAMES = ("image", "digit", "mpg")
IDLE = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
CELL = """
from flask import Flask
from course_utils.serving import launch

app = Flask("in_page", static_folder="{folder}", static_url_path="")
app.add_url_rule("/", view_func=lambda: app.send_static_file("index.html"))
server = launch(app)
server.show()
"""


@dataclass(frozen=True)
class Example:
    """What a visitor sends, and what Python's LiteRT answers to it."""

    sent: bytes | list[float]
    wanted: np.ndarray
    tolerance: float

    def check(self, page: Page | Frame) -> None:
        """Assert that the page answers the same."""
        got = predict(page, self.sent)
        assert got.shape == self.wanted.shape
        assert np.abs(got - self.wanted).max() <= self.tolerance


def draw_seven() -> bytes:
    """A drawing as the paper gives it: dark on white, with a pen of 44 of its 560 pixels."""
    paper = Image.new("RGB", (560, 560), "white")
    places = [(170, 130), (390, 130), (270, 430)]
    ImageDraw.Draw(paper).line(places, "black", width=44, joint="curve")
    return encoded(paper, "PNG")


def make_example(name: str) -> Example:
    network = Predictor.load(shipped_model(name))
    if name == "mpg":
        row = [float(value) for value in CAR.values()]
        return Example(row, network.predict(np.array([row], np.float32))[0], 1e-4)
    if name == "digit":
        drawing = draw_seven()
        picture = read_digit(drawing)
        return Example(drawing, network.predict(picture[np.newaxis])[0], 3e-4)
    photo = DOG.read_bytes()
    pixels = read_image(photo, size=(224, 224)).astype(np.float32)
    return Example(photo, network.predict(pixels[np.newaxis])[0], 3e-4)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a network's page, and beside it the page in one file, NAME.html."""
    folder = tmp_path_factory.mktemp("pages")

    def find(name: str) -> Path:
        page = folder / name
        if not page.exists():
            for options in ([page], [page.with_suffix(".html"), "--single-file"]):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("COURSE_HOME", str(folder))  # the model that the course brings
                    done = course("export", "browser", name, "--output", *options)
                assert done.exit_code == 0, done.output
        return page

    return find


@pytest.mark.parametrize("name", NAMES)
def test_pythons_own_web_server(browser: Browser, pages: Callable[[str], Path], name: str) -> None:
    with static_host(pages(name)) as url, visiting(browser) as visitor:
        make_example(name).check(visitor.open(f"{url}/"))
        assert all(each.startswith((url, "blob:", "data:")) for each in visitor.asked)


def test_the_scripts_are_small_and_no_map_is_built(pages: Callable[[str], Path]) -> None:
    """With the part of the runtime that is a script, which makes most of them."""
    scripts = [(pages("mpg") / name).read_bytes() for name in ("page.js", "worker.js", "sw.js")]
    assert sum(len(gzip.compress(script, 9)) for script in scripts) <= 60_000
    for script in scripts:  # each is one file
        assert not re.search(rb"^(import|export)\b", script, re.MULTILINE)
    assert not list((PACKAGE_FOLDER / "webapp" / "dist").rglob("*.map"))


@pytest.mark.thorough
def test_a_visitor_chooses_a_photo(browser: Browser, pages: Callable[[str], Path]) -> None:
    with static_host(pages("image")) as url, visiting(browser) as visitor:
        page = visitor.open(f"{url}/")
        page.locator("input[type=file]").first.set_input_files(DOG)
        expect(page.get_by_text("Samoyed").first).to_be_visible()


@pytest.mark.thorough
def test_a_folder_of_a_larger_site(
    browser: Browser, pages: Callable[[str], Path], tmp_path: Path
) -> None:
    """As of a user of GitHub: the page has a path before it, and knows nothing of it."""
    shutil.copytree(pages("digit"), tmp_path / "of-a-user" / "my digits")
    with static_host(tmp_path) as url, visiting(browser) as visitor:
        page = visitor.open(f"{url}/of-a-user/my%20digits/")
        make_example("digit").check(page)
        assert all(each.startswith(f"{url}/of-a-user/my%20digits/") for each in visitor.asked)


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_a_frame_in_a_page_of_somebody_else(
    browser: Browser, pages: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    with contextlib.ExitStack() as stack:
        inner = stack.enter_context(static_host(pages(name)))
        outer = stack.enter_context(static_host(tmp_path))
        frame = f'<iframe src="{inner}/" width="800" height="600"></iframe>'
        icon = '<link rel="icon" href="data:,">'
        (tmp_path / "index.html").write_text(f"<!doctype html><title>Mine</title>{icon}{frame}")
        visitor = stack.enter_context(visiting(browser))
        # Another name of this machine, so that the two are not of one site either.
        visitor.page.goto(outer.replace("127.0.0.1", "localhost"))
        framed = visitor.page.frames[1]
        await_network(framed)
        make_example(name).check(framed)


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_one_file_opened_from_the_disk(
    browser: Browser, pages: Callable[[str], Path], name: str
) -> None:
    with visiting(browser) as visitor:
        page = visitor.open(pages(name).with_suffix(".html").as_uri())
        make_example(name).check(page)
        if name == "image":
            page.locator("input[type=file]").first.set_input_files(DOG)
            expect(page.get_by_text("Samoyed").first).to_be_visible()
        # Itself, and nothing beside it.
        assert [each for each in visitor.asked if not each.startswith(("blob:", "data:"))] == [
            pages(name).with_suffix(".html").as_uri()
        ]


KEPT = """
async version => {
    const find = async () => (await caches.match("model.json"))?.json();
    while ((await find())?.version !== version) await new Promise(done => setTimeout(done, 50));
}
"""


def await_kept(page: Page, folder: Path) -> None:
    """Return once the page has kept the files of a folder; the last of them is model.json."""
    about = json.loads((folder / "model.json").read_text("utf-8"))
    page.evaluate(KEPT, about["version"])


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_the_second_visit_needs_no_network(
    browser: Browser, pages: Callable[[str], Path], name: str
) -> None:
    with visiting(browser) as visitor:
        with static_host(pages(name)) as url:
            page = visitor.open(f"{url}/")
            await_kept(page, pages(name))
        page.reload()
        await_network(page)
        make_example(name).check(page)
        again = visitor.context.new_page()
        again.goto(f"{url}/")
        await_network(again)
        make_example(name).check(again)


def write_constant(folder: Path, miles: float) -> None:
    """A page whose network predicts the same for all cars."""
    layers = networks.quiet_keras().layers
    last = layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones")
    parts = [layers.Input((len(CAR),)), last, layers.Rescaling(miles)]
    schema = FeatureSchema.load(MODEL.with_name("mpg.schema.json"))
    in_page.convert(
        networks.quiet_keras().Sequential(parts),
        folder,
        kind="row",
        schema=schema,
        overwrite=True,
        report=lambda *_: None,
    )


@pytest.mark.thorough
def test_a_new_export_takes_the_place_of_the_old_one(browser: Browser, tmp_path: Path) -> None:
    """Also where the visitor has the old one, and then without a network."""
    row = [float(value) for value in CAR.values()]
    write_constant(tmp_path / "page", 20)
    with visiting(browser) as visitor:
        with static_host(tmp_path / "page") as url:
            page = visitor.open(f"{url}/")
            await_kept(page, tmp_path / "page")
            assert predict(page, row) == 20
            write_constant(tmp_path / "page", 30)
            page.reload()
            await_network(page)
            assert predict(page, row) == 30
            await_kept(page, tmp_path / "page")
        page.reload()
        await_network(page)
        assert predict(page, row) == 30


@pytest.fixture(scope="module")
def lab(
    pages: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """JupyterLab on a folder with a notebook and a page; the addresses of paths in it."""
    folder, files = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("files")
    shutil.copytree(pages("image"), files / "page")
    shutil.copy(pages("image").with_suffix(".html"), files / "packed.html")
    shutil.copy(NOTEBOOKS[0], files)  # without the first one, `course lab` would not start
    cell = nbformat.v4.new_code_cell(CELL.format(folder=(files / "page").as_posix()).strip())
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}  # else it asks
    nbformat.write(notebook, files / "99_in_page.ipynb")
    with jupyterlab(folder, files) as server:
        yield lambda path: f"{server['url']}{path}?token={server['token']}"


@pytest.mark.slow
@pytest.mark.thorough
def test_a_notebook_in_jupyterlab(
    browser: Browser, lab: Callable[[str], str], artifacts: Path
) -> None:
    """A cell serves the folder and shows it below itself."""
    with visiting(browser, viewport={"width": 1400, "height": 1000}) as visitor:
        tab = visitor.page
        tab.goto(lab("lab/tree/99_in_page.ipynb"))
        tab.wait_for_function(IDLE)
        tab.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        frame = tab.locator(".jp-OutputArea-output iframe[title=in_page]")
        expect(frame).to_be_visible()
        element = frame.element_handle()
        assert element
        shown = element.content_frame()
        assert shown
        shown.wait_for_load_state()
        await_network(shown)
        make_example("image").check(shown)
        page = frame.content_frame
        page.locator("input[type=file]").first.set_input_files(DOG)
        expect(page.get_by_text("Samoyed").first).to_be_visible()
        tab.screenshot(path=artifacts / "in_page_jupyterlab.png")


@pytest.mark.slow
@pytest.mark.thorough
def test_one_file_among_the_files_of_jupyterlab(
    browser: Browser, lab: Callable[[str], str]
) -> None:
    """JupyterLab gives such a file an origin of its own, which may load nothing beside it."""
    with visiting(browser) as visitor:
        page = visitor.open(lab("files/packed.html"))
        make_example("image").check(page)
        page.locator("input[type=file]").first.set_input_files(DOG)
        expect(page.get_by_text("Samoyed").first).to_be_visible()


def test_what_a_page_asks_of_others_is_noticed(browser: Browser, tmp_path: Path) -> None:
    """Also what its worker asks; else the tests above would find nothing."""
    (tmp_path / "worker.js").write_text("fetch('https://b.test/').catch(() => postMessage(0))")
    (tmp_path / "index.html").write_text("<!doctype html><link rel='icon' href='data:,'>")
    ask = "new Promise(done => { new Worker('worker.js').onmessage = done; }).then(() => null)"
    with static_host(tmp_path) as url, refusing_proxy() as (proxy, elsewhere):
        visitor = Visitor(browser, proxy, elsewhere)
        visitor.page.goto(url)
        visitor.page.evaluate(ask)
        visitor.context.close()
    assert elsewhere == ["b.test:443"]
