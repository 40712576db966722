"""The folder of recorded requests keeps to its limit, and no damage to it stops the service."""

import contextlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_utils.inference import request_log
from course_utils.inference.request_log import (
    MAX_FULL_FILES,
    MAX_WAITING_ROWS,
    Recorder,
    read_examples,
)
from course_utils.services.mpg import create_app
from tests.inference.conftest import lines
from tests.support.serving import CAR, MODEL, wait_until

SMALL = 2**18  # bytes


@contextlib.contextmanager
def warned_once(caplog: pytest.LogCaptureFixture, *texts: str) -> Iterator[None]:
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        yield
    (warning,) = [r.getMessage() for r in caplog.records if "recorded" in r.getMessage()]
    assert all(text in warning for text in texts)


def sizes(folder: Path) -> dict[Path, int]:
    found = {}
    for path in folder.glob("*.jsonl"):
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.stat().st_size
    return found


@pytest.mark.thorough
def test_the_folder_keeps_to_its_limit_and_loses_the_oldest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "MAX_FILE_BYTES", SMALL // MAX_FULL_FILES)
    recorder = Recorder(folder, ["number", "half"])
    folder.mkdir()
    (folder / "mine.txt").write_text("x" * SMALL)  # not its own, not its business
    largest = 0
    for number in range(20_000):
        recorder([number, number / 2], 1.5)
        if number % 100 == 99:
            recorder.write()
            largest = max(largest, sum(sizes(folder).values()))
    assert SMALL / 2 < largest <= SMALL
    assert (folder / "mine.txt").exists()
    found = read_examples(folder)["number"]
    assert found.tolist() == list(range(20_000 - len(found), 20_000))  # the newest, without a gap
    assert len(found) * 60 > SMALL / 2  # a line has at least 60 bytes


def record_many(folder: Path, process: int, rows: int) -> None:
    request_log.MAX_FILE_BYTES = SMALL // MAX_FULL_FILES
    recorder = Recorder(folder, ["process", "number"])
    for number in range(rows):
        recorder([process, number], 1.5)
        if number % 200 == 199:
            recorder.write()


@pytest.mark.thorough
def test_the_limit_holds_for_several_processes_together(folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=record_many, args=(folder, n, 2_000)) for n in range(4)]
    for writer in writers:
        writer.start()
    largest = 0
    while any(writer.is_alive() for writer in writers):
        first, second = sizes(folder), sizes(folder)
        # Where all were still there, and none smaller, all were there at once.
        if all(second.get(path, 0) >= size for path, size in first.items()):
            largest = max(largest, sum(first.values()))
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert SMALL / 2 < largest <= SMALL
    found = read_examples(folder)  # no warning: nothing is damaged
    for _, numbers in found.groupby("process")["number"]:
        assert numbers.is_unique


@pytest.mark.parametrize(
    "damage", [b'{"time": 1, "number": 1, "predic', b"\x00" * 500, b"[1, 2]", b'{"number": 1}']
)
def test_a_damaged_line_is_left_out_and_said(folder: Path, damage: bytes) -> None:
    """A kill leaves one at the end of a file, with which no other recorder goes on."""
    folder.mkdir()
    whole = b'{"time": 1, "number": 6, "prediction": 1}\n'
    (folder / "examples-0.jsonl").write_bytes(whole + damage)
    Recorder(folder, ["number"])([7], 1.5)
    with pytest.warns(UserWarning, match=r"\(1 in examples-0.jsonl\)"):
        assert read_examples(folder)["number"].tolist() == [6, 7]


def test_a_folder_that_cannot_be_made_is_a_warning_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("a file stands here")
    client = create_app(MODEL, record=folder).test_client()
    with warned_once(caplog, str(folder), "goes on without"):
        for _ in range(5):
            assert client.post("/api/mpg", json=CAR).status_code == 200
            request_log.write_all()
    folder.unlink()  # mended: the next example is recorded
    assert client.post("/api/mpg", json=CAR).status_code == 200
    assert wait_until(lambda: folder.is_dir() and len(lines(folder)) == 1)


def test_a_slow_disk_keeps_nobody_waiting_and_memory_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "NEWEST_ROWS", 30_001)
    recorder, before = Recorder(folder, ["number"]), set(threading.enumerate())

    def count_waiting() -> int:
        return len([t for t in threading.enumerate() if t.name == "recorder" and t not in before])

    with recorder._writing:  # the disk hangs
        for number in range(30_000):
            recorder([number], 1.5)
        assert count_waiting() <= 2
        time.sleep(2 * request_log.WRITE_DELAY_S)
        recorder([30_000], 1.5)
        assert count_waiting() <= 2
    found = read_examples(folder)["number"]
    assert len(found) == MAX_WAITING_ROWS  # the oldest were dropped
    assert found.iloc[-1] == 30_000


def test_a_process_without_threads_to_spare_answers_and_records_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    client = create_app(MODEL, record=folder).test_client()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert client.post("/api/mpg", json=CAR).status_code == 200
    assert not folder.exists()
    assert client.post("/api/mpg", json=CAR).status_code == 200
    assert wait_until(lambda: folder.is_dir() and len(lines(folder)) == 2)


def test_the_limit_holds_where_old_files_cannot_be_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, **_: bool) -> None:  # as Windows does while somebody reads it
        raise PermissionError(13, "used by another process", str(path))

    monkeypatch.setattr(request_log, "MAX_FILE_BYTES", SMALL // MAX_FULL_FILES)
    monkeypatch.setattr(Path, "unlink", refuse)
    recorder = Recorder(folder, ["number"])
    with warned_once(caplog, "the oldest files cannot be removed"):
        for number in range(9_000):
            recorder([number], 1.5)
        recorder.write()
    assert SMALL / 2 < sum(sizes(folder).values()) <= SMALL
    assert read_examples(folder)["number"].tolist()[:3] == [0, 1, 2]
