"""What the site is made of, without building it."""

import re
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.notebooks import NOTEBOOKS, read

PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("CHANGELOG.md", "data/DATA.md", "ios/README.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
    *NOTEBOOKS,
]
# A link in brackets; code in the text and in blocks is no link.
LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]+)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def read_text(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_to_files_that_exist(path):
    targets = LINK.findall(CODE.sub("", read_text(path)))
    made = {"genindex"}  # by Sphinx
    assert [t for t in targets if t not in made and not (path.parent / t).exists()] == []


def test_links_are_found():
    targets = {t for path in PAGES for t in LINK.findall(CODE.sub("", read_text(path)))}
    assert {"../data/DATA.md", "13_saving_models.ipynb", "images/01_one_request.svg"} <= targets


def test_the_library_page_shows_each_room():
    text = (ROOT / "docs" / "library.rst").read_text(encoding="utf-8")
    shown = set(re.findall(r"automodule:: course_utils\.(\w+)$", text, re.MULTILINE))
    rooms = {path.parent.name for path in (ROOT / "course_utils").glob("*/__init__.py")}
    assert shown == (rooms - {"cli"}) | {"environment"}
