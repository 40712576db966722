"""The report as a page: read as text, parsed, and looked at in a real browser."""

import base64
import functools
import html
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page

from course_utils.drift import DriftReport, compare
from tests.support.drift_tables import continuous, unchanged

EVIL = "<script>window.broken = 1</script>"
Open = Callable[..., Page]


@functools.cache
def hostile() -> DriftReport:
    """A retrain in whose data everything is spelt to break a page."""

    def table(random: np.random.Generator, rows: int, drifted: int) -> pd.DataFrame:
        words = ["<b>bold", "&amp;", f"</td></table>{EVIL}"][: 2 + drifted]
        columns = {
            EVIL: random.normal(2 * drifted, 1, rows),
            '"><img src=x onerror="window.broken = 2">': random.choice(words, rows),
            "$headline ${style} -->": random.normal(size=rows),
            "</style> \u202e": random.poisson(3, rows),
            f"{EVIL} id": [f"<i>{i}" for i in range(rows)],
            "long" * 60: random.normal(size=rows),
        }
        return pd.DataFrame(columns)

    random = np.random.default_rng(0)
    return compare(table(random, 600, 0), table(random, 500, 1))


@functools.cache
def calm() -> DriftReport:
    return compare(*unchanged(continuous, 3, 0))


REPORTS = {"hostile": hostile, "calm": calm}


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a report's file; afterwards nothing must have been asked for or complained about."""
    pages: list[Page] = []
    heard: list[str] = []

    def visit(report: DriftReport, **options: object) -> Page:
        file = report.to_html(tmp_path / f"{len(pages)}.html")
        pages.append(browser.new_context(offline=True, **options).new_page())
        pages[-1].on("console", lambda message: heard.append(message.text))
        pages[-1].on("request", lambda request: heard.append(request.url))
        pages[-1].goto(file.as_uri())
        return pages[-1]

    yield visit
    for opened in pages:
        assert opened.evaluate("window.broken") is None
        opened.context.close()
    assert [said for said in heard if not said.startswith(("file:", "data:image/png"))] == []
    assert sum(said.startswith("file:") for said in heard) == len(pages)


def test_what_comes_from_the_data_is_shown_as_it_is(visit: Open):
    opened = visit(hostile())
    columns = opened.locator("th[scope=row]").all_text_contents()
    for name in (EVIL, '"><img src=x onerror="window.broken = 2">', "$headline ${style} -->"):
        assert name in columns
    assert f"</td></table>{EVIL}" in (opened.locator("main").text_content() or "")
    assert f"{EVIL} id looks like an identifier" in opened.locator("ul").nth(1).inner_text()
    assert opened.locator("td:not([class])").count() == 0


def test_the_decision_and_its_reasons_stand_first(visit: Open, tmp_path: Path):
    opened = visit(hostile())
    assert opened.get_by_role("heading", level=1).inner_text() == "Retrain the model"
    listed = opened.locator("h2:has-text('Why') + ul li").all_text_contents()
    assert [" ".join(line.split()) for line in listed] == [
        " ".join(reason.split()) for reason in hostile().reasons
    ]
    for decision, words in (("keep", "Keep the model"), ("watch", "watch the data")):
        text = replace(calm(), decision=decision).to_html(tmp_path / "page.html").read_text("utf-8")
        assert re.search(f'<h1 class="{decision}">.*{words}</h1>', text)


def test_only_what_is_significant_is_open(visit: Open):
    opened = visit(hostile())
    table = hostile().columns
    significant = int((table["p_adjusted"] <= 0.05).sum())
    assert 0 < significant < len(table)
    rows = opened.locator("[aria-label^='Significant'] tbody tr")
    assert rows.count() == significant
    verdicts = rows.locator("td:first-of-type").all_text_contents()
    assert verdicts == table["verdict"].tolist()[:significant]
    closed = opened.locator("details tbody tr")
    assert closed.count() == len(table) - significant
    assert not closed.first.is_visible()
    opened.locator("summary").click()
    assert closed.first.is_visible()


def test_the_numbers_are_those_of_the_report(visit: Open):
    opened = visit(calm())
    opened.locator("summary").click()
    heads = opened.locator("thead th").all_text_contents()
    for row, line in zip(opened.locator("tbody tr").all(), calm().columns.itertuples()):  # noqa: B905
        cells = dict(zip(heads, row.locator("th, td").all_text_contents(), strict=True))
        assert cells["Column"] == line.column
        assert cells["Test"] == line.test
        assert cells["What has changed"] == line.note
        assert float(cells["Effect"]) == pytest.approx(line.effect, abs=5e-4)
        assert float(cells["At least"]) == pytest.approx(line.effect_low, abs=5e-4)
        assert float(cells["p"]) == pytest.approx(line.p_value, rel=0.06)
        assert float(cells["Adjusted p"]) == pytest.approx(line.p_adjusted, rel=0.06)


def test_the_picture_is_in_the_file_and_described(tmp_path: Path):
    text = html.unescape(hostile().to_html(tmp_path / "page.html").read_text("utf-8"))
    found = re.search(r'<img src="data:image/png;base64,([^"]*)"', text)
    assert found
    assert Image.open(io.BytesIO(base64.b64decode(found[1]))).size == (1440, 1296)
    alternative = text[found.end() : text.index("</figure>")]
    assert f"AUC {hostile().auc:.2f}" in alternative
    assert f"{EVIL} 0." in alternative
    assert "(retrain)" in alternative


@pytest.mark.thorough
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_nothing_bars_anybody(
    visit: Open, report: Callable[[], DriftReport], width: int, scheme: str
):
    """axe-core finds nothing, the page is no wider than the screen: wide tables scroll inside."""
    opened = visit(
        report(),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        is_mobile=width < 500,
    )
    opened.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    results = Axe().run(opened)
    assert results.violations_count == 0, results.generate_report()
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    back = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", back))) > 384) == (scheme == "light")


def test_on_paper_nothing_is_cut_off_or_folded(visit: Open):
    opened = visit(hostile(), viewport={"width": 794, "height": 1123})
    opened.emulate_media(media="print")
    assert opened.locator("details tbody tr").last.evaluate("row => row.checkVisibility()")
    boxes = "[...document.querySelectorAll('.scroll')].map(b => [b.scrollWidth, b.clientWidth])"
    assert all(content <= box for content, box in opened.evaluate(boxes))
