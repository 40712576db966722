"""A real disk of a megabyte for a test to fill.

It is a file system in memory, mounted in a mount namespace of a child process, so nothing of it is
seen outside or left behind.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

MOUNT = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
BEGIN = "import sys\nfrom pathlib import Path\nfolder = Path(sys.argv[1])\n"

needs_mounts = pytest.mark.skipif(
    not (sys.platform == "linux" and os.geteuid() == 0) and not os.environ.get("CI"),
    reason="only root on Linux can mount a small file system",
)


def run_on_small_disk(folder: Path, code: str) -> str:
    """Run Python code in which ``folder`` is such a disk; returns what it printed."""
    python = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGIN + code]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", MOUNT, folder, *python, folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
