"""``course retrain``: rows to train with, a store that is out of date, and a tiny notebook."""

import textwrap
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from click.testing import Result
from nbformat.v4 import new_code_cell, new_notebook

from course_utils import registry
from course_utils.datasets import load_auto_mpg
from course_utils.registry import training_code
from tests.support.command import course
from tests.support.stores import generous, register

CARS = load_auto_mpg()
NEW_CARS = CARS[CARS["year"] > 77]
PARAMETERS = "ROWS = ''\nFOLDS = 5"
READ = "import pandas as pd\ncars = pd.read_csv(ROWS)\nassert len(cars) > 100"
# What a training leaves; the network is the one that `use_notebook` makes.
SAVE = """
import os, shutil
from course_utils.environment import data_folder, output_folder
shutil.copy(os.environ["TRAINED"], output_folder() / "mpg.tflite")
shutil.copy(data_folder() / "models" / "mpg.schema.json", output_folder())
"""


@pytest.fixture(scope="module")
def outdated(tmp_path_factory: Any) -> Path:
    """Version 1 knows the cars until 1977 and says 3 mpg too much."""
    store = Path(tmp_path_factory.mktemp("outdated") / "store")
    register(store, 3, training=CARS[CARS["year"] <= 77])
    registry.promote("mpg", 1, store=store)
    return store


def use_notebook(
    folder: Path,
    patch: pytest.MonkeyPatch,
    *sources: str,
    tags: tuple[str, ...] = (),
    more: float = 0,
) -> Path:
    """Train with a tiny notebook of these sources in the place of the course's own.

    What it saves with `SAVE` is the shipped network with ``more`` mpg in every answer.
    """
    trained = folder / "trained.tflite"
    trained.write_bytes(generous(more))
    patch.setenv("TRAINED", str(trained))
    tiny = write_notebook(folder, *sources, tags=tags)
    patch.setitem(training_code.NOTEBOOKS, "mpg", tiny)
    return Path(tiny)


def write_notebook(folder: Path, *sources: str, tags: tuple[str, ...] = ()) -> str:
    """A tiny one for `training_code.NOTEBOOKS`; ``tags`` are those of its last cell."""
    cells = [new_code_cell(textwrap.dedent(source).strip()) for source in (PARAMETERS, *sources)]
    cells[0].metadata["tags"] = ["parameters"]
    cells[-1].metadata.setdefault("tags", []).extend(tags)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    file = folder / "tiny.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), file)
    return str(file)


def read_files(store: Path) -> dict[str, bytes]:
    files = (path for path in store.rglob("*") if path.is_file())
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def run_retrain(rows: pd.DataFrame, store: Path, *options: Any) -> Result:
    file = store.with_name("new.csv")
    rows.to_csv(file, index=False)
    return course("retrain", "mpg", "--rows", file, "--store", store, *options)
