"""How Sphinx makes the site: ``make site``.

The whole checkout is the source, so links between notebooks, pages and files are the same here and
in the repository. The notebooks come in with their stored outputs; none is run.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from course_utils import __version__  # noqa: E402
from tools.links import project  # noqa: E402

REPOSITORY = project()[0]
IS_PUBLISHED = "/OWNER/" not in REPOSITORY
# A link to the repository or to Colab, which leads nowhere before the course is published.
PLACEHOLDER = re.compile(r"\[([^\]]*)\]\(https://[^)]*/OWNER/[^)]*\)")
FRAME = re.compile(r'<div><iframe src="http://127\.0\.0\.1:\d+/.*</div>', re.DOTALL)
WRITTEN = re.compile(r"%%writefile \S+\.(\w+)\n")
LANGUAGES = {"html": "html", "js": "javascript", "py": "ipython3"}
FRAME_TEXT = (
    "<p><em>Here the notebook shows the page of a service that runs on your own computer. "
    "Run the notebook to see it.</em></p>"
)

project = "Networks at Work"  # type: ignore[assignment]
author = "The Networks at Work authors"
copyright = f"{author}. Code: Apache-2.0. Prose and pictures: CC BY 4.0"
version = release = __version__
language = "en"

root_doc = "docs/index"
include_patterns = [
    *("docs/*.md", "docs/*.rst", "notebooks/*.ipynb"),
    *("CHANGELOG.md", "data/DATA.md", "ios/README.md", "deploy/**.md"),
]
exclude_patterns = [
    *(".*", "site", "dist", "benchmarks", "course_utils", "tests", "tools", "test-artifacts"),
    "notebooks/.ipynb_checkpoints",
]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "openapi",
]

nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "image/png", 1)]
myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
napoleon_use_rtype = False
copybutton_selector = "div.highlight pre"
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "sphinx_book_theme"
html_title = "Networks at Work"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["extra"]
html_theme_options: dict[str, Any] = {
    "repository_url": REPOSITORY if IS_PUBLISHED else "",
    "use_repository_button": IS_PUBLISHED,
    "use_issues_button": IS_PUBLISHED,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
}
html_context = {"default_mode": "auto"}


def drop_placeholders(text: str) -> str:
    """The text without links that lead nowhere before the course is published."""
    return PLACEHOLDER.sub(lambda link: "" if "Colab" in link[1] else link[1], text)


def prepare_cell(cell: dict[str, Any]) -> None:
    """Change a cell of a notebook into what the site shows of it."""
    cell["source"] = drop_placeholders("".join(cell["source"]))
    tags = cell["metadata"].setdefault("tags", [])
    if "set-up" in tags:
        tags.append("hide-input")
    for output in cell.get("outputs", []):
        alt = output.get("metadata", {}).get("image/png", {}).get("alt")
        if alt:
            cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
        data = output.get("data", {})
        if "text/html" in data:
            data["text/html"] = FRAME.sub(FRAME_TEXT, "".join(data["text/html"]))


def prepare_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Change the text of a page before Sphinx reads it."""
    if not name.startswith("notebooks/"):
        source[0] = drop_placeholders(source[0])
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        prepare_cell(cell)
    notebook["metadata"]["language_info"]["pygments_lexer"] = "ipython3"
    source[0] = json.dumps(notebook)


def color_written_files(app: Sphinx, page: nodes.document) -> None:
    """Let a cell that writes a file have the colours of the file's language."""
    for block in page.findall(nodes.literal_block):
        if written := WRITTEN.match(block.astext()):
            block["language"] = LANGUAGES[written[1]]


def setup(app: Sphinx) -> None:
    """Entry point of Sphinx."""
    app.connect("source-read", prepare_page)
    app.connect("doctree-read", color_written_files)
