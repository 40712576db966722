"""What a learner takes home runs without the course: its cells alone, in a kernel of their own."""

import os

import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT
from tests.support.notebooks import NOTEBOOKS, code_cells, is_file, read, tags

BLOCKED = ROOT / "tests" / "support" / "standins" / "no_course"
TAKE_HOME = {
    path: cells
    for path in NOTEBOOKS
    if (cells := [cell for cell in code_cells(read(path)) if "take-home" in tags(cell)])
}


@pytest.mark.slow
@pytest.mark.thorough  # the notebook's own run executes the same cells, with the course in reach
@pytest.mark.parametrize("path", TAKE_HOME, ids=lambda path: path.stem)
def test_it_runs_where_the_course_is_not_installed(path, tmp_path):
    notebook = read(path)
    notebook.cells = TAKE_HOME[path]
    assert is_file(notebook.cells[0])
    for cell in notebook.cells:
        cell.outputs = []
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | {"PYTHONPATH": str(BLOCKED), "COURSE_HOME": "nowhere"})
    asked = [cell for cell in notebook.cells if not is_file(cell)]
    assert any(output.get("text") for cell in asked for output in cell.outputs)
