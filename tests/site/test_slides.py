"""The slides: what the tags of a notebook show, and each deck in a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Browser, Page
from slide_cells import SlideError, count_words, reduce_notebook

from tests.setup.test_install import posix
from tests.site.test_site import find_faults
from tests.support import ROOT
from tests.support.in_page import static_host, visiting
from tests.support.notebooks import NOTEBOOKS, each_notebook, read

OFFLINE = [sys.executable, str(ROOT / "tests" / "support" / "offline.py")]
TEN_WORDS = "One two three four five six seven eight nine ten."
# What does not fit in its box, and letters that the last row of a classroom cannot read.
FIND_FAULTS = """
() => {
    const slide = Reveal.getCurrentSlide();
    const boxes = [slide, ...slide.querySelectorAll("pre, table, img")];
    const outside = (box) => {
        const {left, top, right, bottom} = box.getBoundingClientRect();
        const isCut = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
        return isCut || left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
    };
    const faults = boxes.filter(outside).map(box => `${box.tagName} is cut off`);
    const shown = [...slide.querySelectorAll(":scope > div :is(p, li, pre, td, img, iframe)")];
    if (!shown.length) faults.push("empty");
    for (const box of shown)
        if (parseFloat(getComputedStyle(box).fontSize) < 13) faults.push("small letters");
    for (const image of slide.querySelectorAll("img"))
        if (!image.alt || Math.max(image.clientWidth / 3, image.clientHeight) < 240)
            faults.push("a small picture or no alt");
    return faults;
}
"""
READ_SLIDE = """
() => {
    const slide = Reveal.getCurrentSlide();
    const read = (selector) => [...slide.querySelectorAll(selector)].map(box => box.innerText);
    const code = read(":scope > .jp-CodeCell .jp-InputArea pre").join("").trimEnd();
    return {
        lines: code.split("\\n").length,
        prose: read(":scope > .jp-MarkdownCell :is(p, li, td, th)").join(" "),
    };
}
"""


def make_text(text: str, *tags: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text, metadata={"tags": [*tags]})


def make_code(lines: int, *tags: str, printed: str = "") -> NotebookNode:
    outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
    code = "\n".join(f"x = {number}" for number in range(lines))
    return nbformat.v4.new_code_cell(code, outputs=outputs, metadata={"tags": [*tags]})


def reduce(*cells: NotebookNode) -> Any:
    return reduce_notebook(nbformat.v4.new_notebook(cells=[*cells]))


def test_a_text_shows_the_whole_sentences_that_fit_and_the_rest_is_for_the_speaker():
    sentences = [f"{number}. {TEN_WORDS}" for number in "ABCDE"]
    (slide,) = reduce(make_text(f"## Title\n\n{' '.join(sentences[:2])}\n\n" + TEN_WORDS, "slide"))
    assert (slide.title, slide.notes) == ("Title", [])
    assert count_words(slide.text) == 32
    (slide,) = reduce(
        make_text(f"## Title\n\n{TEN_WORDS} {TEN_WORDS}\n\n{' '.join([TEN_WORDS] * 3)}", "slide")
    )
    assert count_words(slide.text) == 40
    assert slide.notes == [TEN_WORDS]


def test_a_list_shows_the_items_that_fit_and_that_there_are_more():
    items = [f"- {TEN_WORDS}"] * 5
    (slide,) = reduce(make_text("\n".join(["# Title", "", *items]), "slide"))
    assert slide.text.splitlines() == [*items[:4], "- …"]
    assert slide.notes == [items[0]]
    (slide,) = reduce(make_text(f"# Title\n\nTwo.\n\n- {TEN_WORDS}\n- {'word ' * 30}", "slide"))
    assert slide.text == "Two."


def test_of_several_sections_the_one_with_the_picture_is_shown():
    picture = "![A client asks a service.](images/01_one_request.svg)"
    text = f"Before.\n\n## First\n\nOf it.\n\n## Picture\n\n{picture}\n\n## Last\n\nAfter."
    shown, code = reduce(make_text(text, "slide"), make_code(1, "slide"))
    assert (shown.title, shown.text, shown.notes) == (
        "Picture",
        picture,
        ["Before.", "**First**", "Of it."],
    )
    assert (code.title, code.notes) == ("Last", ["**Last**", "After."])


def test_links_are_plain_text_on_a_slide():
    (slide,) = reduce(make_text("# Title\n\nSee [Drift](07_drift.ipynb), `f(x)[0]`.", "slide"))
    assert slide.text == "See Drift, `f(x)[0]`."


def test_prose_between_slides_becomes_notes_of_the_next_and_at_the_end_of_the_last():
    first, second = reduce(
        *(make_text("[Open in Colab](x)", "badge"), make_text("# Title\n\nFirst.", "slide")),
        *(make_text("Why.\n\n```\nshell\n```"), make_code(20), make_text("### Below\n\nThen.")),
        *(make_code(12, "slide"), make_text("Shown.\n\n## Next\n\nMore.")),
    )
    assert (first.title, first.notes) == ("Title", [])
    assert second.title == "Below"
    assert second.notes == ["Why.", "**Below**", "Then.", "Shown.", "**Next**", "More."]


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (make_code(13, "slide"), r"^cell 1 \(x = 0\): it shows 13 lines of code; at most 12"),
        (make_code(3, "slide-result"), "no output"),
        (make_text("# A\n\n" + "word " * 41, "slide"), "more than 40 words"),
        (make_text("# A", "slide"), "a heading alone"),
        (make_text("# A\n\n| a |\n|---|\n" + "| b c d |\n" * 14, "slide"), "more than 40 words"),
        (make_text("# A\n\n```\n" + "x\n" * 13 + "```", "slide"), "13 lines"),
    ],
)
def test_what_cannot_be_shown_is_an_error_that_names_the_cell(cell, fault):
    with pytest.raises(SlideError, match=fault):
        reduce(cell)


def test_results_of_long_code_are_shown_alone():
    (slide,) = reduce(make_code(20, "slide-result", printed="A table"))
    assert slide.cell.outputs[0].text == "A table"


@each_notebook
def test_a_notebook_has_from_five_to_fourteen_slides(path):
    slides = reduce_notebook(read(path))
    assert 5 <= len(slides) <= 14
    assert all(slide.title for slide in slides)
    assert any(slide.notes for slide in slides)


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """The slides as ``make slides`` writes them, with the network cut."""
    out = tmp_path_factory.mktemp("site") / "slides"
    command = [*OFFLINE, sys.executable, "docs/slides.py", str(out)]
    subprocess.run(command, cwd=ROOT, check=True)
    with static_host(out) as url:
        yield url


def turn_slides(page: Page) -> Iterator[str]:
    """Each slide of a deck, as a person at the keyboard gets to it."""
    page.wait_for_function("Reveal.isReady()")
    for number in range(1, page.evaluate("Reveal.getTotalSlides()") + 1):
        assert page.locator(".slide-number").inner_text().split()[0] == str(number)
        yield f"slide {number}"
        page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.isLastSlide()")


@posix
@pytest.mark.thorough
def test_every_slide_fits_and_asks_no_other_host(address: str, browser: Browser):
    faults = []
    with visiting(browser, viewport={"width": 1280, "height": 720}) as visitor:
        for name in [path.stem for path in NOTEBOOKS]:
            visitor.page.goto(f"{address}/{name}.html")
            for slide in turn_slides(visitor.page):
                faults += [(name, slide, fault) for fault in visitor.page.evaluate(FIND_FAULTS)]
                shown = visitor.page.evaluate(READ_SLIDE)
                if shown["lines"] > 12 or count_words(shown["prose"]) > 40:
                    faults.append((name, slide, shown))
    assert faults == []


@posix
@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_slides_are_for_everybody(address: str, browser: Browser, scheme: str):
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    # The title, code with what it prints, a diagram with a text.
    names = ["", "01_flask_hello_world.html", *(f"01_flask_hello_world.html#/{n}" for n in (1, 3))]
    faults = [fault for name in names for fault in find_faults(context, f"{address}/", name)]
    context.close()
    assert faults == []


@posix
@pytest.mark.thorough
def test_the_list_leads_to_each_deck_and_s_opens_the_notes(address: str, browser: Browser):
    with visiting(browser) as visitor:
        page = visitor.page
        page.goto(address)
        assert page.get_by_role("listitem").count() == len(NOTEBOOKS)
        page.get_by_role("link", name="Drift").click()
        page.wait_for_function("Reveal.isReady()")
        page.keyboard.press("ArrowRight")
        notes = page.locator("section.present section.present aside").text_content().strip()
        assert notes
        with page.expect_popup() as opened:
            page.keyboard.press("s")
        shown = opened.value.locator(".speaker-controls-notes .value")
        shown.filter(has_text=notes.split("\n")[0]).wait_for()
