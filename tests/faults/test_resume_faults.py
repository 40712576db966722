"""Disks that are full, read-only or gone: a clear error, and the last good checkpoint intact.

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

CLONE_NEWNS, MS_PRIVATE_REC, MS_REMOUNT, MS_RDONLY = 0x00020000, (1 << 18) | (1 << 14), 32, 1


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


def remount_read_only(folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", os.fsencode(folder), None, MS_REMOUNT | MS_RDONLY, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


CHILD = """
import sys, warnings
from pathlib import Path
import numpy as np
from tests.faults.test_resume_faults import mount_small, remount_read_only
folder = Path(sys.argv[1])
mount_small(folder, "1m")
"""

STORE = """
from course_utils.training.resume.checkpoints import NotWritten, Position, Store
store = Store(folder, keep=2)
arrays = {"weights": np.arange(25_000.0)}  # 200 kB
store.write(Position(1, 0), "", arrays, {"best": None})
store.write(Position(2, 0), "", arrays, {"best": None})
"""

FULL = """
filler = folder / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
before = sorted(p.name for p in folder.iterdir())
"""


def child(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CHILD + code, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_mounts
def test_a_full_disk(tmp_path: Path) -> None:
    said = child(
        tmp_path,
        STORE
        + FULL
        + """
try:
    store.write(Position(3, 0), "", arrays, {"best": None})
except NotWritten as error:
    print(error)
assert sorted(p.name for p in folder.iterdir()) == before, "a part was left"
assert store.newest().position == Position(2, 0)
filler.unlink()
store.write(Position(3, 0), "", arrays, {"best": None})
assert store.newest().position == Position(3, 0)
""",
    )
    assert "No space left on device" in said
    assert "The ones before it are intact: make room" in said


@needs_mounts
def test_a_disk_that_turns_read_only(tmp_path: Path) -> None:
    said = child(
        tmp_path,
        STORE
        + """
remount_read_only(folder)
try:
    store.write(Position(3, 0), "", arrays, {"best": None})
except NotWritten as error:
    print(error)
assert store.newest().position == Position(2, 0)
""",
    )
    assert "Read-only file system" in said


@needs_mounts
def test_a_training_whose_disk_fills_up_and_is_emptied(tmp_path: Path) -> None:
    """Stops with the error, keeps what it has, and ends as the undisturbed one once there is room.

    Then the same where the disk has become read-only.
    """
    folder, whole = tmp_path / "run", tmp_path / "whole"
    folder.mkdir()
    code = (
        """
from course_utils.training import resume
from tests.support import training
listed = training.callbacks()
calls = 0
def act():
    global calls
    calls += 1
    if calls == training.STEPS + 2:
"""
        + "\n".join("        " + line for line in FULL.strip().splitlines())
        + f"""
listed[-1].act = act
try:
    training.train(folder, listed)
except resume.NotWritten as error:
    print(error)
assert resume.newest(folder).name.startswith("epoch-001-batch-00001-")
(folder / "filler").unlink()
found = training.outcome(*training.train(folder))
whole = training.outcome(*training.train(Path({str(whole)!r})))
assert training.differing(whole, found) == []
remount_read_only(folder)
training.train(folder)  # has ended: nothing to write
try:
    training.train(folder, epochs=4)
except resume.NotWritten as error:
    print(error)
"""
    )
    said = child(folder, code)
    assert "No space left on device" in said
    assert "start the same training again" in said
    assert "Read-only file system" in said


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    from course_utils.training import resume
    from tests.support import training

    (tmp_path / "file").touch()
    with pytest.raises(resume.NotWritten, match="Choose a folder that you may write to"):
        training.train(tmp_path / "file")
