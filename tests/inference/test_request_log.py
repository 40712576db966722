import contextlib
import json
import logging
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests

from course_utils.inference import FeatureSchema
from course_utils.inference.request_log import SMALLEST, WAITING, Recorder, read_examples
from course_utils.services import mpg as mpg_service
from course_utils.services.mpg import create_app
from course_utils.serving import launch
from tests.services.http.test_operations import broken_app
from tests.services.test_mpg import random_cars
from tests.support.serving import CAR, COURSE, MODEL, Served, running, wait_until

NAMES = FeatureSchema.load(MODEL.with_name("mpg.schema.json")).names
RECORDING = [str(COURSE), "serve", "mpg", "--model", str(MODEL), "--record"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "asked"


def ask(served: Served, car: object) -> requests.Response:
    return requests.post(f"{served.url}/api/mpg", json=car, timeout=10)


def lines(folder: Path) -> list[bytes]:
    return [line for path in folder.iterdir() for line in path.read_bytes().splitlines()]


def sizes(folder: Path) -> dict[Path, int]:
    found = {}
    for path in folder.glob("*.jsonl"):
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.stat().st_size
    return found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: Any) -> Iterator[tuple[Served, Path]]:
    """The service with two workers, recording, and the folder that it does not find made."""
    folder = tmp_path_factory.mktemp("home") / "not" / "yet"
    with running([*RECORDING, str(folder)], workers=2) as served:
        yield served, folder


def test_what_was_asked_and_answered_is_read_back(folder: Path) -> None:
    """Behind a notebook's cell nothing is missing, not even the last request."""
    cars = random_cars(30)
    before = pd.Timestamp.now("UTC").floor("us")
    with launch(create_app(MODEL, record=folder), port=5080) as server:
        answers = [requests.post(f"{server.url}/api/mpg", json=c, timeout=5).json() for c in cars]
        found = read_examples(folder, predictions=True)
    assert list(found.columns) == [*NAMES, "prediction"]
    pd.testing.assert_frame_equal(
        found[NAMES].reset_index(drop=True), pd.DataFrame(cars)[NAMES], check_dtype=False
    )
    assert found["prediction"].tolist() == [answer["mpg"] for answer in answers]
    assert found.index.name == "time"
    assert found.index.is_monotonic_increasing
    assert before <= found.index[0] <= found.index[-1] <= pd.Timestamp.now("UTC").ceil("us")


def test_the_table_has_what_the_model_was_trained_on_and_nothing_else(folder: Path) -> None:
    create_app(MODEL, record=folder).test_client().post("/api/mpg", json=CAR)
    found = read_examples(folder)
    assert found.to_dict("records") == [CAR]
    assert "".join(dtype.kind for dtype in found.dtypes) == "iffffii"


def test_two_workers_lose_and_mix_nothing(recorded: tuple[Served, Path]) -> None:
    served, folder = recorded
    before = len(read_examples(folder))

    def client(number: int) -> None:
        with requests.Session() as session:
            for turn in range(50):
                car = CAR | {"weight": 2000 + number * 50 + turn}
                assert session.post(f"{served.url}/api/mpg", json=car, timeout=10).ok

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    wait_until(lambda: len(read_examples(folder)) >= before + 400)
    found = read_examples(folder)[before:]
    assert sorted(found["weight"]) == list(range(2000, 2400))
    assert len(list(folder.iterdir())) == 2  # both workers took part, each in a file of its own


def test_only_what_is_accepted_is_kept(recorded: tuple[Served, Path]) -> None:
    served, folder = recorded
    marked = CAR | {"acceleration": 11.125}
    bad: list[Any] = [
        marked | {"year": 99},
        marked | {"weight": "3504"},
        marked | {"owner": "somebody"},
        {"acceleration": 11.125},
        [marked],
    ]
    assert [ask(served, car).status_code for car in bad] == [400] * len(bad)
    for path in ("healthz", "readyz", "metrics"):  # readyz predicts, too
        assert requests.get(f"{served.url}/{path}", timeout=10).ok
    assert ask(served, marked).ok
    wait_until(lambda: (read_examples(folder)["acceleration"] == 11.125).any())
    time.sleep(0.3)  # three times as long as anything may take to be written
    assert (read_examples(folder)["acceleration"] == 11.125).sum() == 1
    assert not any(b"somebody" in line for line in lines(folder))


