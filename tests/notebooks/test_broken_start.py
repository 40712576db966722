"""Notebook 05 with the start of its child broken on purpose: it fails, and says why."""

import os

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.conftest import ROOT
from tests.support.notebooks import NOTEBOOKS, code_cells, read

RESUME = next(path for path in NOTEBOOKS if path.name.startswith("05_"))
START = "command = [sys.executable, program, killed]"
BREAKS = {  # what the child runs instead, and the error
    "raise SystemExit('broken on purpose')": (
        "RuntimeError",
        "The training has ended before its third epoch:\nbroken on purpose\n",
    ),
    "print('waiting')": ("AssertionError", "no checkpoint"),
}


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize(("code", "error"), BREAKS.items())
def test_a_training_that_does_not_start_fails_the_notebook(code, error, tmp_path):
    notebook = read(RESUME)
    (cell,) = [cell for cell in code_cells(notebook) if START in cell.source]
    cell.source = cell.source.replace(START, f'command = [sys.executable, "-c", "{code}"]')
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COURSE_HOME": str(tmp_path / "home")}
    with pytest.raises(CellExecutionError) as caught:
        client.execute(env=environment)
    assert (caught.value.ename, caught.value.evalue) == error
