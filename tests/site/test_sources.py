"""What the site is made of, without building it."""

import ast
import dis
import re
from pathlib import Path
from types import CodeType

import pytest

from tests.support import ROOT
from tests.support.notebooks import NOTEBOOKS, code_cells, each_notebook, is_file, read, tags

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


LABELS = (
    *("Goal.", "Project.", "Stop and ask.", "Discuss.", "May be skipped."),
    *("Wrong answers, and what they reveal.", "What may fail in the room."),
)
TEACHING = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## \[[^]]+\]\(\.\./notebooks/(\w+)\.ipynb\)\n(.*?)(?=^## |\Z)", re.M | re.S)


@each_notebook
def test_the_teaching_page_has_a_section_for_each_notebook(path):
    section = dict(SECTION.findall(TEACHING))[path.stem]
    assert tuple(re.findall(r"^\*\*(.+?)\*\*", section, re.MULTILINE)) == LABELS
    # What may be skipped is tagged; the site says so at these cells.
    is_said = "**May be skipped.** Nothing" not in section
    assert any("optional" in tags(cell) for cell in read(path).cells) == is_said


@each_notebook
def test_no_other_cell_needs_one_that_may_be_skipped(path):
    skipped, kept, needed = set(), set(), set()
    for cell in code_cells(read(path)):
        if is_file(cell):
            continue
        bound, used = find_names(cell.source)
        if "optional" in tags(cell):
            skipped |= bound - kept
        else:
            needed |= used & skipped - bound
            kept |= bound
            skipped -= bound
    assert needed == set()


def find_names(source: str) -> tuple[set[str], set[str]]:
    """The global names that a cell binds, and those that it uses, also in its functions."""
    code = re.sub(r"^[!%].*", "", source, flags=re.MULTILINE)
    cell = compile(code, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    bound = {step.argval for step in dis.get_instructions(cell) if step.opname == "STORE_NAME"}
    blocks, used = [cell], set()
    while blocks:
        block = blocks.pop()
        blocks += [constant for constant in block.co_consts if isinstance(constant, CodeType)]
        steps = dis.get_instructions(block)
        used |= {step.argval for step in steps if step.opname in {"LOAD_NAME", "LOAD_GLOBAL"}}
    return bound, used


def test_the_minutes_of_each_plan_add_up():
    minutes = dict.fromkeys(["pause"], 15) | {"projects": 90}
    for path in NOTEBOOKS:
        minutes[path.stem[:2]] = int(re.search(r"(\d+) minutes in class", read_text(path))[1])
    plans = TEACHING.partition("## Three plans")[2].partition("\n## ")[0]
    totals = []
    for table in re.findall(r"(?:^\|.*\n)+", plans, re.MULTILINE):
        rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
        for _, parts, shown, *_ in rows[:-1]:
            assert int(shown) == sum(minutes[part] for part in parts.split(", ")), parts
        totals.append(sum(int(row[2]) for row in rows[:-1]))
        assert int(re.match(r"\d+", rows[-1][2])[0]) == totals[-1]
    assert len(totals) == 3
