"""Killed at any moment and started again, a batch ends as if nothing had happened.

Real processes and real SIGKILLs: at random moments, as a part is being written, as the output is
being assembled and as the folder is being cleared away.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from course_utils.inference import batch
from course_utils.inference.batch.job import JOB, Job
from tests.support.batch_files import predict, read_csv, some, to_parquet, write_csv
from tests.support.serving import COURSE, MODEL, wait_until

pytestmark = pytest.mark.thorough

ROWS, CHUNK = 60_000, 2_000
SECONDS = 60


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [row | {"id": f"{i} {row['id']}"} for i, row in enumerate(some(ROWS // 20) * 20)]
    for i in range(0, ROWS, 777):
        rows[i] = rows[i] | {"weight": "heavy"}
    return write_csv(tmp_path_factory.mktemp("cars") / "cars.csv", rows)


@pytest.fixture(scope="module")
def whole(source: Path) -> bytes:
    target = source.with_name("whole.csv")
    assert predict(source, target, chunk=CHUNK).refused == 78
    return target.read_bytes()


def command(source: Path, target: Path, *more: str) -> list[str]:
    options = ["--input", source, "--output", target, "--model", MODEL, "--chunk", CHUNK, *more]
    return [str(COURSE), "predict", "mpg", *map(str, options)]


def start(source: Path, target: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command(source, target), stdout=subprocess.DEVNULL)


def killed_when(process: "subprocess.Popen[bytes]", condition: Callable[[], bool]) -> bool:
    """Whether it came to that; else the process has ended by itself."""
    while process.poll() is None:
        if condition():
            process.kill()
            process.wait()
            return True
        time.sleep(0.0005)
    return False


def parts(target: Path) -> list[str]:
    return [path.name for path in target.with_name(f"{target.name}.parts").glob("part-*.parquet")]


def test_at_random_moments(source: Path, whole: bytes, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(4):
        wanted = len(parts(target)) + int(rng.integers(2, 6))
        later = time.monotonic() + SECONDS
        with start(source, target) as process:
            pause = rng.uniform(0, 0.02)
            if killed_when(process, lambda: len(parts(target)) >= wanted):  # noqa: B023
                time.sleep(pause)
            assert time.monotonic() < later
        assert not target.exists()
        assert len(parts(target)) not in seen  # each run has gone on
        seen.add(len(parts(target)))
    summary = predict(source, target, chunk=CHUNK)
    assert (summary.rows, summary.refused) == (ROWS, 78)
    assert summary.resumed == max(seen) * CHUNK
    assert target.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize(
    "seen",
    ["input.parquet.part", "part-000004.parquet.part", "whole.csv"],
    ids=["as the input is read", "as a part is written", "as the output is assembled"],
)
def test_in_the_middle_of_a_file(seen: str, source: Path, whole: bytes, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    draft = tmp_path / "out.csv.parts" / seen
    for _ in range(20):  # a file is often ready before the signal is there
        with start(source, target) as process:
            killed_when(process, draft.exists)
        if draft.exists():
            break
        if target.exists():
            target.unlink()
    assert draft.exists()
    assert not target.exists()
    done = subprocess.run(command(source, target), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_after_each_step_of_the_clearing_away(suffix: str, tmp_path: Path) -> None:
    """The output has its name already; whatever is left of the parts, it comes out the same."""
    source, target = write_csv(tmp_path / "in.csv", some(50)), tmp_path / f"out{suffix}"
    predict(source, target, chunk=20)
    before = target.read_bytes()
    parts = tmp_path / f"{target.name}.parts"
    removed = []

    def interrupted(self: Job) -> None:
        for path in sorted(parts.iterdir())[len(removed) :: -1]:
            path.unlink() if path.name != JOB else None
        removed.append(1)
        raise KeyboardInterrupt

    clear = Job.clear
    target.unlink()
    for _ in range(3):
        Job.clear = interrupted  # type: ignore[method-assign]
        try:
            with pytest.raises(KeyboardInterrupt):
                predict(source, target, chunk=20)
        finally:
            Job.clear = clear  # type: ignore[method-assign]
        assert (parts / JOB).exists()
        assert target.read_bytes() == before
    predict(source, target, chunk=20)
    assert target.read_bytes() == before
    assert not parts.exists()


def test_other_arguments_are_refused_until_told_to_start_afresh(
    source: Path, whole: bytes, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    with start(source, target) as process:
        assert killed_when(process, lambda: len(parts(target)) >= 3)
    done = parts(target)
    other = write_csv(tmp_path / "other.csv", some(100))
    for given, options, what in (
        (source, {"chunk": CHUNK + 1}, "another chunk"),
        (source, {"chunk": CHUNK, "on_error": "stop"}, "another on_error"),
        (other, {"chunk": CHUNK}, "another input"),
        (other, {"chunk": 1}, "another input and another chunk"),
    ):
        with pytest.raises(ValueError, match=f"had {what}. Start that one again .*--restart"):
            predict(given, target, **options)
    model = tmp_path / "mpg.tflite"
    model.write_bytes(MODEL.read_bytes() + b"\0")
    (tmp_path / "mpg.schema.json").write_bytes(MODEL.with_name("mpg.schema.json").read_bytes())
    with pytest.raises(ValueError, match="another model"):
        batch.predict_file(source, target, model=model, chunk=CHUNK)
    assert parts(target) == done
    assert predict(other, target, chunk=7, restart=True).resumed == 0
    assert len(read_csv(target)) == 100


def test_an_input_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    source = to_parquet(write_csv(tmp_path / "in.csv", some(50)))
    content = source.read_bytes()

    def meddle(step: str, done: int, total: int | None) -> None:
        if done == 20:
            source.write_bytes(content)
            os.utime(source, ns=(1, 1))

    with pytest.raises(ValueError, match="was changed while it was predicted"):
        predict(source, tmp_path / "out.csv", chunk=20, on_progress=meddle)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("damage", ["cut off", "of other rows"])
def test_a_part_that_is_damaged_is_noticed(damage: str, tmp_path: Path) -> None:
    source, target = write_csv(tmp_path / "in.csv", some(50)), tmp_path / "out.csv"

    def stop(step: str, done: int, total: int | None) -> None:
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(source, target, chunk=20, on_progress=stop)
    first, second = sorted((tmp_path / "out.csv.parts").glob("part-*"))
    if damage == "cut off":
        first.write_bytes(first.read_bytes()[:-5])
    else:
        first.write_bytes(to_parquet(write_csv(tmp_path / "x.csv", some(3))).read_bytes())
    with pytest.raises(ValueError, match=r"left in .*out\.csv\.parts is damaged: start afresh"):
        predict(source, target, chunk=20)
    assert second.exists()
    predict(source, target, chunk=20, restart=True)
    assert len(read_csv(target)) == 50


def test_only_one_process_writes_an_output(source: Path, whole: bytes, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with start(source, target) as first:
        assert wait_until(lambda: parts(target), seconds=SECONDS)
        psutil.Process(first.pid).suspend()  # or it would be ready before the second has begun
        for restart in (False, True):
            with pytest.raises(ValueError, match=r"Another process is writing .*: wait for it"):
                predict(source, target, chunk=CHUNK, restart=restart)
        psutil.Process(first.pid).resume()
        assert first.wait(SECONDS) == 0
    assert target.read_bytes() == whole


def test_ctrl_c_says_that_it_can_go_on(source: Path, whole: bytes, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("a process on Windows gets no Ctrl-C from another")
    target = tmp_path / "out.csv"
    with subprocess.Popen(command(source, target), stderr=subprocess.PIPE, text=True) as process:
        assert wait_until(lambda: parts(target), seconds=SECONDS)
        process.send_signal(2)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said == "Stopped. The same command goes on where this one was.\n"
    assert predict(source, target, chunk=CHUNK).resumed > 0
    assert target.read_bytes() == whole
