"""A disk that is full, a folder that is none: a clear error, and the checkpoints intact."""

from pathlib import Path

import pytest

from tests.support.small_disk import needs_mounts, run_on_small_disk

pytestmark = pytest.mark.thorough

FILL_UP = """
from course_utils.training import resume
from tests.support import training

def fill():
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

def train_until_refused(**changes):
    try:
        training.train(folder, **changes)
    except resume.WriteError as error:
        print(error)
"""

STOP_AND_GO_ON = """
from tests.support.resuming import find_newest

listed = training.callbacks()
calls = iter(range(1, 1000))
listed[-1].act = lambda: fill() if next(calls) == training.STEPS + 2 else None
train_until_refused(watchers=listed)
assert find_newest(folder).name.startswith("epoch-001-batch-00001-")
assert not list(folder.glob("*.part")), "a part was left"
(folder / "filler").unlink()
found = training.outcome(*training.train(folder))
whole = training.outcome(*training.train(folder.parent / "whole"))
assert training.differing(whole, found) == []
"""


@needs_mounts
def test_a_training_whose_disk_fills_up_and_is_emptied(tmp_path: Path) -> None:
    """Stops with the error, keeps what it has, and ends as the undisturbed one given room."""
    folder = tmp_path / "run"
    folder.mkdir()
    said = run_on_small_disk(folder, FILL_UP + STOP_AND_GO_ON)
    assert "No space left on device" in said
    assert "The earlier ones are intact: make room" in said
    assert "start the same training again" in said


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    from course_utils.training import resume
    from tests.support import training

    (tmp_path / "file").touch()
    with pytest.raises(resume.WriteError, match="see that you may write to the folder"):
        training.train(tmp_path / "file")