def test_what_could_not_be_answered_is_not_kept(folder: Path) -> None:
    client = broken_app(float("nan"), record=folder).test_client()
    assert client.post("/api/mpg", json=CAR).status_code == 500
    folder.mkdir()
    assert read_examples(folder).empty


def test_answers_are_the_same_with_and_without(mpg: Served, recorded: tuple[Served, Path]) -> None:
    asked = [*random_cars(10), CAR | {"year": 99}, {}, []]
    for car in asked:
        ours, plain = ask(recorded[0], car), ask(mpg, car)
        assert ours.status_code == plain.status_code
        changing = {"x-request-id", "date"}
        headers = [
            {name.lower(): text for name, text in answer.headers.items()}
            for answer in (ours, plain)
        ]
        assert headers[0].keys() == headers[1].keys()
        assert all(headers[0][n] == headers[1][n] for n in headers[0].keys() - changing)
        bodies = [answer.json() for answer in (ours, plain)]
        for body in bodies:
            body.pop("id", None), body.pop("request_id", None)
        assert bodies[0] == bodies[1]


def test_it_is_off_unless_asked_for(mpg: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("recording was not asked for")

    monkeypatch.setattr(mpg_service, "Recorder", never)
    assert create_app(MODEL).test_client().post("/api/mpg", json=CAR).status_code == 200
    assert "ecording" not in mpg.said()


def test_a_stopped_service_has_written_its_last_request(folder: Path) -> None:
    with running([*RECORDING, str(folder)]) as served:
        for weight in range(2000, 2020):
            assert ask(served, CAR | {"weight": weight}).ok
        served.terminate()  # within the tenth of a second in which the last ones wait
        served.process.wait(timeout=15)
    assert read_examples(folder)["weight"].tolist() == list(range(2000, 2020))


def test_the_command_says_that_it_records_and_where(recorded: tuple[Served, Path]) -> None:
    served, folder = recorded
    assert f"Recording accepted examples in {folder}" in served.said()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_nobody_else_may_read_it(recorded: tuple[Served, Path]) -> None:
    served, folder = recorded
    assert ask(served, CAR).ok
    assert wait_until(lambda: list(folder.iterdir()))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_folder_keeps_to_its_limit_and_loses_the_oldest(folder: Path) -> None:
    recorder = Recorder(folder, ["number", "half"], limit=SMALLEST)
    folder.mkdir()
    (folder / "mine.txt").write_text("x" * SMALLEST)  # not its own, not its business
    largest = 0
    for number in range(20_000):
        recorder([number, number / 2], 1.5)
        if number % 100 == 99:
            recorder.write()
            largest = max(largest, sum(sizes(folder).values()))
    assert SMALLEST / 2 < largest <= SMALLEST
    assert (folder / "mine.txt").exists()
    found = read_examples(folder)["number"]
    assert found.tolist() == list(range(20_000 - len(found), 20_000))  # the newest, without a gap
    assert len(found) * 60 > SMALLEST / 2  # a line has at least 60 bytes


def record_many(folder: Path, process: int, rows: int) -> None:
    recorder = Recorder(folder, ["process", "number"], limit=SMALLEST)
    for number in range(rows):
        recorder([process, number], 1.5)
        if number % 200 == 199:
            recorder.write()


def test_the_limit_holds_for_several_processes_together(folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=record_many, args=(folder, n, 4_000)) for n in range(4)]
    for writer in writers:
        writer.start()
    largest = 0
    while any(writer.is_alive() for writer in writers):
        first, second = sizes(folder), sizes(folder)
        # Where all were still there, and none smaller, all were there at once.
        if all(second.get(path, 0) >= size for path, size in first.items()):
            largest = max(largest, sum(first.values()))
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert SMALLEST / 2 < largest <= SMALLEST
    found = read_examples(folder)  # no warning: nothing is damaged
    assert len(found) > 200
    for _, numbers in found.groupby("process")["number"]:
        assert numbers.is_unique


