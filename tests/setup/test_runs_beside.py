"""Two runs of the tests on one machine keep out of each other's way."""

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT


def test_a_run_that_ends_takes_no_file_or_process_of_another(tmp_path: Path):
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    other = [sys.executable, "-m", "pytest", "-q", "tests/test_environment.py", "-k", "folder"]
    done = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, check=False)
    assert " passed" in done.stdout, done.stdout + done.stderr
    assert tmp_path.is_dir()
    sleeper.communicate(b"\n")
    assert sleeper.returncode == 0  # it was still there to be ended
