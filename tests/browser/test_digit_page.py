"""The page to draw a digit on, in a real browser: drawn with the real mouse, finger and keys."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from scipy import ndimage
from skimage.measure import approximate_polygon
from skimage.morphology import skeletonize

from course_utils.datasets import load_mnist
from course_utils.inference import shipped_model
from tests.support.serving import Served, serving
from tests.support.web_app import check_looks

SEED, COUNT = 9, 100
SIZES = {360: 900, 1280: 900}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("digit", model=shipped_model("digit")) as served:
        yield served


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """The page; afterwards nothing may have gone wrong in it, nor been asked for elsewhere."""
    context = browser.new_context()
    page, complaints, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.url)
    yield page
    context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []
    assert [url for url in asked if not url.startswith((served.url, "data:", "blob:"))] == []


def strokes(digit: np.ndarray) -> list[list[tuple[float, float]]]:
    """The middle lines of a digit as a pen would draw them: points (x, y) from 0 to 1.

    Points that lie within half a pixel of the line between others are left out: a mouse in a hurry
    is seen as seldom.
    """
    skeleton = skeletonize(digit > 100)
    left = {(int(x), int(y)) for y, x in np.argwhere(skeleton)}

    def beside(at: tuple[int, int], among: set[tuple[int, int]]) -> list[tuple[int, int]]:
        steps = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1)]
        return [(at[0] + x, at[1] + y) for x, y in steps if (at[0] + x, at[1] + y) in among]

    pixels, lines = set(left), []
    while left:
        ends = [at for at in sorted(left) if len(beside(at, left)) <= 1]
        at = (ends or sorted(left))[0]
        # A line starts where another one has passed, so that they join.
        line = [*beside(at, pixels - left)[:1], at]
        left.remove(at)
        while near := beside(line[-1], left):
            line.append(near[0])
            left.remove(near[0])
        line += [each for each in beside(line[-1], pixels - left) if each not in line][:1]
        lines.append(line)
    corners = [approximate_polygon(np.array(line), tolerance=0.5) for line in lines]
    return [[((x + 0.5) / 28, (y + 0.5) / 28) for x, y in line] for line in corners]


def draw(page: Page, lines: list[list[tuple[float, float]]]) -> None:
    box = page.get_by_label("Paper to draw on").bounding_box()
    assert box is not None
    for line in lines:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points:
            page.mouse.move(*point)
        page.mouse.up()


def answer(page: Page) -> str:
    state = page.get_by_role("status")
    expect(state).to_contain_text("The network reads")
    return state.inner_text().removeprefix("The network reads ").rstrip(".")


@pytest.mark.thorough
def test_digits_drawn_with_the_mouse_are_read(page: Page) -> None:
    pictures, labels = load_mnist()[1]
    right = 0
    for at in np.random.default_rng(SEED).permutation(len(labels))[:COUNT]:
        page.get_by_role("button", name="Clear").click()
        draw(page, strokes(pictures[at]))
        right += answer(page) == str(labels[at])
    assert right >= 85


SEVEN = [[(0.3, 0.2), (0.5, 0.2), (0.7, 0.2), (0.6, 0.45), (0.5, 0.6), (0.42, 0.85)]]


def test_the_ten_probabilities_are_shown(page: Page) -> None:
    draw(page, SEVEN)
    assert answer(page) == "7"
    bars = [page.get_by_label(f"Probability of a {digit}") for digit in range(10)]
    values = [float(bar.evaluate("bar => bar.value")) for bar in bars]
    assert abs(sum(values) - 1) < 1e-4
    assert int(np.argmax(values)) == 7
    shown = page.locator("#shares .best")
    expect(shown).to_contain_text("7")
    expect(shown).to_contain_text(f"{100 * values[7]:.1f} %")


def test_clear_forgets_the_drawing_and_its_answer(page: Page) -> None:
    draw(page, SEVEN)
    answer(page)
    draw(page, SEVEN)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(800)  # longer than an answer takes: none may come late
    expect(page.get_by_role("status")).to_have_text("Nothing is drawn yet.")
    white = (
        "canvas => canvas.getContext('2d').getImageData(0, 0, 280, 280).data.every(v => v === 255)"
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
def test_it_can_be_drawn_with_a_finger(browser: Browser, served: Served) -> None:
    """The page stays where it is while a finger draws on it."""
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.goto(served.url)
    box = page.get_by_label("Paper to draw on").bounding_box()
    assert box is not None
    devtools = context.new_cdp_session(page)
    x = box["x"] + box["width"] / 2
    for kind, share in [("touchStart", 0.15), *[("touchMove", s / 20) for s in range(4, 18)]]:
        points = [{"x": x, "y": box["y"] + share * box["height"]}]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert answer(page) == "1"
    assert page.evaluate("scrollY") == 0
    context.close()


def test_a_photo_can_be_sent_instead_and_a_bad_one_is_refused(page: Page, tmp_path: Path) -> None:
    from PIL import Image

    picture = load_mnist()[1][0][0]  # a seven
    enlarged = ndimage.zoom(255 - picture, 10, order=1)
    Image.fromarray(enlarged).save(tmp_path / "seven.jpg")
    (tmp_path / "letter.png").write_bytes(b"%PDF-1.7 a letter")
    page.get_by_label("Send a photo instead").set_input_files(tmp_path / "seven.jpg")
    assert answer(page) == "7"
    page.get_by_label("Send a photo instead").set_input_files(tmp_path / "letter.png")
    expect(page.get_by_role("alert")).to_contain_text("not an image of a kind")


@pytest.mark.thorough
def test_it_says_when_the_service_is_gone(page: Page) -> None:
    page.route("**/api/digit", lambda route: route.abort())
    draw(page, SEVEN)
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_nothing_bars_anybody(
    browser: Browser, served: Served, artifacts: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]}, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(served.url)
    for state in ("empty", "drawn"):
        if state == "drawn":
            draw(page, SEVEN)
            answer(page)
        check_looks(page, artifacts / f"digit_{state}_{scheme}_{width}.png")
    context.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """Another origin: a page of somebody else, on another port."""
    (tmp_path / "index.html").write_text("<!doctype html><title>Mine</title><h1>Mine</h1>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


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
    browser: Browser, served: Served, elsewhere: str
) -> None:
    page = browser.new_page()
    page.goto(elsewhere)
    assert page.evaluate(POST, [f"{served.url}/upload", 200]) == [200, "1"]
    status, problem = page.evaluate(POST, [f"{served.url}/upload", 0])
    assert status == 400
    assert problem["errors"][0]["detail"].startswith("nothing is drawn")
    page.close()


@pytest.mark.thorough
def test_a_page_that_is_not_on_the_list_reads_nothing(
    browser: Browser, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_ORIGINS", "https://another.example")
    with serving("digit", model=shipped_model("digit")) as served:
        assert requests.get(f"{served.url}/healthz", timeout=60).ok
        page = browser.new_page()
        page.goto(elsewhere)
        refused = "url => fetch(url).then(() => 'read', error => error.name)"
        assert page.evaluate(refused, f"{served.url}/healthz") == "TypeError"
        page.close()
