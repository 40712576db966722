"""A network that computes in the page: the folders of `export.browser`, as visitors use them."""

import base64
import contextlib
import functools
import http.server
import itertools
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from course_utils import images
from course_utils.datasets import load_mnist
from course_utils.export import browser as pages
from course_utils.inference import FeatureSchema, Predictor, load_labels, schema_path, shipped_model
from tests.browser.conftest import Visit
from tests.browser.test_digit_page import draw
from tests.support.bad_images import others, photo_as
from tests.support.serving import FEATURES, free_port
from tests.support.web_app import CAT, COFFEE, PANDA, WebApp, check_looks

SIZES = {360: 900, 1280: 900}


class Host(http.server.ThreadingHTTPServer):
    """A plain host of files, as ``python -m http.server`` is one.

    While ``sends_networks`` is clear, it withholds them.
    """

    def __init__(self, folder: Path, port: int | None = None):
        handler = functools.partial(Handler, directory=str(folder))
        super().__init__(("127.0.0.1", port or free_port()), handler)
        self.folder, self.sends_networks = folder, threading.Event()
        self.sends_networks.set()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Sends files, and says nothing of it."""

    server: Host

    def do_GET(self) -> None:
        if self.path.endswith(".tflite"):
            self.server.sends_networks.wait()
        with contextlib.suppress(ConnectionError):  # of a visitor who has left
            super().do_GET()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of each kind: photo, drawing and row."""
    folder = tmp_path_factory.mktemp("pages")
    photo, digit, mpg = (shipped_model(name) for name in ("image", "digit", "mpg"))
    quiet: dict[str, Any] = {"report": lambda *_: None}
    pages.convert(photo, folder / "photo", kind="photo", labels=load_labels(photo), **quiet)
    pages.convert(digit, folder / "drawing", kind="drawing", **quiet)
    schema = FeatureSchema.load(schema_path(mpg))
    pages.convert(mpg, folder / "row", kind="row", schema=schema, **quiet)
    return folder


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[Host]:
    host = Host(folder)
    yield host
    host.close()


Open = Callable[..., WebApp]
# Both take a file in base64.
ASK = "text => network.predict(new Blob([Uint8Array.from(atob(text), it => it.charCodeAt(0))]))"
ASK_TO_REFUSE = f"async text => ({ASK})(text).then(String, error => error.message)"


@pytest.fixture
def open_kind(visit: Visit, host: Host) -> Open:
    """Opens the page of a kind and waits for its network."""

    def open_page(kind: str, **options: Any) -> WebApp:
        app = visit(f"{host.url}/{kind}", **options)
        app.page.evaluate("network.ready")
        return app

    return open_page


def classify(name: str, values: np.ndarray) -> np.ndarray:
    network = Predictor.load(shipped_model(name))
    return network.predict(values.reshape(1, *network.input_shape))[0]


def test_a_photo_gets_the_answer_that_python_gives(open_kind: Open):
    app = open_kind("photo")
    app.choose(CAT)
    app.expect_best("Egyptian cat")
    assert app.has_photo()
    pixels = images.read_image(CAT.read_bytes(), size=(224, 224)).astype(np.float32)
    wanted = np.sort(classify("image", pixels))[::-1]
    for row, share in zip(app.classes.all(), wanted, strict=False):
        shown = row.evaluate("row => row.style.getPropertyValue('--share')")
        assert float(shown) == pytest.approx(share, abs=1e-5)
    expect(app.page.get_by_role("status")).to_contain_text("answer: Egyptian cat, ")
    expect(app.page.get_by_text("The 995 other classes share the remaining")).to_be_visible()


@pytest.mark.thorough
def test_a_photo_can_be_dropped_pasted_or_taken(open_kind: Open):
    app = open_kind("photo")
    app.drop(COFFEE)
    app.expect_best("espresso")
    app.paste_picture(CAT)
    app.expect_best("Egyptian cat")
    expect(app.page.get_by_label("Take a photo")).not_to_be_in_viewport()
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    app = open_kind("photo", **phone)
    app.page.get_by_label("Take a photo").set_input_files(PANDA)
    app.expect_best("lesser panda")


@pytest.mark.thorough
def test_the_panel_says_where_a_photo_can_be_let_go(open_kind: Open):
    app = open_kind("photo")
    app.drag(CAT)
    expect(app.page.get_by_text("Let go to classify")).to_be_visible()
    app.page.dispatch_event("main", "dragleave")
    expect(app.page.get_by_text("Let go to classify")).to_be_hidden()


def test_a_bad_photo_is_refused_in_the_words_of_the_service(open_kind: Open, tmp_path: Path):
    app = open_kind("photo")
    letter = tmp_path / "letter.png"
    letter.write_bytes(b"%PDF-1.7 a letter")
    half = tmp_path / "half.jpg"
    half.write_bytes(PANDA.read_bytes()[:20_000])
    for path in (letter, half):
        with pytest.raises(images.BadImage) as refused:
            images.read_image(path.read_bytes())
        app.choose(path)
        said = refused.value
        app.expect_problem(said.detail, f"What came: {said.received}", f"works: {said.allowed}")
    app.choose(CAT)
    app.expect_best("Egyptian cat")
    expect(app.problem).to_be_empty()
    app.drop(CAT, COFFEE)
    app.expect_problem("One photo at a time", "These are 2 files.")
    text = tmp_path / "notes.txt"
    text.write_text("no photo", "utf-8")
    app.drop(text)
    app.expect_problem("This is not a photo", "a photo: JPEG, PNG, WebP, GIF, or BMP")