def test_threads_do_not_mix_their_lines(folder: Path) -> None:
    recorder = Recorder(folder, ["thread", "number"])

    def many(thread: int) -> None:
        for number in range(1000):
            recorder([thread, number], thread / 7)
            if number % 100 == 0:
                recorder.write()  # all at once, and beside the recorder's own thread

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(many, range(8)))
    found = read_examples(folder, predictions=True)
    assert len(found) == 8000
    assert not found[["thread", "number"]].duplicated().any()
    assert np.array_equal(found["prediction"], found["thread"] / 7)


def test_a_recorder_nobody_uses_has_no_thread(folder: Path) -> None:
    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "recorder"]

    assert wait_until(lambda: not threads())  # those of the tests before
    recorder = Recorder(folder, ["number"])
    assert not folder.exists()
    assert not threads()
    recorder([1], 1.5)
    assert wait_until(lambda: folder.is_dir() and not threads())
    assert len(lines(folder)) == 1


def test_a_killed_process_loses_a_torn_line_and_no_other(folder: Path) -> None:
    """Killed outright, again and again, in the middle of writing."""
    script = f"""
from course_utils.inference import Recorder
recorder = Recorder({str(folder)!r}, ["number"])
number = 0
while True:
    recorder([number], 1.5)
    number += 1
    if number % 50 == 0:
        recorder.write()
"""
    for turn in range(3):
        writer = subprocess.Popen([sys.executable, "-c", script])
        assert wait_until(lambda turn=turn: folder.is_dir() and len(list(folder.iterdir())) > turn)
        writer.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        writer.wait(timeout=10)
    files = sorted(folder.iterdir())
    assert len(files) >= 3
    for path in files:  # what a kill leaves at the worst: the last line is unfinished
        path.write_bytes(path.read_bytes().rstrip(b"\n")[:-3])
    whole = sum(len(path.read_bytes().splitlines()) - 1 for path in files)
    with pytest.warns(UserWarning, match=rf"left out \({len(files)} in examples-") as caught:
        found = read_examples(folder, newest=10**6)
    assert len(caught) == 1
    assert len(found) == whole
    recorder = Recorder(folder, ["number"])  # a service started anew does not go on after a tear
    recorder([-1], 1.5)
    with pytest.warns(UserWarning, match=rf"left out \({len(files)} in"):
        assert read_examples(folder, newest=1)["number"].tolist() == [-1]


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00" * 500,
        b"\xff\xfe{}",
        b"[1, 2]",
        b"null",
        b'{"number": 1}',
        b'{"time": "now", "number": 1, "prediction": 1}',
        b'{"time": 1e300, "number": 1, "prediction": 1}',
        b'{"time": -5, "number": 1, "prediction": 1}',
        b'{"time": NaN, "number": 1, "prediction": 1}',
        b'{"time": 1, "number": NaN, "prediction": 1}',
        b'{"time": 1, "number": true, "prediction": 1}',
        b'{"time": 1, "number": [1], "prediction": 1}',
        b'{"time": 1, "number": ' + b"9" * 400 + b', "prediction": 1}',
        b'{"time": 1, "number": ' + b"9" * 5000 + b', "prediction": 1}',
        b"[" * 100_000,
    ],
    ids=lambda damage: repr(damage[:30]),
)
def test_a_damaged_line_is_left_out_and_said(folder: Path, damage: bytes) -> None:
    recorder = Recorder(folder, ["number"])
    recorder([7], 1.5)
    recorder.write()
    (folder / "examples-0.jsonl").write_bytes(damage + b"\n")
    with pytest.warns(UserWarning, match=r"\(1 in examples-0.jsonl\)"):
        assert read_examples(folder)["number"].tolist() == [7]


def test_the_newest_rows_are_the_newest_of_all_files(folder: Path) -> None:
    """Whatever the files' own times say: a copied folder has others."""
    folder.mkdir()
    for offset in range(3):
        rows = ({"time": 1e9 + t, "number": t, "prediction": 0} for t in range(offset, 90, 3))
        file = folder / f"examples-{offset}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        os.utime(file, (1e9 - offset, 1e9 - offset))
    found = read_examples(folder, newest=10)
    assert found["number"].tolist() == list(range(80, 90))
    assert found.index[0] == pd.Timestamp(1e9 + 80, unit="s", tz="UTC")
    with pytest.raises(ValueError, match="1 or more"):
        read_examples(folder, newest=0)


