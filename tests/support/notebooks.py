"""What the checks of the notebooks share: reading them as nbval does, and running nbval."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SANITIZE = Path(__file__).with_name("sanitize.cfg")
CELL_TIMEOUT_S = 900  # the longest takes 40 seconds; a busy machine is no fault
NOTEBOOK_TIMEOUT_S = 1800
PATTERNS = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def is_file(cell: NotebookNode) -> bool:
    """Whether the cell writes a file; it may be as long as the file."""
    return cell.source.startswith("%%writefile")


def is_compared(cell: NotebookNode) -> bool:
    """Whether nbval holds the cell's stored output against a new one, by its tags."""
    return bool(cell.outputs) and not {"nbval-ignore-output", "nbval-skip"} & {*tags(cell)}


def sanitize(text: str) -> str:
    for pattern, replacement in PATTERNS:
        text = re.sub(pattern, replacement, text)
    return text


def clean_environment(home: Path, python: Path) -> dict[str, str]:
    """The environment of a learner: nothing of ours on any path, an empty home for files."""
    names = ("COV", "PYTEST", "PYTHON", "JUPYTER", "IPYTHON", "COURSE", "VIRTUAL_ENV")
    outer = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    home.mkdir(exist_ok=True)
    # Last, the environment that the tests run in: it has the programs that notebooks call.
    programs = [str(python.parent), str(Path(sys.executable).parent), outer["PATH"]]
    return outer | {"COURSE_HOME": str(home), "PATH": os.pathsep.join(programs)}


def validate(notebook: Path, python: Path, before: Sequence[str] = ()) -> dict[int, str]:
    """Run a notebook under nbval, strictly, where it lies.

    Args:
        notebook: the file; its folder is the working folder.
        python: the interpreter that nbval runs in.
        before: a command to run it under, for example to cut the network.

    Returns:
        for each code cell ``""`` if it passed, else the report.
    """
    report = notebook.with_suffix(".xml")
    command = [*before, str(python), "-m", "pytest", "--nbval", "--nbval-current-env"]
    command += ["--nbval-sanitize-with", str(SANITIZE), "--nbval-cell-timeout", str(CELL_TIMEOUT_S)]
    command += ["--junitxml", str(report), "-p", "no:cacheprovider", "-q", "--color=no"]
    done = subprocess.run(
        [*command, notebook.name],
        cwd=notebook.parent,
        env=clean_environment(notebook.parent / "home", python),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=NOTEBOOK_TIMEOUT_S,
        check=False,
    )
    if not report.exists():
        raise AssertionError(done.stdout + done.stderr)
    if "NETWORK IS NOT CUT" in done.stderr:
        print(done.stderr, file=sys.stderr)
    cells = ElementTree.parse(report).iter("testcase")
    return {
        int(cell.attrib["name"].removeprefix("Cell ")): "\n".join(
            f"{part.attrib.get('message', '')}\n{part.text or ''}"
            for part in cell
            if part.tag in {"failure", "error", "skipped"}
        )
        for cell in cells
    }


def run_python(python: Path, code: str, **more: str) -> str:
    """What a line of Python prints in another environment."""
    environment = clean_environment(python.parents[1] / "home", python) | more
    return subprocess.check_output(
        [python, "-c", code], text=True, env=environment, cwd=python.parents[1]
    ).strip()
