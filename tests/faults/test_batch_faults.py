"""A disk that is full: a clear error, the input untouched, what was finished kept."""

from pathlib import Path

import pytest

from tests.support.batch_files import some, write_csv
from tests.support.small_disk import needs_mounts, run_on_small_disk

pytestmark = pytest.mark.thorough

PREDICT = """
import contextlib, os
from course_utils.inference import batch
from tests.support.serving import MODEL
outside = Path({source!r})
source = folder / ("cars" + outside.suffix)
source.write_bytes(outside.read_bytes())
content = source.read_bytes()
def predict(**options):
    return batch.predict_file(source, folder / "out.csv", model=MODEL, chunk=120, **options)
filler = folder / "filler"
def fill(room):
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1024)):
            pass
    os.truncate(filler, filler.stat().st_size - room)
def found():
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p != filler)
"""


def predict_on_a_small_disk(folder: Path, script: str) -> str:
    """Run a script where 1,200 cars lie on a disk of a megabyte; what it printed."""
    (folder / "disk").mkdir()
    source = str(write_csv(folder / "cars.csv", some(1200)))
    return run_on_small_disk(folder / "disk", PREDICT.format(source=source) + script)


@needs_mounts
def test_before_anything_is_finished(tmp_path: Path) -> None:
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
def test_in_the_middle(step: str, tmp_path: Path) -> None:
    """What is finished stays, and with room again the run goes on there."""
    said = predict_on_a_small_disk(
        tmp_path,
        f"""
def meddle(step, done, total):
    if step == {step!r} and done == {600 if step == "predicting" else 0}:
        fill(0)
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
