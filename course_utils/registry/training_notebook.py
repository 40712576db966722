"""Train by running the notebook that teaches it, on other rows (through papermill).

So the training stands in one place only. The notebook's own checks, in the cells that are tagged
``check-yourself``, are the gate: a network that does not pass them is not fit to serve.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from course_utils.common.notebooks import execute
from course_utils.environment import PACKAGE_FOLDER
from course_utils.inference import schema_path

if TYPE_CHECKING:
    from nbclient.exceptions import CellExecutionError

NOTEBOOKS = {"mpg": "02_mpg_service.ipynb"}
FOLDS = 3  # parts to measure on; the notebook's own five take longer
CHECK_TAG = "check-yourself"  # of the cells that check the network
TEACHING_TAGS = {"by-hand", "take-home"}  # of the cells that a training does not need
COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal
FAILED_LINE = re.compile(r"^-+> *\d+ (.+)$", re.MULTILINE)  # of IPython's traceback


class NotebookFailed(ValueError):
    """A cell of the notebook raised, or its process has gone."""


class NotFitToServe(NotebookFailed):
    """A cell of the notebook that is tagged as a check was not passed."""


def find_notebook(name: str) -> Path:
    """The notebook that makes the model ``name``: in the wheel inside the package, else beside it.

    Raises:
        FileNotFoundError: there is none.
        ValueError: no notebook makes such a model.
    """
    if name not in NOTEBOOKS:
        raise ValueError(f"No notebook makes {name}; there is one for {', '.join(NOTEBOOKS)}.")
    folders = PACKAGE_FOLDER / "data" / "notebooks", PACKAGE_FOLDER.parent / "notebooks"
    for folder in folders:
        if (folder / NOTEBOOKS[name]).is_file():
            return folder / NOTEBOOKS[name]
    raise FileNotFoundError(f"{NOTEBOOKS[name]} is missing: install the course again.")


def train(
    name: str,
    table: pd.DataFrame,
    folder: Path,
    *,
    on_cell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Run the model's notebook on ``table``.

    The notebook finds the name of a CSV file in ``ROWS`` and the parts to measure on in
    ``FOLDS``, and saves ``NAME.tflite`` and ``NAME.schema.json`` in the output folder, which is
    not the learner's.

    Args:
        name: of the model.
        table: features, label and what else the notebook shows.
        folder: an empty one, to work in.
        on_cell: told the number of cells done, and their total.

    Returns:
        The model, its schema, the table as CSV, the notebook as it ran.

    Raises:
        FileNotFoundError: the notebook is missing, or has not saved a model.
        ValueError: no notebook makes such a model.
        ImportError: papermill, nbclient or ipykernel is not installed.
        NotFitToServe: a cell tagged ``check-yourself`` was not passed.
        NotebookFailed: another cell raised, or the notebook's process has gone.
    """
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    source = find_notebook(name)
    work, home, rows = folder / source.name, folder / "home", folder / "training.csv"
    home.mkdir()
    table.to_csv(rows, index=False)
    tags = _prepare(source, work, {"ROWS": rows.name, "FOLDS": FOLDS})
    done = 0

    def count(number: int, total: int) -> None:
        nonlocal done
        done = number
        on_cell(number, total)

    try:
        execute(work, save=True, on_cell=count, environment={"COURSE_HOME": str(home)})
    except CellExecutionError as error:
        raise _make_error(error, work, is_check=CHECK_TAG in tags[done - 1]) from None
    except (DeadKernelError, AssertionError):  # nbclient's own, where a signal cleaned up first
        raise NotebookFailed(
            f"{work.name} did not come to its end: it was stopped, or its process was killed, for "
            "want of memory perhaps. Nothing was registered."
        ) from None
    model = home / f"{name}.tflite"
    files = [model, schema_path(model), rows, work]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"{source.name} has not saved {file.name}.")
    return files


def _prepare(source: Path, work: Path, parameters: dict[str, object]) -> list[list[str]]:
    """Write the notebook with a cell of parameters, and without the cells that only teach.

    Returns:
        The tags of each of its cells.
    """
    import nbformat
    import papermill

    notebook = papermill.execute_notebook(
        source, work, parameters, prepare_only=True, progress_bar=False
    )
    del notebook.metadata["papermill"]  # names folders of this machine
    # What only teaches, such as the service written by hand, has nothing to do with the new rows.
    notebook.cells = [
        cell for cell in notebook.cells if not TEACHING_TAGS & {*cell.metadata.get("tags", [])}
    ]
    nbformat.write(notebook, work)  # type: ignore[no-untyped-call]
    return [cell.metadata.get("tags", []) for cell in notebook.cells]


def _make_error(error: "CellExecutionError", work: Path, *, is_check: bool) -> NotebookFailed:
    """Make the error to raise instead: it names the line of the cell that failed."""
    line = FAILED_LINE.search(COLOUR_CODES.sub("", str(error)))
    where = f"`{line[1].strip()}`: " if line else ""
    said = f"{where}{error.ename}: {COLOUR_CODES.sub('', error.evalue)}".rstrip(": ")
    if error.ename == "AssertionError" and is_check:
        return NotFitToServe(f"The new network does not pass the notebook's own check, {said}.")
    return NotebookFailed(f"{work.name} failed in {said}. Nothing was registered.")
