"""Killed at any moment and started again, a batch ends as if nothing had happened.

Real processes and real SIGKILLs: as the input is being read, as a part is being written and as the
output is being assembled.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from course_utils.inference import predict_file
from tests.support.batch_files import copy_model, predict, read_csv, some, write_csv
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


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


def start(source: Path, target: Path) -> "subprocess.Popen[str]":
    options = ["--input", source, "--output", target, "--model", MODEL, "--chunk", CHUNK]
    command = [str(COURSE), "predict", "mpg", *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def parts(target: Path) -> list[str]:
    return [path.name for path in target.with_name(f"{target.name}.parts").glob("part-*.parquet")]


@pytest.mark.parametrize(
    "seen",
    ["input.parquet.part", "part-000004.parquet.part", "whole.csv"],
    ids=["as the input is read", "as a part is written", "as the output is assembled"],
)
def test_in_the_middle_of_a_file(seen: str, source: Path, whole: bytes, target: Path) -> None:
    draft = target.with_name("out.csv.parts") / seen
    for _ in range(20):  # a file is often ready before the signal is there
        with start(source, target) as process:
            while process.poll() is None:
                if draft.exists():
                    process.kill()
                    process.wait()
                time.sleep(0.0005)
        if draft.exists():
            break
        target.unlink(missing_ok=True)
    assert draft.exists()
    assert not target.exists()
    predict(source, target, chunk=CHUNK)
    assert target.read_bytes() == whole
    assert [path.name for path in target.parent.iterdir()] == ["out.csv"]


def test_after_each_step_of_the_clearing_away(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output has its name already; whatever is left of the parts, it comes out the same."""
    source = write_csv(target.with_name("in.csv"), some(50))
    predict(source, target, chunk=20)
    before = target.read_bytes()
    target.unlink()
    unlink = Path.unlink
    for files in range(5):  # three parts, the copy of the input, job.json
        left = iter(range(files))

        def interrupted(path: Path, left=left, **options: bool) -> None:  # type: ignore[no-untyped-def]
            if path.parent.name.endswith(".parts") and next(left, None) is None:
                raise KeyboardInterrupt
            unlink(path, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", interrupted)
            with pytest.raises(KeyboardInterrupt):
                predict(source, target, chunk=20)
        assert target.read_bytes() == before
        predict(source, target, chunk=20)
        assert target.read_bytes() == before
        assert not target.with_name(f"{target.name}.parts").exists()
        target.unlink()


def test_other_arguments_are_refused_until_told_to_start_afresh(target: Path) -> None:
    source = write_csv(target.with_name("in.csv"), some(50))
    other = write_csv(target.with_name("other.csv"), some(100))
    model = copy_model(target.parent, content=MODEL.read_bytes() + b"\0")

    def stop(step: str, done: int, total: int | None) -> None:
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(source, target, chunk=20, on_progress=stop)
    for given, used, chunk, what in (
        (source, MODEL, 21, "another chunk"),
        (other, MODEL, 20, "another input"),
        (other, model, 1, "another input and another model and another chunk"),
    ):
        with pytest.raises(ValueError, match=f"had {what}. Start that one again .*--restart"):
            predict_file(given, target, model=used, chunk=chunk)
    assert len(parts(target)) == 2
    assert predict(other, target, chunk=7, restart=True).resumed == 0
    assert len(read_csv(target)) == 100


def test_an_input_that_changes_meanwhile_is_noticed(target: Path) -> None:
    source = write_csv(target.with_name("in.csv"), some(50))

    def meddle(step: str, done: int, total: int | None) -> None:
        if done == 20:
            os.utime(source, ns=(1, 1))

    with pytest.raises(ValueError, match="was changed while it was predicted"):
        predict(source, target, chunk=20, on_progress=meddle)
    assert not target.exists()


def start_and_stop(source: Path, target: Path, how: str) -> "subprocess.Popen[str]":
    """A prediction that is suspended or interrupted once it has written a part."""
    for _ in range(20):  # it is often ready before the signal is there
        process = start(source, target)
        assert wait_until(lambda: parts(target) or target.exists(), seconds=SECONDS)
        with contextlib.suppress(psutil.NoSuchProcess):
            if how == "suspend":
                psutil.Process(process.pid).suspend()
            else:
                process.send_signal(2)
                process.wait(SECONDS)
        if not target.exists():
            return process
        process.kill()
        process.communicate()
        target.unlink(missing_ok=True)
    raise AssertionError("each time it was ready before it could be stopped")


def test_only_one_process_writes_an_output(source: Path, whole: bytes, target: Path) -> None:
    with start_and_stop(source, target, "suspend") as first:
        for restart in (False, True):
            with pytest.raises(ValueError, match=r"Another process is writing .*: wait for it"):
                predict(source, target, chunk=CHUNK, restart=restart)
        psutil.Process(first.pid).resume()
        assert first.wait(SECONDS) == 0
    assert target.read_bytes() == whole


@pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C from another process on Windows")
def test_ctrl_c_says_that_it_can_go_on(source: Path, whole: bytes, target: Path) -> None:
    with start_and_stop(source, target, "interrupt") as process:
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert said == "Stopped. The same command goes on where this one was.\n"
    assert predict(source, target, chunk=CHUNK).resumed > 0
    assert target.read_bytes() == whole
