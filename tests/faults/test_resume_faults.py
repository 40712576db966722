"""A disk that is full, a folder that is none: a clear error, and the checkpoints intact.

The full disk is a real one: a file system of a megabyte in memory, mounted in a mount namespace
of a child process, so that nothing of it is seen outside or left behind.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.thorough

CLONE_NEWNS, MS_PRIVATE_REC = 0x00020000, (1 << 18) | (1 << 14)


def mounts_allowed() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


needs_mounts = pytest.mark.skipif(
    not mounts_allowed() and not os.environ.get("CI"),
    reason="only root on Linux can mount a small file system",
)


def mount_small(folder: Path, size: str) -> None:
    """Mount an empty file system over ``folder``, for this process and its children."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls = (
        lambda: libc.unshare(CLONE_NEWNS),
        lambda: libc.mount(b"none", b"/", None, MS_PRIVATE_REC, None),
        lambda: libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, f"size={size}".encode()),
    )
    for call in calls:
        if call():
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


CHILD = """
import sys
from pathlib import Path
from tests.faults.test_resume_faults import mount_small
folder = Path(sys.argv[1])
mount_small(folder, "1m")

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
    except resume.NotWritten as error:
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
    options = ["-W", "ignore::DeprecationWarning", "-c", CHILD + STOP_AND_GO_ON, str(folder)]
    done = subprocess.run(
        [sys.executable, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "No space left on device" in done.stdout
    assert "The earlier ones are intact: make room" in done.stdout
    assert "start the same training again" in done.stdout


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    from course_utils.training import resume
    from tests.support import training

    (tmp_path / "file").touch()
    with pytest.raises(resume.NotWritten, match="see that you may write to the folder"):
        training.train(tmp_path / "file")
