"""From a notebook to its slides, by the tags of its cells: ``slide`` and ``slide-result``."""

import dataclasses
import re
from collections.abc import Iterable

from markdown_it import MarkdownIt
from nbformat import NotebookNode

MAX_CODE_LINES = 12
MAX_PROSE_WORDS = 40
PROSE = {"paragraph", "bullet_list", "ordered_list", "table", "blockquote"}
PARSER = MarkdownIt("commonmark").enable("table")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\([^)]*\)")
PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9`*(\"])")


Section = tuple[str, list[tuple[str, str]]]


class SlideError(Exception):
    """A tag makes a slide that cannot be shown; the message says what to do."""


@dataclasses.dataclass
class Slide:
    """A slide: its title, Markdown below it, or a code cell; and the notes of the speaker."""

    title: str
    text: str = ""
    cell: NotebookNode | None = None
    notes: list[str] = dataclasses.field(default_factory=list)


def split_blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the text of each block of Markdown; a picture is a kind of its own."""
    lines = text.splitlines()
    blocks = []
    for token in PARSER.parse(text):
        if token.level == 0 and token.nesting >= 0 and token.map:
            block = "\n".join(lines[slice(*token.map)]).strip()
            kind = "picture" if PICTURE.fullmatch(block) else token.type.removesuffix("_open")
            blocks.append((kind, block))
    return blocks


def split_sections(text: str) -> list[Section]:
    """The heading and the blocks of each section; before the first heading, it is empty."""
    sections: list[Section] = [("", [])]
    for kind, block in split_blocks(LINK.sub(r"\1", text)):
        if kind == "heading":
            sections.append((block.lstrip("#").strip(), []))
        else:
            sections[-1][1].append((kind, block))
    return [section for section in sections if any(section)]


def count_words(text: str) -> int:
    """Words of Markdown; signs that stand alone are none."""
    return sum(any(char.isalnum() for char in word) for word in PICTURE.sub("", text).split())


def split_parts(kind: str, block: str) -> list[str]:
    """The parts of a block of which a slide can show the first: sentences, or items of a list."""
    if kind == "paragraph":
        return SENTENCE_END.split(block)
    if kind in {"bullet_list", "ordered_list"}:
        lines = block.splitlines()
        items = [t for t in PARSER.parse(block) if t.type == "list_item_open" and t.level == 1]
        return ["\n".join(lines[slice(*(item.map or ()))]).strip() for item in items]
    return [block]


def shorten(blocks: Iterable[tuple[str, str]]) -> tuple[str, list[str]]:
    """What fits on a slide, and what is left for the notes.

    Pictures always fit. Prose ends with the last whole sentence, or item of a list, that fits.
    Of a list at least two items are shown.
    """
    shown, left, words, is_full = [], [], 0, False
    for kind, block in blocks:
        if kind not in PROSE:
            shown.append(block)
            continue
        taken: list[str] = []
        parts = split_parts(kind, block)
        for part in parts:
            words += count_words(part)
            is_full = is_full or words > MAX_PROSE_WORDS
            if not is_full:
                taken.append(part)
        if "list" in kind and len(taken) == 1 < len(parts):
            taken = []  # one item of several says too little
        between = "\n" if "list" in kind else " "
        if taken and len(taken) < len(parts) and "list" in kind:
            shown.append(between.join([*taken, "- …"]))
        elif taken:
            shown.append(between.join(taken))
        if rest := parts[len(taken) :]:
            left.append(between.join(rest))
    return "\n\n".join(shown), left


def read_prose(sections: Iterable[Section]) -> list[str]:
    """Of sections, what the notes of a speaker hold."""
    notes = []
    for heading, blocks in sections:
        prose = [block for kind, block in blocks if kind in PROSE]
        notes += [f"**{heading}**", *prose] if heading and prose else prose
    return notes


def show_text(cell: NotebookNode, title: str) -> tuple[Slide, list[str]]:
    """The slide of a text, and the prose that follows it in the cell.

    Of several sections it is the first with a picture, else the first with a heading.
    """
    sections = split_sections(cell.source)
    headed = [number for number, (heading, _) in enumerate(sections) if heading]
    pictured = [number for number, (_, blocks) in enumerate(sections) if "picture" in dict(blocks)]
    number = [*pictured, *headed, 0][0]
    title = next((heading for heading, _ in sections[number::-1] if heading), title)
    text, left = shorten(sections[number][1])
    if not text:
        raise SlideError(
            f"its first sentence or table has more than {MAX_PROSE_WORDS} words"
            if left
            else "it has a heading alone"
        )
    for kind, block in split_blocks(text):
        if kind == "fence" and (lines := len(block.splitlines()) - 2) > MAX_CODE_LINES:
            raise SlideError(f"it shows {lines} lines; at most {MAX_CODE_LINES} are allowed")
    slide = Slide(title, text, notes=[*read_prose(sections[:number]), *left])
    return slide, read_prose(sections[number + 1 :])


def show_code(cell: NotebookNode, title: str) -> Slide:
    """The slide of a code cell: with its code, or its outputs alone."""
    if "slide-result" in cell.metadata.tags:
        if not cell.outputs:
            raise SlideError("it has no output; tag it slide, which shows its code")
    elif (lines := len(cell.source.splitlines())) > MAX_CODE_LINES:
        raise SlideError(
            f"it shows {lines} lines of code; at most {MAX_CODE_LINES} are allowed. "
            "Tag it slide-result, which shows its outputs alone"
        )
    return Slide(title, cell=cell)


def reduce_notebook(notebook: NotebookNode) -> list[Slide]:
    """The slides of a notebook, by the tags of its cells.

    Raises:
        SlideError: which cells cannot be shown, and why.
    """
    slides: list[Slide] = []
    faults: list[str] = []
    title, notes = "", []
    for number, cell in enumerate(notebook.cells, 1):
        tags = cell.metadata.get("tags", [])
        after: list[str] = []
        if is_text := cell.cell_type == "markdown":
            sections = split_sections(cell.source)
        if {"slide", "slide-result"} & {*tags}:
            try:
                if is_text:
                    slide, after = show_text(cell, title)
                else:
                    slide = show_code(cell, title)
                slide.notes = notes + slide.notes
                slides.append(slide)
                notes = after
            except SlideError as error:
                faults.append(f"cell {number} ({cell.source.partition(chr(10))[0]}): {error}")
        elif is_text and "badge" not in tags:
            notes += read_prose(sections)
        if is_text:
            title = next((heading for heading, _ in reversed(sections) if heading), title)
    if faults:
        raise SlideError("\n".join(faults))
    if not slides:
        raise SlideError("no cell is tagged slide or slide-result")
    slides[-1].notes += notes
    return slides