@pytest.mark.thorough
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_read_as_python_reads_it(
    open_kind: Open, tmp_path: Path, orientation: int
):
    app, exif = open_kind("photo"), Image.Exif()
    exif[0x0112] = orientation
    with Image.open(PANDA) as photo:
        photo.save(tmp_path / "turned.jpg", exif=exif.tobytes())
    content = (tmp_path / "turned.jpg").read_bytes()
    pixels = images.read_image(content, size=(224, 224)).astype(np.float32)
    assert app.page.evaluate(ASK, base64.b64encode(content).decode()) == pytest.approx(
        classify("image", pixels), abs=1e-5
    )


@pytest.mark.thorough
def test_each_bad_file_is_refused_as_python_refuses_it(open_kind: Open):
    page = open_kind("photo").page
    halves = {kind: photo_as(kind)[:-200] for kind in ("JPEG", "PNG", "WEBP")}
    for content in (others() | halves).values():
        with pytest.raises(images.BadImage) as refused:
            images.read_image(content)
        told = refused.value
        message = page.evaluate(ASK_TO_REFUSE, base64.b64encode(content).decode())
        assert message == f"{told.detail} {told.received} {told.allowed}"


def test_a_drawing_is_read_as_it_is_drawn(open_kind: Open):
    page = open_kind("drawing").page
    expect(page.get_by_role("status")).to_have_text("Nothing is drawn yet.")
    draw(page, 7)
    expect(page.get_by_role("status")).to_have_text("The network’s answer: 7")
    expect(page.locator("#value")).to_have_text("7")
    expect(page.locator("#classes .best")).to_have_text(re.compile("^7 (over )?9.*%$"))
    expect(page.get_by_role("img", name="The picture that the network gets")).to_be_visible()
    draw(page, 7)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(1000)  # longer than an answer takes: none may come late
    expect(page.get_by_role("status")).to_have_text("Nothing is drawn yet.")
    expect(page.locator("#value")).to_be_hidden()


@pytest.mark.thorough
def test_it_can_be_drawn_with_the_keyboard(open_kind: Open):
    page = open_kind("drawing").page
    page.keyboard.press("Tab")
    expect(page.get_by_label("Paper to draw on")).to_be_focused()
    page.keyboard.press("Space")
    for _ in range(22):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("The network’s answer: 1")
    page.keyboard.press("Backspace")
    expect(page.get_by_role("status")).to_have_text("Nothing is drawn yet.")


def expect_number(page: Page, row: list[float]) -> None:
    miles = classify("mpg", np.array(row, np.float32))[0]
    expect(page.locator("#value")).to_have_text(f"{miles:.1f}")


def test_the_answer_changes_with_the_sliders(open_kind: Open):
    page = open_kind("row").page
    expect(page.get_by_role("slider")).to_have_count(len(FEATURES))
    row = [field.input_value() for field in page.get_by_role("spinbutton").all()]
    expect_number(page, [float(value) for value in row])
    weight = page.get_by_role("slider", name="weight")
    weight.focus()
    page.keyboard.press("Home")
    row[FEATURES.index("weight")] = "1613"
    expect(page.get_by_role("spinbutton", name="weight")).to_have_value("1613")
    expect_number(page, [float(value) for value in row])


def test_a_value_outside_its_range_is_marked_and_said(open_kind: Open):
    page = open_kind("row").page
    weight = page.get_by_role("spinbutton", name="weight")
    weight.fill("6000")
    expect(weight).to_have_attribute("aria-invalid", "true")
    expect(weight).to_have_accessible_description("weight: 6000 is not a number from 1613 to 5140.")
    expect(page.get_by_text("Outside what the network was trained on (weight)")).to_be_visible()
    weight.fill("")
    expect(page.get_by_role("status")).to_have_text("A value is missing.")
    expect(page.locator("#value")).to_be_hidden()
    weight.fill("3000")
    expect(weight).to_have_attribute("aria-invalid", "false")
    expect(page.get_by_text("Outside what the network was trained on")).to_be_hidden()
    page.get_by_role("spinbutton", name="cylinders").fill("4.5")
    expect(page.get_by_text("cylinders: 4.5 is not an integer from 3 to 8.")).to_be_visible()


LACKING = "Object.defineProperty(globalThis, '{}', {{ value: undefined }})"


@pytest.mark.parametrize(
    "missing", ["WebAssembly", "Worker", "OffscreenCanvas", "createImageBitmap"]
)
def test_it_says_what_the_browser_lacks(visit: Visit, host: Host, missing: str):
    page = visit(f"{host.url}/drawing").page
    page.add_init_script(LACKING.format(missing))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text(f"This browser lacks {missing}. Chrome")


