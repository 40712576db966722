"""What the site changes in a notebook, and the index of the terms that the notebooks define."""

import json
import re
from typing import Any

from docutils import nodes
from live_pages import TITLES
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

FRAME = re.compile(
    r'<div><iframe src="http://127\.0\.0\.1:\d+/(?P<path>[^"]*)" title="(?P<title>\w+)" '
    r'width="100%" height="(?P<height>\d+)".*</div>',
    re.DOTALL,
)
FRAME_TEXT = (
    "<p><em>Here the notebook shows the page of a service that runs on your own computer. "
    "Run the notebook to see it.</em></p>"
)
# Which page of `live_pages` stands in place of a frame, by notebook, name of the app, and path.
# One app serves all pages of notebook 12.
LIVE = {
    ("06_web_app", "image", ""): "image/index.html",
    ("09_digit_service", "digit", ""): "digit/index.html",
    ("12_in_the_browser", "by_hand", "index.html"): "by_hand/index.html",
    ("12_in_the_browser", "by_hand", "index.html?open.tflite"): "by_hand/index.html?open.tflite",
    ("12_in_the_browser", "by_hand", "photo.html"): "by_hand/photo.html",
    ("12_in_the_browser", "by_hand", "photo/index.html"): "image/index.html",
    ("12_in_the_browser", "by_hand", "digit/index.html"): "digit/index.html",
    ("12_in_the_browser", "by_hand", "mpg/index.html"): "mpg/index.html",
}
LIVE_FRAME = (
    '<iframe class="live" src="../live/{page}" title="{title}" style="height: {height}px" '
    'loading="lazy"></iframe>'
    "<p><em>When you run the notebook, your own computer serves the page here. On the site, the "
    "same network computes in your browser.</em></p>"
)
OPTIONAL_TEXT = '<p class="optional">May be skipped</p>'
WRITTEN = re.compile(r"%%writefile \S+\.(\w+)\n")
LANGUAGES = {"html": "html", "js": "javascript", "py": "ipython3"}
HEADING = re.compile(r"\A#+ .*\n+")
NUMBER = re.compile(r"^\d+\. ")
NO_TERMS = {"You will learn", "Time", "Needs"}
MAX_WORDS_OF_A_TERM = 3


def drop_placeholders(app: Sphinx, page: nodes.document) -> None:
    """Take links out that lead nowhere before the course is published; of those to Colab, all."""
    for link in [*page.findall(nodes.reference)]:
        if "/OWNER/" in link.get("refuri", ""):
            link.replace_self([] if "Colab" in link.astext() else link.children)


def replace_frame(notebook: str, frame: re.Match[str]) -> str:
    """What the site shows in place of a page that the notebook shows in a frame."""
    page = LIVE.get((notebook, frame["title"], frame["path"]))
    if not page:
        return FRAME_TEXT
    return LIVE_FRAME.format(page=page, title=TITLES[page], height=frame["height"])


def prepare_cell(cell: dict[str, Any], notebook: str) -> None:
    """Change a cell of the notebook of this name into what the site shows of it."""
    tags = cell["metadata"].setdefault("tags", [])
    if "set-up" in tags:
        tags.append("hide-input")
    for output in cell.get("outputs", []):
        # `show_figure` stores the text alternative there; MyST-NB looks for it in the cell.
        if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
            cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
        data = output.get("data", {})
        if "text/html" in data:
            html = "".join(data["text/html"])
            data["text/html"] = FRAME.sub(lambda frame: replace_frame(notebook, frame), html)


def mark_optional(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say at the cells that may be skipped that they may.

    The line stands below the heading of a text, or above it where there is none. Code has one of
    its own only where the cell before it has none.
    """
    marked: list[dict[str, Any]] = []
    was_optional = False
    for cell in cells:
        is_optional = "optional" in cell["metadata"].get("tags", [])
        if is_optional and cell["cell_type"] == "markdown":
            source = "".join(cell["source"])
            heading = HEADING.match(source)
            start = heading.end() if heading else 0
            cell["source"] = f"{source[:start]}{OPTIONAL_TEXT}\n\n{source[start:]}"
        elif is_optional and not was_optional:
            line = {"cell_type": "markdown", "metadata": {}, "source": OPTIONAL_TEXT}
            marked.append(line | {"id": f"{cell['id']}-optional"})
        marked.append(cell)
        was_optional = is_optional
    return marked


def prepare_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Change the text of a page before Sphinx reads it."""
    if not name.startswith("notebooks/"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        prepare_cell(cell, name.rpartition("/")[2])
    notebook["cells"] = mark_optional(notebook["cells"])
    notebook["metadata"]["language_info"]["pygments_lexer"] = "ipython3"
    source[0] = json.dumps(notebook)


def color_written_files(app: Sphinx, page: nodes.document) -> None:
    """Let a cell that writes a file have the colours of the file's language."""
    for block in page.findall(nodes.literal_block):
        if written := WRITTEN.match(block.astext()):
            block["language"] = LANGUAGES[written[1]]


class TermIndex(SphinxTransform):
    """Adds the terms of a notebook to the index, by which the search finds them first.

    A notebook writes a term in bold letters where it defines it.
    """

    default_priority = 800  # before Sphinx collects the index

    def apply(self, **options: Any) -> None:
        if not self.env.docname.startswith("notebooks/"):
            return
        for number, strong in enumerate([*self.document.findall(nodes.strong)]):
            term = NUMBER.sub("", strong.astext())
            if term in NO_TERMS or term[-1] in ".:?" or len(term.split()) > MAX_WORDS_OF_A_TERM:
                continue
            name = f"term-{number}"
            strong["ids"].append(name)
            index = addnodes.index(entries=[("single", term, name, "main", None)])
            strong.parent.insert(0, index)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.connect("source-read", prepare_page)
    app.connect("doctree-read", color_written_files)
    app.connect("doctree-read", drop_placeholders)
    app.add_transform(TermIndex)
    return {"parallel_read_safe": True, "version": "1"}
