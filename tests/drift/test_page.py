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
from PIL import Image
from playwright.sync_api import Browser, Page

from course_utils.drift import DriftReport, compare
from tests.support.drift_tables import continuous, unchanged
from tests.support.web_app import check_looks

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
    columns = opened.locator("tbody th").all_text_contents()
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
    places = "box => [...document.querySelectorAll('img, ul, table')].map(it => it.tagName)"
    assert opened.locator("main").evaluate(places)[:2] == ["IMG", "UL"]  # and the picture before
    for decision, words in (("keep", "Keep the model"), ("watch", "watch the data")):
        text = replace(calm(), decision=decision).to_html(tmp_path / "page.html").read_text("utf-8")
        assert re.search(f'<h1 class="{decision}">.*{words}</h1>', text)


def test_model_rows_and_period_are_named(tmp_path: Path):
    def read_facts(**named: str) -> list[str]:
        text = hostile().to_html(tmp_path / "page.html", **named).read_text("utf-8")
        return re.findall("<dd>(.*?)</dd>", text[: text.index("</header>")])

    rows = ["600 reference rows", "500 current rows"]
    assert read_facts() == rows
    assert read_facts(model="mpg", period="1 to 3 May") == ["mpg", *rows, "1 to 3 May"]


def test_only_columns_with_something_significant_are_open(visit: Open):
    opened = visit(hostile())
    table = hostile().columns
    names = list(dict.fromkeys(table["column"]))  # the gravest first
    shown = opened.locator("#tests tbody:visible")
    assert 0 < shown.count() == len(hostile().significant) < len(names)
    opened.get_by_label("Show the").check()
    groups = shown.all()
    assert [group.get_attribute("data-column") for group in groups] == names
    for group, name in zip(groups, names, strict=True):
        verdicts = group.locator("td:nth-of-type(2)").all_text_contents()
        assert verdicts == table.loc[table["column"] == name, "verdict"].tolist()


def test_a_head_sorts_the_columns_with_all_their_tests(visit: Open):
    opened = visit(calm())
    table, rows = calm().columns, opened.locator("#tests tbody")
    before = sorted(text.strip() for text in rows.all_inner_texts())

    def sort_by(name: str) -> list[str | None]:
        opened.get_by_role("button", name=name, exact=True).click()
        return [group.get_attribute("data-column") for group in rows.all()]

    effects = table.groupby("column")["effect"].max().sort_values(ascending=False)
    assert sort_by("Effect") == effects.index.tolist()
    head = opened.locator("th:has-text('Effect')")
    assert head.get_attribute("aria-sort") == "descending"
    assert sort_by("Effect") == effects.index.tolist()[::-1]
    assert sort_by("Column") == sorted(set(table["column"]))
    assert head.get_attribute("aria-sort") is None
    assert sorted(text.strip() for text in rows.all_inner_texts()) == before


def test_a_name_is_not_broken_in_mid_word(visit: Open):
    def draw(seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        names = ["price_per_square_metre", "Merchandise_Mart", "wind"]
        return pd.DataFrame({name: random.normal(seed, 1, 100) for name in names})

    opened = visit(compare(draw(0), draw(1)), viewport={"width": 360, "height": 800})
    heights = "box => box.getClientRects()[0].height / parseFloat(getComputedStyle(box).fontSize)"
    names = opened.locator("tbody th bdi").all()
    assert len(names) > 3
    assert all(name.evaluate(heights) < 2.5 for name in names)  # one line


def test_the_numbers_are_those_of_the_report(visit: Open):
    opened = visit(calm())
    heads = opened.locator("#tests thead th").all_text_contents()[1:]
    table = calm().columns
    names = list(dict.fromkeys(table["column"]))
    lines = [line for name in names for line in table[table["column"] == name].itertuples()]
    for row, line in zip(opened.locator("#tests tbody tr").all(), lines, strict=True):
        cells = dict(zip(heads, row.locator("td").all_text_contents(), strict=True))
        assert cells["Test"] == line.test
        assert cells["What has changed"] == line.note
        assert float(cells["Effect"]) == pytest.approx(line.effect, abs=5e-4)
        assert float(cells["At least"]) == pytest.approx(line.effect_low, abs=5e-4)
        assert float(cells["p"]) == pytest.approx(line.p_value, rel=0.06)
        assert float(cells["Adjusted p"]) == pytest.approx(line.p_adjusted, rel=0.06)


def test_the_picture_is_in_the_file_and_described(tmp_path: Path):
    text = html.unescape(hostile().to_html(tmp_path / "page.html").read_text("utf-8"))
    backs = {}
    for scheme, start in (("light", "<img src"), ("dark", "dark)" + '" srcset')):
        found = re.search(re.escape(start) + r'="data:image/png;base64,([^"]*)"', text)
        assert found
        with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
            assert picture.size == (1440, 1296)
            backs[scheme] = picture.convert("L").getpixel((0, 0))
    assert backs["light"] > 200
    assert backs["dark"] < 50
    alternative = text[found.end() : text.index("</figure>")]
    assert f"AUC {hostile().auc:.2f}" in alternative
    assert f"{EVIL} 0." in alternative
    assert "(retrain)" in alternative


@pytest.mark.thorough
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_bars_anybody(
    visit: Open, report: Callable[[], DriftReport], width: int, scheme: str, artifacts: Path
):
    """axe-core finds nothing, the page is no wider than the screen: wide tables scroll inside."""
    opened = visit(
        report(),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        is_mobile=width < 500,
    )
    for box in opened.get_by_role("checkbox").all():
        box.check()
    check_looks(opened, artifacts / f"drift_{report().decision}_{scheme}_{width}.png")
    back = opened.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", back))) > 384) == (scheme == "light")


def test_on_paper_nothing_is_cut_off_or_folded(visit: Open):
    opened = visit(hostile(), viewport={"width": 794, "height": 1123})
    opened.emulate_media(media="print")
    assert opened.locator("#tests tbody.calm").last.evaluate("row => row.checkVisibility()")
    boxes = "[...document.querySelectorAll('.scroll')].map(b => [b.scrollWidth, b.clientWidth])"
    assert all(content <= box for content, box in opened.evaluate(boxes))