def test_a_folder_that_is_not_there_or_empty(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*asked"):
        read_examples(folder)
    folder.mkdir()
    found = read_examples(folder, predictions=True)
    assert found.empty
    assert isinstance(found.index, pd.DatetimeIndex)


def test_a_folder_that_cannot_be_made_is_a_warning_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("a file stands here")
    client = create_app(MODEL, record=folder).test_client()
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert client.post("/api/mpg", json=CAR).status_code == 200
            time.sleep(0.12)
    (warning,) = [r.getMessage() for r in caplog.records if "recorded" in r.getMessage()]
    assert str(folder) in warning
    assert "goes on without" in warning
    folder.unlink()  # mended: the next example is recorded
    assert client.post("/api/mpg", json=CAR).status_code == 200
    assert wait_until(lambda: folder.is_dir() and len(lines(folder)) == 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk always full")
def test_a_full_disk_neither_fails_nor_slows_a_request(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    client = create_app(MODEL, record=folder).test_client()
    really_open = os.open
    full = {"now": True}
    monkeypatch.setattr(
        os,
        "open",
        lambda path, flags, mode=0o777: really_open(
            "/dev/full" if full["now"] and str(path).endswith(".jsonl") else path, flags, mode
        ),
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert client.post("/api/mpg", json=CAR).status_code == 200
            time.sleep(0.15)
    (warning,) = [r.getMessage() for r in caplog.records if "recorded" in r.getMessage()]
    assert "No space left" in warning
    full["now"] = False
    assert client.post("/api/mpg", json=CAR).status_code == 200
    assert len(read_examples(folder)) == 1


def test_a_service_whose_folder_is_taken_away_says_so_and_serves_on(folder: Path) -> None:
    with running([*RECORDING, str(folder)]) as served:
        assert ask(served, CAR).ok
        assert wait_until(lambda: lines(folder))
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.write_text("a file stands here")
        for _ in range(3):
            assert ask(served, CAR).ok
            time.sleep(0.15)
        assert wait_until(lambda: "Examples cannot be recorded" in served.said())
        assert served.said().count("Examples cannot be recorded") == 1
        folder.unlink()
        assert ask(served, CAR).ok
        assert wait_until(lambda: folder.is_dir() and len(lines(folder)) == 1)


def test_a_slow_disk_keeps_nobody_waiting_and_memory_bounded(folder: Path) -> None:
    recorder = Recorder(folder, ["number"])
    recorder._writing.acquire()  # the disk hangs
    began = time.perf_counter()
    for number in range(30_000):
        recorder([number], 1.5)
    while time.perf_counter() < began + 0.5:
        recorder([30_000], 1.5)
        time.sleep(0.01)
    assert [thread.name for thread in threading.enumerate()].count("recorder") <= 2
    recorder._writing.release()
    found = read_examples(folder, newest=10**6)["number"]
    assert len(found) == WAITING  # the oldest were dropped
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
    def refuse(path: Path, **_: Any) -> None:  # as Windows does while somebody reads it
        raise PermissionError(13, "used by another process", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    recorder = Recorder(folder, ["number"], limit=SMALLEST)
    for number in range(5000):
        recorder([number], 1.5)
    recorder.write()
    assert SMALLEST / 2 < sum(sizes(folder).values()) <= SMALLEST
    assert "the oldest files cannot be removed" in caplog.text
    assert read_examples(folder)["number"].tolist()[:3] == [0, 1, 2]


def test_a_folder_of_that_name_is_no_file_of_ours(folder: Path) -> None:
    (folder / "examples-old.jsonl").mkdir(parents=True)
    Recorder(folder, ["number"])([7], 1.5)
    assert read_examples(folder)["number"].tolist() == [7]


def test_wrong_settings_are_refused_at_the_start(folder: Path) -> None:
    with pytest.raises(ValueError, match="it has to be 65536 or more"):
        Recorder(folder, ["number"], limit=1000)
    with pytest.raises(ValueError, match="a feature is called 'time'"):
        Recorder(folder, ["number", "time"])


def test_a_feature_may_have_any_other_name(folder: Path) -> None:
    names = ['50 % "off"', "naïve {x}", "%r"]
    Recorder(folder, names)([1, 2.5, -1e-300], 0.1)
    (row,) = read_examples(folder, predictions=True).to_dict("records")
    assert row == dict(zip([*names, "prediction"], [1, 2.5, -1e-300, 0.1], strict=True))
