"""The site as ``make site`` builds it, with the network cut, and in a real browser."""

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Frame, Locator, Page, expect

from course_utils.datasets import load_mnist
from course_utils.environment import data_folder
from course_utils.inference.pixels import MINUS_ONE_TO_ONE
from tests.setup.test_install import posix
from tests.support import ROOT, networks
from tests.support.bad_images import encoded
from tests.support.in_page import await_network, predict, static_host, visiting
from tests.support.notebooks import NOTEBOOKS, read

pytestmark = [pytest.mark.thorough, posix]
PHOTOS = data_folder() / "photos"
OFFLINE = [sys.executable, str(ROOT / "tests" / "support" / "offline.py")]


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """The built site; a warning is an error, and so is a dead link."""
    make = ["make", "--dry-run", "site", f"PYTHON={sys.executable}"]
    lines = subprocess.check_output(make, cwd=ROOT, text=True).splitlines()
    (line,) = (line for line in lines if " sphinx " in line)
    _, *options, cache, source, made = shlex.split(line)
    assert (cache, source, made) == (".cache/site/read", ".", ".cache/site/made")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "site")
        command = [*OFFLINE, sys.executable, *options, str(Path(folder, "cache")), source, str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield out


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with static_host(site) as url:
        yield f"{url}/"


def list_pages(site: Path) -> list[str]:
    """The pages, without what other tests look at: the live pages and the slides."""
    made = (path.relative_to(site) for path in site.rglob("*.html"))
    others = {"_static", "_downloads", "live", "slides"}
    return sorted(str(page) for page in made if page.parts[0] not in others)


def find_faults(context: BrowserContext, address: str, name: str) -> list[str]:
    """What is wrong with a page, in words."""
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    own = (address, "data:", f"blob:{address}")
    page.on("request", lambda r: faults.append(r.url) if not r.url.startswith(own) else None)
    page.goto(address + name, wait_until="networkidle")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        faults.append("wider than the window")
    without_alt = "image => !image.alt && !image.closest('[aria-hidden=true]')"
    faults += page.evaluate(
        f"[...document.images].filter({without_alt}).map(i => `without alt: ${{i.src}}`)"
    )
    # Without preload: axe asks for style sheets again, at addresses that it guesses.
    for rule in Axe().run(page, options={"preload": False}).response["violations"]:
        if rule["impact"] in {"serious", "critical"}:
            faults += [f"{rule['id']}: {node['html'][:200]}" for node in rule["nodes"]]
    page.close()
    return [f"{name}: {fault}" for fault in faults]


# What fits depends on the width alone, and contrast on the scheme alone: each of both is there.
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_every_page_is_well(site, address, browser: Browser, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    pages = list_pages(site)
    assert len(pages) > len(NOTEBOOKS) + 10
    faults = [fault for name in pages for fault in find_faults(context, address, name)]
    context.close()
    assert faults == []


@pytest.mark.parametrize(
    ("word", "notebook"),
    [
        *(("AUC", "07_drift"), ("ngrok", "01_flask_hello_world"), ("canary", "14_production")),
        ("SavedModel", "13_saving_models"),
    ],
)
def test_the_search_finds_the_notebook_that_explains_it_first(address, browser, word, notebook):
    page = browser.new_page()
    page.goto(f"{address}search.html?q={word}")
    expect(page.locator("#search-results .search-summary")).to_contain_text("found")
    first = page.locator("#search-results ul.search li a").first
    assert first.get_attribute("href").startswith(f"notebooks/{notebook}.html")
    page.close()


def test_code_can_be_copied_and_a_notebook_downloaded(address, browser):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{address}notebooks/01_flask_hello_world.html")
    cell = page.locator(".cell_input .highlight").filter(has_text='Flask("hello")').first
    cell.hover()
    cell.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('from flask import Flask\n\napp = Flask("hello")')
    link = page.locator('a[href$="01_flask_hello_world.ipynb"]').first
    downloaded = context.request.get(f"{address}notebooks/{link.get_attribute('href')}")
    assert downloaded.text() == NOTEBOOKS[1].read_text(encoding="utf-8")
    context.close()


def test_set_up_cells_are_folded_away(address, browser):
    page = browser.new_page()
    for path in NOTEBOOKS:
        page.goto(f"{address}notebooks/{path.stem}.html")
        (source,) = (c.source for c in read(path).cells if "set-up" in c.metadata.get("tags", []))
        folded = page.locator("details .highlight").filter(has_text=source.splitlines()[0])
        expect(folded).to_be_hidden()
    page.close()


def ask_keras(name: str) -> tuple[list[bytes | np.ndarray], np.ndarray, float]:
    """What a page gets, what Keras answers to it, and by how much the page may differ."""
    if name == "mpg":
        network, rows = networks.shipped_mpg_network()
        return [*rows], network(rows).numpy(), 1e-4
    if name == "digit":
        ink = load_mnist()[1][0][:20] / np.float32(255)
        return [*ink], networks.shipped_digit_network()(ink).numpy(), 1e-5
    photos = networks.crops(parts=networks.CROPS[:1])
    files = [encoded(Image.fromarray(photo), "PNG") for photo in photos]
    wanted = networks.mobilenet()(MINUS_ONE_TO_ONE.apply(photos), training=False)
    return files, wanted.numpy(), 1e-5


@pytest.mark.parametrize("name", ["digit", "image", "mpg"])
def test_a_live_page_answers_as_keras_does(address, browser, name):
    sent, wanted, tolerance = ask_keras(name)
    with visiting(browser) as visitor:  # no other host answers
        visitor.page.goto(f"{address}docs/try.html")
        frame = open_frame(visitor.page, f"{name}/index.html")
        got = np.stack([predict(frame, each) for each in sent])
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= tolerance


def show_frame(page: Page, address: str) -> Locator:
    """A frame, scrolled into view: before, it is not loaded."""
    element = page.locator(f'iframe[src="../live/{address}"]')
    element.scroll_into_view_if_needed()
    return element


def open_frame(page: Page, address: str) -> Frame:
    """The page in a frame, once its network is loaded."""
    element = show_frame(page, address)
    expect(element.content_frame.get_by_role("heading").first).to_be_visible()
    frame = element.element_handle().content_frame()
    await_network(frame)
    return frame


def test_what_may_be_skipped_says_so(address, browser):
    page = browser.new_page()
    for path in NOTEBOOKS:
        cells = read(path).cells
        optional = ["optional" in cell.metadata.get("tags", []) for cell in cells]
        # Code says it only where the cell before it does not.
        said = [
            is_optional and (cell.cell_type == "markdown" or not was_optional)
            for cell, is_optional, was_optional in zip(
                cells, optional, [False, *optional[:-1]], strict=True
            )
        ]
        page.goto(f"{address}notebooks/{path.stem}.html")
        expect(page.get_by_text("May be skipped", exact=True)).to_have_count(sum(said))
    page.close()


def test_notebooks_show_the_live_pages(site):
    shown = {
        path.stem: re.findall(
            r'src="../live/([^"]+)"', read_page(site, f"notebooks/{path.stem}.html")
        )
        for path in NOTEBOOKS
    }
    by_hand = ["index.html", "index.html?open.tflite", "photo.html"]
    assert {name: live for name, live in shown.items() if live} == {
        "06_web_app": ["image/index.html"],
        "09_digit_service": ["digit/index.html"],
        "12_in_the_browser": [
            *(f"by_hand/{name}" for name in by_hand),
            *(f"{name}/index.html" for name in ("image", "digit", "mpg")),
        ],
    }


def test_the_pages_written_by_hand_do_what_the_notebook_says(address, browser):
    with visiting(browser) as visitor:
        page = visitor.page
        page.goto(f"{address}notebooks/12_in_the_browser.html")
        slider = show_frame(page, "by_hand/index.html").content_frame
        slider.get_by_label("Weight").fill("2000")
        expect(slider.get_by_role("status")).to_have_text("2000 lb: 21.38 mpg")
        refused = show_frame(page, "by_hand/index.html?open.tflite").content_frame
        expect(refused.get_by_role("status")).to_contain_text(
            "does not match expected ranked tensor type Float32[-1, 7]"
        )
        photo = show_frame(page, "by_hand/photo.html").content_frame
        expect(photo.get_by_role("status")).to_have_text("The network is loaded.")
        photo.get_by_label("Choose a photo").set_input_files(PHOTOS / "astronaut.jpg")
        expect(photo.get_by_role("status")).to_contain_text("wok 0.1")


def test_the_site_has_the_slides_and_the_page_for_teachers_leads_to_them(site, address, browser):
    assert {path.stem for path in NOTEBOOKS} < {path.stem for path in (site / "slides").iterdir()}
    page = browser.new_page()
    page.goto(f"{address}docs/teaching.html")
    page.get_by_role("link", name="slides", exact=True).first.click()
    page.get_by_role("link", name="A web app").click()
    page.wait_for_function("Reveal.isReady()")
    # On the slide of the web app, the site's own live page stands.
    expect(page.locator('iframe[src="../live/image/index.html"]')).to_have_count(1)
    page.close()


def test_no_link_leads_to_a_placeholder(site):
    named = [
        name
        for name in list_pages(site)
        if 'href="https://github.com/OWNER' in read_page(site, name)
    ]
    assert named == []


def read_page(site: Path, name: str) -> str:
    return (site / name).read_text(encoding="utf-8")
