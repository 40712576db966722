"""The notebook that trains a model is found, and where it fails it says where and why."""

from pathlib import Path
from typing import Any

import pytest

from course_utils.registry import training_code
from course_utils.registry.training_code import TrainingFailed
from tests.support.retraining import NEW_CARS, SAVE, use_notebook


def test_a_missing_notebook_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_code, "PACKAGE_FOLDER", tmp_path / "package")
    with pytest.raises(FileNotFoundError, match="install the course again"):
        training_code.find_notebook("mpg")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("last", "tags", "error", "message"),
    [
        (
            "rmse = 4.2\nassert rmse < 3.0, rmse",
            (),
            training_code.NotFitToServe,
            "the own check of tiny.ipynb, `assert rmse < 3.0, rmse`: AssertionError: 4.2",
        ),
        (
            "values = [1]\nvalues[3]",
            (),
            TrainingFailed,
            "tiny.ipynb failed in `values[3]`: IndexError: list index out of range",
        ),
        ("print('forgot')", (), FileNotFoundError, "has not saved mpg.tflite"),
        (
            "import os, signal\nos.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))",
            (),
            TrainingFailed,
            "did not come to its end",
        ),
    ],
)
def test_a_failing_notebook_says_where_and_why(
    tmp_path: Path, monkeypatch: Any, last: str, tags: Any, error: Any, message: str
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    tiny = use_notebook(tmp_path, monkeypatch, "x = 1", last, tags=tags)
    with pytest.raises(error) as raised:
        training_code.train("mpg", tiny, NEW_CARS, folder)
    assert type(raised.value) is error
    assert message in str(raised.value)


@pytest.mark.thorough
@pytest.mark.parametrize("tag", ["by-hand", "take-home"])
def test_cells_that_only_teach_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    tiny = use_notebook(
        tmp_path, monkeypatch, SAVE, "raise AssertionError('it was run')", tags=(tag,)
    )
    files = training_code.train("mpg", tiny, NEW_CARS, folder)
    assert "it was run" not in files[-1].read_text(encoding="utf-8")
