"""A disk that is full: a clear error, the input untouched, what was finished kept.

The disk is a real one of a megabyte: a file system in memory, mounted in a mount namespace of a
child process, so nothing of it is seen outside or left behind.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.batch_files import some, write_csv

pytestmark = pytest.mark.thorough

MOUNT = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
BEGIN = """
import contextlib, os, sys
from pathlib import Path
folder = Path(sys.argv[1])
filler = folder / "filler"
def fill(room=0):
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1024)):
            pass
    os.truncate(filler, filler.stat().st_size - room)
"""

needs_mounts = pytest.mark.skipif(
    not (sys.platform == "linux" and os.geteuid() == 0) and not os.environ.get("CI"),
    reason="only root on Linux can mount a small file system",
)


def run_on_small_disk(folder: Path, code: str) -> str:
    """Run Python code in which ``folder`` is such a disk; returns what it printed.

    ``fill(room)`` fills it but for so many bytes, with the file ``filler``.
    """
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


PREDICT = """
from course_utils.inference import batch
from tests.support.serving import MODEL
outside = Path({source!r})
source = folder / ("cars" + outside.suffix)
source.write_bytes(outside.read_bytes())
content = source.read_bytes()
def predict(**options):
    return batch.predict_file(source, folder / "out.csv", model=MODEL, chunk=120, **options)
def found():
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p != filler)
"""


def predict_on_a_small_disk(folder: Path, script: str) -> str:
    """Run a script where 1,200 cars lie on a disk of a megabyte; what it printed."""
    (folder / "disk").mkdir()
    source = str(write_csv(folder / "cars.csv", some(1200)))
    return run_on_small_disk(folder / "disk", PREDICT.format(source=source) + script)


@needs_mounts
def test_predicting_before_anything_is_finished(tmp_path: Path) -> None:
    """Nothing is left: not the folder of parts, not a half copy of the input."""
    said = predict_on_a_small_disk(
        tmp_path,
        """
fill(8192)
try:
    predict()
except OSError as error:
    print(error)
assert found() == ["cars.csv"], found()
assert source.read_bytes() == content
filler.unlink()
assert predict().rows == 1200
""",
    )
    assert "disk is full" in said or "No space left on device" in said


@needs_mounts
@pytest.mark.parametrize("step", ["predicting", "writing the output"])
def test_predicting_in_the_middle(step: str, tmp_path: Path) -> None:
    """What is finished stays, and with room again the run goes on there."""
    said = predict_on_a_small_disk(
        tmp_path,
        f"""
def meddle(step, done, total):
    if step == {step!r} and done == {600 if step == "predicting" else 0}:
        fill()
try:
    predict(on_progress=meddle)
except OSError as error:
    print(error)
parts = [name for name in found() if "part-" in name]
assert len(parts) == {5 if step == "predicting" else 10}, found()
assert not any(name.endswith(".part") or "whole" in name for name in found()), found()
assert not (folder / "out.csv").exists()
assert source.read_bytes() == content
filler.unlink()
done = predict()
assert (done.rows, done.resumed) == (1200, 120 * len(parts)), done
assert found() == ["cars.csv", "out.csv"]
""",
    )
    assert "The disk is full. What was finished is kept: make room and start the same" in said


TRAIN = """
from course_utils.training import resume
from tests.support import training
from tests.support.resuming import find_newest

listed = training.callbacks()
calls = iter(range(1, 1000))
listed[-1].act = lambda: fill() if next(calls) == training.STEPS + 2 else None
try:
    training.train(folder, listed)
except resume.ResumeError as error:
    print(error)
assert find_newest(folder).name.startswith("epoch-001-batch-00001-")
assert not list(folder.glob("*.part")), "a part was left"
filler.unlink()
found = training.outcome(*training.train(folder))
whole = training.outcome(*training.train(folder.parent / "whole"))
assert training.differing(whole, found) == []
"""


@needs_mounts
def test_a_training_whose_disk_fills_up_and_is_emptied(tmp_path: Path) -> None:
    """Stops with the error, keeps what it has, and ends as the undisturbed one given room."""
    folder = tmp_path / "run"
    folder.mkdir()
    said = run_on_small_disk(folder, TRAIN)
    assert "No space left on device" in said
    assert "The earlier ones are intact: make room" in said
    assert "start the same training again" in said
