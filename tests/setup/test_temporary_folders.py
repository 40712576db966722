"""Two runs of the tests on one machine keep out of each other's files."""

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT


def test_a_run_that_ends_removes_nothing_of_another(tmp_path: Path):
    other = [sys.executable, "-m", "pytest", "-q", "tests/test_environment.py", "-k", "folder"]
    done = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, check=False)
    assert " passed" in done.stdout, done.stdout + done.stderr
    assert tmp_path.is_dir()
