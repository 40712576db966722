"""A real disk of a megabyte for a test to fill.

It is a file system in memory, mounted in a mount namespace of a child process, so nothing of it is
seen outside or left behind.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

CLONE_NEWNS, MS_PRIVATE_REC = 0x00020000, (1 << 18) | (1 << 14)
SIZE = "1m"
BEGIN = """
import sys
from pathlib import Path
from tests.support.small_disk import mount
folder = Path(sys.argv[1])
mount(folder)
"""

needs_mounts = pytest.mark.skipif(
    not (sys.platform == "linux" and os.geteuid() == 0) and not os.environ.get("CI"),
    reason="only root on Linux can mount a small file system",
)


def run_on_small_disk(folder: Path, code: str) -> str:
    """Run Python code in which ``folder`` is such a disk; returns what it printed."""
    options = ["-W", "ignore::DeprecationWarning", "-c", BEGIN + code, str(folder)]
    done = subprocess.run(
        [sys.executable, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def mount(folder: Path) -> None:
    """Mount an empty file system over ``folder``, for this process and its children."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls = (
        lambda: libc.unshare(CLONE_NEWNS),
        lambda: libc.mount(b"none", b"/", None, MS_PRIVATE_REC, None),
        lambda: libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, f"size={SIZE}".encode()),
    )
    for call in calls:
        if call():
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
