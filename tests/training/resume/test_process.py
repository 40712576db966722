"""Real processes, killed and told to stop, end as one that ran through."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils.training import resume
from tests.support import ROOT, training
from tests.support.resuming import find_newest
from tests.support.training import differing, outcome

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL and no SIGTERM"),
    # Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.training", str(folder), *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stopped_by(folder: Path, number: int, after: int) -> tuple[int, str, int]:
    """Exit code and message of a training that a signal reached, and batches begun after it."""
    process = start(folder, "--slow", "0.3", "--save-every", "1000")
    assert process.stdout
    for _ in range(after):
        assert process.stdout.readline() == "batch\n"
    process.send_signal(number)
    rest, said = process.communicate(timeout=60)
    return process.returncode, said, rest.count("batch")


def test_killed_stopped_and_interrupted_again_and_again(tmp_path: Path) -> None:
    whole = outcome(*training.train(tmp_path / "whole", save_every=2))
    folder = tmp_path / "run"
    for options in (
        ["--kill-at-file", "1"],  # before anything is saved
        ["--kill-at-file", "2"],  # between the first arrays and their manifest
        ["--kill", "3"],
        ["--kill-at-file", "2"],  # the same of a later save
        ["--kill", "5"],  # into the second epoch
    ):
        process = start(folder, *options)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL

    before = find_newest(folder)
    code, said, more = stopped_by(folder, signal.SIGTERM, after=1)
    assert code == 143
    assert more <= 1
    assert re.search(r"interrupted after 1 epoch and \d batches, and all is saved in .*run", said)
    assert "Start it again with the same arguments" in said
    assert "Traceback" not in said
    assert find_newest(folder) != before

    process = start(folder)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
    with np.load(folder / "outcome.npz") as found:
        assert differing(whole, dict(found)) == []


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    process = start(tmp_path, "--slow", "20")
    assert process.stdout
    try:
        assert process.stdout.readline() == "batch\n"
        with pytest.raises(resume.ResumeError, match="Another process is training in"):
            training.train(tmp_path)
    finally:
        process.kill()
        process.communicate(timeout=60)
    training.train(tmp_path, save_every=2)  # nothing is left of the lock
