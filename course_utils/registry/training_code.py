"""Train by running the code that made a model, on other rows.

So the training stands in one place only. The code is

- a notebook, which runs through papermill. It finds the name of a CSV file in ``ROWS`` and the
  number of parts to measure on in ``FOLDS``, and saves the model as ``NAME.tflite``, with its
  companions, in the output folder, which then is not the learner's;
- or a Python file with a function ``train(rows, folder)``, which gets the rows as a DataFrame and
  saves ``NAME.tflite``, with its companions, in ``folder``. It is called from the cell of a
  notebook, in a process of its own.

The asserts of either are the gate: an AssertionError says that the network is not fit to serve.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from course_utils.common.notebooks import execute
from course_utils.environment import PACKAGE_FOLDER
from course_utils.inference import labels_path, schema_path
from course_utils.inference.pixels import pixels_path
from course_utils.registry.store import ModelVersion

NOTEBOOKS = {"mpg": "02_mpg_service.ipynb"}  # the course's own
TRAINING_ROWS = "training.csv"
FOLDS = 3  # parts to measure on; the notebook's own five take longer
TEACHING_TAGS = {"by-hand", "take-home"}  # of the cells that a training does not need
COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal
FAILED_LINE = re.compile(r"^-+> *\d+ (.+)$", re.MULTILINE)  # of IPython's traceback
# The cell that runs a Python file, with its name and those of the rows and the folder.
CALL_TRAIN = """\
import pathlib, runpy
import pandas
train = runpy.run_path({!r})["train"]
train(pandas.read_csv({!r}), pathlib.Path({!r}).absolute())
"""


class TrainingFailed(ValueError):
    """The code raised, or its process has gone."""


class NotFitToServe(TrainingFailed):
    """The code's own check was not passed."""


def find_code(version: ModelVersion) -> Path:
    """The code that trains a version's successor: its own, else the course's notebook.

    Raises:
        FileNotFoundError: the course's notebook is missing.
        ValueError: neither is there.
    """
    for path in sorted(version.model.parent.iterdir()):
        if path.suffix in (".ipynb", ".py"):
            return path
    if version.name in NOTEBOOKS:
        return find_notebook(version.name)
    raise ValueError(
        f"Version {version.number} of {version.name} does not keep the code that trained it: "
        "register it again with a notebook, or a Python file with a function train(rows, folder), "
        "among its files. Notebook 14 shows how."
    )


def find_notebook(name: str) -> Path:
    """The course's notebook that makes a model: in the wheel inside the package, else beside it.

    Raises:
        FileNotFoundError: there is none.
    """
    folders = PACKAGE_FOLDER / "data" / "notebooks", PACKAGE_FOLDER.parent / "notebooks"
    for folder in folders:
        if (folder / NOTEBOOKS[name]).is_file():
            return folder / NOTEBOOKS[name]
    raise FileNotFoundError(f"{NOTEBOOKS[name]} is missing: install the course again.")


def train(
    name: str,
    code: Path,
    table: pd.DataFrame,
    folder: Path,
    *,
    on_cell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Run the code on ``table``.

    Args:
        name: of the model.
        code: a notebook or a Python file, as this module's head says.
        table: features, label and what else the code needs.
        folder: an empty one, to work in.
        on_cell: told the number of a notebook's cells done, and their total.

    Returns:
        The model, its companions, the table as CSV, the code as it ran.

    Raises:
        FileNotFoundError: the code has not saved a model.
        ImportError: papermill, nbclient or ipykernel is not installed.
        NotFitToServe: its own check was not passed.
        TrainingFailed: it raised otherwise, or its process has gone.
    """
    work, home, rows = folder / code.name, folder / "home", folder / TRAINING_ROWS
    home.mkdir()
    table.to_csv(rows, index=False)
    if code.suffix == ".py":
        shutil.copyfile(code, work)
        notebook = _wrap_script(work, rows, home)
    else:
        notebook = _prepare(code, work, {"ROWS": rows.name, "FOLDS": FOLDS})
    _run_notebook(notebook, work, home, on_cell)
    model = home / f"{name}.tflite"
    if not model.is_file():
        raise FileNotFoundError(f"{code.name} has not saved {model.name}.")
    return [model, *find_companions(model), rows, work]


def find_companions(model: Path) -> list[Path]:
    """The files beside a model that say what it takes and what its answers mean."""
    paths = schema_path(model), labels_path(model), pixels_path(model)
    return [path for path in paths if path.is_file()]


def _prepare(source: Path, work: Path, parameters: dict[str, object]) -> Path:
    """Write the notebook with a cell of parameters, and without the cells that only teach."""
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
    return work


def _wrap_script(work: Path, rows: Path, home: Path) -> Path:
    """Write a notebook whose one cell calls ``train`` of a Python file."""
    from nbformat import v4, write

    call = CALL_TRAIN.format(work.name, rows.name, home.name)
    notebook = v4.new_notebook(cells=[v4.new_code_cell(call)])  # type: ignore[no-untyped-call]
    write(notebook, path := work.with_suffix(".ipynb"))  # type: ignore[no-untyped-call]
    return path


def _run_notebook(
    notebook: Path, work: Path, home: Path, on_cell: Callable[[int, int], None]
) -> None:
    """Run a notebook in which the code ``work`` runs, and say where that failed.

    Raises:
        NotFitToServe: its own check was not passed.
        TrainingFailed: it raised otherwise, or its process has gone.
    """
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    try:
        own = {"COURSE_HOME": str(home)}
        execute(notebook, save=True, on_cell=on_cell, environment=own, cell_timeout_s=None)
    except CellExecutionError as error:
        text = COLOUR_CODES.sub("", str(error))
        # In a Python file: the line of its own that was being run last.
        line = FAILED_LINE.search(text.rpartition(f"{work.name}:")[2])
        where = f"`{line[1].strip()}`: " if line else ""
        said = f"{where}{error.ename}: {COLOUR_CODES.sub('', error.evalue)}".rstrip(": ")
        if error.ename == "AssertionError":
            raise NotFitToServe(
                f"The new network does not pass the own check of {work.name}, {said}."
            ) from None
        raise TrainingFailed(f"{work.name} failed in {said}. Nothing was registered.") from None
    except (DeadKernelError, KeyboardInterrupt):
        raise TrainingFailed(
            f"{work.name} did not come to its end: it was stopped, or its process was killed, for "
            "want of memory perhaps. Nothing was registered."
        ) from None