@pytest.mark.thorough
def test_a_photo_of_a_digit_can_be_used_instead(open_kind: Open, tmp_path: Path):
    page = open_kind("drawing").page
    photo = page.get_by_label("Use a photo of plain paper instead")
    ink = 255 - load_mnist()[1][0][0]  # a seven
    light = np.linspace(120, 255, 280)  # which grows from the left to the right
    grey = Image.fromarray((np.kron(ink, np.ones((10, 10))) / 255 * light).astype(np.uint8))
    grey.save(tmp_path / "seven.jpg")
    photo.set_input_files(tmp_path / "seven.jpg")
    expect(page.get_by_role("status")).to_have_text("The network’s answer: 7")
    Image.new("RGB", (90, 60), "white").save(tmp_path / "white.png")
    photo.set_input_files(tmp_path / "white.png")
    expect(page.get_by_role("alert")).to_contain_text("Nothing is drawn: the picture is of one")


@pytest.mark.thorough
def test_a_row_needs_no_canvas(visit: Visit, host: Host):
    page = visit(f"{host.url}/row").page
    page.add_init_script(LACKING.format("OffscreenCanvas"))
    page.reload()
    page.evaluate("network.ready")
    expect(page.locator("#value")).to_be_visible()


def test_it_shows_how_much_has_come_and_takes_a_photo_meanwhile(visit: Visit, folder: Path):
    host = Host(folder / "photo")
    host.sends_networks.clear()
    app = visit(host.url)
    page = app.page
    expect(page.get_by_role("status")).to_have_text("The network is loading …")
    expect(page.locator("#bytes")).to_have_text(re.compile("^9.3 MB of 2"))  # the runtime is there
    progress = page.get_by_role("progressbar", name="Loading the network")
    assert 0.3 < progress.evaluate("bar => bar.position") < 0.4
    app.choose(CAT)
    expect(page.get_by_role("status")).to_have_text("Classifying cat.png …")
    host.sends_networks.set()
    app.expect_best("Egyptian cat")
    expect(progress).to_be_hidden()
    host.close()


@pytest.fixture
def own_host(folder: Path, tmp_path: Path) -> Iterator[Host]:
    """A host with a page for rows, which the test may change."""
    shutil.copytree(folder / "row", tmp_path / "site")
    host = Host(tmp_path / "site")
    yield host
    host.close()


IS_KEPT = """
async () => {
    for (let times = 0; times < 200; times++) {
        for (const name of await caches.keys())
            if (await (await caches.open(name)).match("model.json")) return true;
        await new Promise(resolve => setTimeout(resolve, 50));
    }
    return false;
}
"""


@pytest.mark.thorough
def test_another_page_at_the_same_address_is_not_hidden(visit: Visit, own_host: Host):
    """Ports are used again: a service worker must not answer for what is served there next."""
    page = visit(own_host.url).page
    assert page.evaluate(IS_KEPT)
    for path in own_host.folder.iterdir():
        path.unlink()
    (own_host.folder / "index.html").write_text("<title>Next</title><h1>Next</h1>", "utf-8")
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("Next")
    assert page.evaluate("caches.keys()") == []


def test_a_damaged_file_is_noticed(visit: Visit, own_host: Host):
    model = own_host.folder / "model.tflite"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    page = visit(own_host.url).page
    expect(page.get_by_role("alert")).to_contain_text("model.tflite is not the file")


@pytest.mark.thorough
def test_a_folder_opened_from_the_disk_says_what_to_do(visit: Visit, folder: Path):
    path = folder / "row" / "index.html"
    app = visit(f"{path.as_uri()}#", path.parent.as_uri())
    app.expect_problem("model.json cannot be fetched", "python -m http.server")
    (complaint,) = app.complaints
    assert "blocked by CORS policy" in complaint  # the browser's own words
    app.complaints.clear()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "width", "scheme"),
    list(itertools.product(["photo", "drawing", "row"], SIZES, ["light", "dark"])),
)
def test_nothing_bars_anybody(open_kind: Open, artifacts: Path, kind: str, width: int, scheme: str):
    viewport = {"width": width, "height": SIZES[width]}
    phone = {"is_mobile": width < 500, "has_touch": width < 500}
    app = open_kind(kind, viewport=viewport, color_scheme=scheme, reduced_motion="reduce", **phone)
    page, name = app.page, f"in_page_{kind}_{scheme}_{width}"
    check_looks(page, artifacts / f"{name}_first.png")
    if kind == "photo":
        app.choose(CAT)
        app.expect_best("Egyptian cat")
    elif kind == "drawing":
        draw(page, 7)
        expect(page.locator("#value")).to_have_text("7")
    else:
        page.get_by_role("spinbutton", name="weight").fill("6000")
        expect(page.get_by_text("Outside what the network")).to_be_visible()
    page.get_by_text("Licences").click()
    expect(page.get_by_role("region", name="Licences")).to_contain_text("XNNPACK")
    check_looks(page, artifacts / f"{name}_answer.png")
