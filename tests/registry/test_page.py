"""The page of all models: in a real browser, with data spelt to break it."""

import base64
import itertools
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from course_utils import registry
from course_utils.registry.page import COMPARED, page
from tests.drift.test_page import Elements
from tests.support import registering as processes
from tests.support.records import CARS, FEATURES, FILES, register

EVIL = "<script>window.broken = 1</script>"
NAMES = [
    *(EVIL, '"><img src=x onerror="window.broken = 2">', "$content ${style} -->", "</style>"),
    *("</table></main>", "long" * 60, "\u202e$x^2$\x00"),
]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in whose records everything is spelt to break a page, and one record is damaged."""
    store = tmp_path_factory.mktemp("hostile")
    cars = CARS[[*FEATURES, "mpg"]].rename(
        columns=dict(zip(FEATURES, NAMES, strict=True)) | {"mpg": "<b>target"}
    )
    chart = store / "own.svg"
    chart.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" onload="window.broken = 3" width="20" '
        'height="20"><script>window.broken = 4</script><rect width="20" height="20"/></svg>',
        "utf-8",
    )
    for version in (1, 2, 3):
        register(
            store,
            files=FILES[:1],
            training=cars,
            testing=cars[: 50 + version],
            target="<b>target",
            configuration={EVIL: f"{EVIL}{version}", "rate": 0.1},
            metrics={'"><i>': version},
            notes=f"</td></tr></table>{EVIL}",
            charts=[chart],
        )
    registry.promote("mpg", 2, store=store)
    registry.try_canary("mpg", 3, 0.25, store=store, reason=f"</p>{EVIL}")
    damaged = store / "mpg" / "00001" / "record.json"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    return store


@pytest.fixture
def stores(kept: Path, hostile: Path, tmp_path: Path) -> dict[str, Path]:
    return {"kept": kept, "hostile": hostile, "empty": tmp_path / "empty"}


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a store's page; afterwards nothing must have been asked for or complained about."""
    pages: list[Page] = []
    heard: list[str] = []

    def visit(store: Path, **options: object) -> Page:
        file = tmp_path / f"{len(pages)}.html"
        file.write_text(page(store=store), "utf-8")
        pages.append(browser.new_context(offline=True, **options).new_page())
        pages[-1].on("console", lambda message: heard.append(message.text))
        pages[-1].on("request", lambda request: heard.append(request.url))
        pages[-1].goto(file.as_uri())
        return pages[-1]

    yield visit
    for opened in pages:
        assert opened.evaluate("window.broken") is None
        opened.context.close()
    assert [said for said in heard if not said.startswith(("file:", "data:image/"))] == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["kept", "hostile", "empty"])
def test_a_browser_has_nothing_to_mend(stores: dict[str, Path], name: str, visit: Open):
    text = page(store=stores[name])
    elements = Elements(text).found
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    assert "script" not in [tag for tag, _ in elements]
    links = [attrs[key] for _, attrs in elements for key in ("src", "href") if key in attrs]
    assert all(link and link.startswith("data:image/") for link in links)
    opened = visit(stores[name])
    tags = "[...document.querySelectorAll('*')].map(element => element.localName)"
    assert opened.evaluate(tags) == [tag for tag, _ in elements]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["kept", "hostile", "empty"])
@pytest.mark.parametrize(
    ("width", "scheme"), list(itertools.product([360, 1280], ["light", "dark"]))
)
def test_nothing_bars_anybody(
    stores: dict[str, Path], name: str, width: int, scheme: str, visit: Open
):
    """axe-core finds nothing, the page is no wider than the screen: wide tables scroll inside."""
    size = {"width": width, "height": 800}
    opened = visit(stores[name], viewport=size, color_scheme=scheme, is_mobile=width < 500)
    opened.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    results = Axe().run(opened)
    assert results.violations_count == 0, results.generate_report()
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_says_what_is_served_and_what_is_damaged(hostile: Path, visit: Open):
    opened = visit(hostile)
    said = opened.locator("h2 + p").inner_text()
    assert said.startswith("Version 2 is served, version 3 answers 25% of the requests as a canary")
    assert said.endswith(f"</p>{EVIL}")
    damaged = opened.locator("p:has(strong)").all_inner_texts()
    assert len(damaged) == 1
    assert "00001" in damaged[0]
    assert "record.json is not as it was registered" in damaged[0]
    rows = opened.locator("[aria-label='Versions of mpg'] tbody tr")
    assert [row.locator("th").inner_text() for row in rows.all()] == ["3", "2"]
    assert [row.locator("td").first.inner_text() for row in rows.all()] == ["canary", "served"]
    assert f"</td></tr></table>{EVIL}" in rows.first.inner_text()


def test_versions_stand_side_by_side_and_what_differs_is_marked(kept: Path, visit: Open):
    opened = visit(kept)
    table = opened.locator("[aria-label='Versions of mpg side by side']")
    heads = table.locator("thead th").all_inner_texts()
    assert heads == ["Version 2", "Version 1"]
    rows = {
        row.locator("th").inner_text(): row.locator("td") for row in table.locator("tr").all()[1:]
    }
    first, second = (registry.load("mpg", version, store=kept).document for version in (1, 2))
    for name in ("rmse", "mae", "r2"):
        values = [float(text) for text in rows[name].all_inner_texts()]
        expected = [document["metrics"]["computed"][name] for document in (second, first)]
        assert values == pytest.approx(expected, rel=1e-3)
    assert rows["epochs"].all_inner_texts() == ["–", "100"]
    assert rows["epochs_run (given)"].all_inner_texts() == ["–", "42"]
    digest = first["data"]["training"]["sha256"][:12]
    assert rows["training data"].all_inner_texts()[1] == f"300 rows, {digest}"
    marked = {
        name: [cell.get_attribute("class") for cell in cells.all()] for name, cells in rows.items()
    }
    assert marked["rmse"] == ["differs", None]
    assert marked["target"] == [None, None]


def test_charts_are_in_the_file_and_described(kept: Path, visit: Open):
    opened = visit(kept)
    opened.locator("summary").first.click()
    images = opened.locator("details").last.locator("img").all()
    record = registry.load("mpg", 1, store=kept)
    assert len(images) == len(record.document["charts"])
    for image, chart in zip(images, record.document["charts"], strict=True):
        _, _, data = (image.get_attribute("src") or "").partition("base64,")
        assert base64.b64decode(data) == (record.folder / "charts" / chart["file"]).read_bytes()
        assert image.get_attribute("alt") == chart["alt"]
    widths = "[...document.images].map(image => image.naturalWidth)"
    opened.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    assert all(opened.evaluate(widths))


def test_a_missing_chart_and_a_damaged_log_hide_nothing(store: Path):
    registry.promote("mpg", 1, store=store)
    (store / "mpg" / "00001" / "charts" / "predicted.png").unlink()
    (store / "mpg" / "promotions.jsonl").write_text("[]\n", "utf-8")
    text = unescape(page(store=store))
    assert "promotions.jsonl, line 1, is damaged" in text
    assert text.count("<img") == 4 + 4  # of five and four


def test_a_page_stays_readable_however_many_versions_there_are(
    store: Path, record: registry.Record, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("course_utils.registry.page.LISTED", 8)
    for number in range(9):
        processes.copy(record.folder, store, f"number {number}")
    text = page(store=store)
    assert "The newest 8 of 11" in text
    assert text.count("<details>") == COMPARED
    assert "number 8<" in text
    assert "number 0<" not in text


def test_an_empty_store_says_so(tmp_path: Path):
    assert "There is no model in this store yet." in page(store=tmp_path / "nowhere")
