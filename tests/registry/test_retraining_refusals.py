"""A retraining that is refused or stopped leaves the store as it was."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from course_utils import registry
from course_utils.registry import retraining
from tests.support.retraining import NEW_CARS, read_files, run_retrain, write_notebook
from tests.support.serving import MODEL, ROOT, wait_until
from tests.support.stores import SCHEMA


@pytest.fixture
def store(outdated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(outdated, tmp_path / "store"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="mpg"), "The rows lack the label mpg."),
        (lambda t: t.assign(weight="heavy"), "weight: 'heavy' in row 1 is no finite number"),
        (lambda t: t.iloc[:19], "19 new rows without a gap are too few: 20 to learn from and 20"),
        (lambda t: t.assign(horsepower=np.nan), "0 new rows without a gap"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_before_anything_is_trained(
    store: Path, change: Any, message: str
) -> None:
    before = read_files(store)
    result = run_retrain(change(NEW_CARS.dropna()), store)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert read_files(store) == before


def test_a_served_version_that_was_changed_is_no_yardstick(store: Path) -> None:
    file = registry.load("mpg", 1, store=store).model.with_name("training.csv")
    file.write_bytes(file.read_bytes().replace(b"70", b"71"))
    with pytest.raises(ValueError, match=r"training\.csv is not as it was registered"):
        retraining.retrain("mpg", NEW_CARS, store=store)


def test_a_served_version_without_its_rows(tmp_path: Path) -> None:
    store = tmp_path / "store"
    registry.register("mpg", [MODEL, SCHEMA], training=NEW_CARS, store=store)
    registry.promote("mpg", 1, store=store)
    with pytest.raises(ValueError, match=r"register it again with training\.csv among its files"):
        retraining.retrain("mpg", NEW_CARS, store=store)


def test_what_was_never_registered_is_not_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No version of digit is promoted"):
        retraining.retrain("digit", NEW_CARS, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


RUN = """
import sys
from pathlib import Path
from course_utils.registry import retraining, training_code
rows, store, training_code.NOTEBOOKS["mpg"] = map(Path, sys.argv[1:])
retraining.retrain("mpg", rows, store=store)
"""


@pytest.mark.thorough
@pytest.mark.skipif(os.name == "nt", reason="Windows sends a process no such signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGKILL"])
def test_it_can_be_stopped_at_any_moment(store: Path, tmp_path: Path, number: str) -> None:
    before = read_files(store)
    sign, temporary = tmp_path / "running", tmp_path / "temporary"
    temporary.mkdir()
    tiny = write_notebook(
        tmp_path, f"import pathlib, time\npathlib.Path({str(sign)!r}).touch()\ntime.sleep(120)"
    )
    NEW_CARS.to_csv(tmp_path / "new.csv", index=False)
    with subprocess.Popen(
        [sys.executable, "-c", RUN, tmp_path / "new.csv", store, tiny],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert wait_until(sign.exists, seconds=180)
            (kernel,) = psutil.Process(process.pid).children()
            process.send_signal(getattr(signal, number))
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode != 0
    if number != "SIGKILL":
        assert "did not come to its end: it was stopped" in said
        assert list(temporary.glob("course-retrain-*")) == []
    assert wait_until(lambda: not kernel.is_running())
    assert read_files(store) == before
