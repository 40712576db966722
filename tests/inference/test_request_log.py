"""What is recorded of the requests that were accepted is read back as it was asked and answered."""

import json
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from course_utils.inference import request_log
from course_utils.inference.request_log import Recorder, read_examples
from course_utils.services.mpg import create_app
from course_utils.serving import launch
from tests.inference.conftest import lines
from tests.services.http.test_operations import broken_app
from tests.support.cars import cars
from tests.support.serving import CAR, COURSE, FEATURES, MODEL, Served, ask_mpg, running, wait_until

RECORDING = [str(COURSE), "serve", "mpg", "--model", str(MODEL), "--record"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: Any) -> Iterator[tuple[Served, Path]]:
    """The service with two workers, recording, and the folder that it does not find made."""
    folder = tmp_path_factory.mktemp("home") / "not" / "yet"
    with running([*RECORDING, str(folder)], workers=2) as served:
        yield served, folder


def test_what_was_asked_and_answered_is_read_back(folder: Path) -> None:
    """Behind a notebook's cell nothing is missing, not even the last request."""
    asked = cars(30, seed=13)
    before = pd.Timestamp.now("UTC").floor("us")
    with launch(create_app(MODEL, record=folder), port=5080) as server:
        answers = [ask_mpg(server.url, car).json() for car in asked]
        found = read_examples(folder, predictions=True)
    assert list(found.columns) == [*FEATURES, "prediction"]
    assert list(read_examples(folder).columns) == FEATURES
    pd.testing.assert_frame_equal(
        found[FEATURES].reset_index(drop=True), pd.DataFrame(asked)[FEATURES], check_dtype=False
    )
    assert found["prediction"].tolist() == [answer["mpg"] for answer in answers]
    assert found.index.name == "time"
    assert found.index.is_monotonic_increasing
    assert before <= found.index[0] <= found.index[-1] <= pd.Timestamp.now("UTC").ceil("us")


def test_two_workers_lose_and_mix_nothing(recorded: tuple[Served, Path]) -> None:
    served, folder = recorded
    # A busy machine gives all connections to one worker for a while. Each writes a file of its own.
    wait_until(lambda: ask_mpg(served.url).ok and len(list(folder.glob("*"))) == 2)

    def client(number: int) -> None:
        with requests.Session() as session:
            for turn in range(50):
                car = CAR | {"weight": 2000 + number * 50 + turn}
                assert session.post(f"{served.url}/api/mpg", json=car, timeout=60).ok

    def find_sent() -> list[float]:
        weights = read_examples(folder)["weight"]
        return sorted(weights[weights.between(2000, 2399)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    wait_until(lambda: len(find_sent()) >= 400)
    assert find_sent() == list(range(2000, 2400))


def test_only_what_is_accepted_is_kept(recorded: tuple[Served, Path]) -> None:
    served, folder = recorded
    marked = CAR | {"acceleration": 11.125}
    assert f"Recording accepted examples in {folder}" in served.said()
    for bad in (marked | {"year": 99}, marked | {"owner": "somebody"}, [marked]):
        assert ask_mpg(served.url, bad).status_code == 400
    for path in ("healthz", "readyz", "metrics"):  # readyz predicts, too
        assert requests.get(f"{served.url}/{path}", timeout=60).ok
    assert ask_mpg(served.url, marked).ok
    wait_until(lambda: (read_examples(folder)["acceleration"] == 11.125).any())
    time.sleep(0.3)  # three times as long as anything may take to be written
    assert (read_examples(folder)["acceleration"] == 11.125).sum() == 1
    assert not any(b"somebody" in line for line in lines(folder))


def test_what_could_not_be_answered_is_not_kept(folder: Path) -> None:
    client = broken_app(float("nan"), record=folder).test_client()
    assert client.post("/api/mpg", json=CAR).status_code == 500
    folder.mkdir()
    assert read_examples(folder).empty


def test_a_stopped_service_has_written_its_last_request(folder: Path) -> None:
    with running([*RECORDING, str(folder)]) as served:
        for weight in range(2000, 2020):
            assert ask_mpg(served.url, CAR | {"weight": weight}).ok
        served.terminate()  # within the tenth of a second in which the last ones wait
        served.process.wait(timeout=60)
    assert read_examples(folder)["weight"].tolist() == list(range(2000, 2020))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_nobody_else_may_read_it(recorded: tuple[Served, Path]) -> None:
    served, folder = recorded
    assert ask_mpg(served.url, CAR).ok
    assert wait_until(lambda: list(folder.iterdir()))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_newest_rows_are_the_newest_of_all_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the files' own times say: a copied folder has others."""
    monkeypatch.setattr(request_log, "NEWEST_ROWS", 10)
    folder.mkdir()
    for offset in range(3):
        rows = ({"time": 1e9 + t, "number": t, "prediction": 0} for t in range(offset, 90, 3))
        file = folder / f"examples-{offset}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        os.utime(file, (1e9 - offset, 1e9 - offset))
    found = read_examples(folder)
    assert found["number"].tolist() == list(range(80, 90))
    assert found.index[0] == pd.Timestamp(1e9 + 80, unit="s", tz="UTC")


def test_a_folder_that_is_not_there_or_empty(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*asked"):
        read_examples(folder)
    folder.mkdir()
    found = read_examples(folder, predictions=True)
    assert found.empty
    assert isinstance(found.index, pd.DatetimeIndex)


def test_a_feature_may_have_any_other_name(folder: Path) -> None:
    names = ['50 % "off"', "naïve {x}", "%r"]
    Recorder(folder, names)([1, 2.5, -1e-300], 0.1)
    (row,) = read_examples(folder, predictions=True).to_dict("records")
    assert row == dict(zip([*names, "prediction"], [1, 2.5, -1e-300, 0.1], strict=True))


def test_a_feature_named_as_what_is_added_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="a feature is called 'time'"):
        Recorder(folder, ["number", "time"])
