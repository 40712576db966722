"""``course drift``: what a live service was asked, against what its model was trained on."""

import functools
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from course_utils.datasets import load_auto_mpg
from course_utils.inference import Recorder
from tests.support.command import course
from tests.support.serving import FEATURES, free_port

TRAINING = load_auto_mpg()[FEATURES].dropna()


drift = functools.partial(course, "drift", "mpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "asked"


def record(folder: Path, cars: pd.DataFrame) -> None:
    """What the service would leave, without the service."""
    recorder = Recorder(folder, list(cars.columns))
    for row in cars.itertuples(index=False):
        recorder([value.item() for value in map(np.asarray, row)], 20.0)
    recorder.write()


def usual(number: int, seed: int = 0) -> pd.DataFrame:
    return TRAINING.sample(number, random_state=seed)


def strong(number: int) -> pd.DataFrame:
    return TRAINING[TRAINING["horsepower"] > 120].sample(number, replace=True, random_state=0)


def test_a_change_that_is_not_large_is_to_be_watched(folder: Path) -> None:
    record(folder, pd.concat([usual(150), strong(110)]))
    result = drift("--requests", folder)
    assert result.exit_code == 3, result.output
    assert result.output.startswith("WATCH\n")


def test_for_people_and_for_machines(folder: Path) -> None:
    record(folder, strong(100))
    output = drift("--requests", folder).output
    assert output.startswith("RETRAIN\n")
    assert "100 requests were compared with 392 training rows." in output
    assert "horsepower: " in output  # a reason
    assert "prediction" not in output
    found = json.loads(drift("--requests", folder, "--json").stdout)
    assert (found["verdict"], found["requests"]) == ("retrain", 100)
    culprits = [c["column"] for c in found["report"]["columns"] if c["verdict"] == "retrain"]
    assert "horsepower" in culprits


def test_too_few_requests_have_a_message_and_a_code_of_their_own(folder: Path) -> None:
    folder.mkdir()
    result = drift("--requests", folder)
    assert result.exit_code == 5
    assert "0 requests are too few for a verdict, which takes 50" in result.output
    record(folder, strong(49))
    found = drift("--requests", folder, "--json")
    assert found.exit_code == 5
    answer = json.loads(found.stdout)
    assert (answer["verdict"], answer["requests"], answer["report"]) == ("too few", 49, None)
    record(folder, strong(1))
    assert drift("--requests", folder).exit_code == 4


def test_a_folder_that_was_never_a_recording_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    result = drift("--requests", folder)
    assert result.exit_code == 1
    assert "has never been a recording" in result.output
    assert "course serve mpg --record FOLDER" in result.output
    record(folder, strong(1))
    assert drift("--requests", folder).exit_code == 5  # others' files do no harm


def test_since_leaves_older_requests_out(folder: Path) -> None:
    folder.mkdir()
    now = datetime.now(UTC).timestamp()
    for hours, cars in ((30, strong(100)), (1, usual(100))):
        lines = [
            json.dumps({"time": now - hours * 3600, **car, "prediction": 1})
            for car in cars.to_dict("records")
        ]
        (folder / f"examples-{hours}.jsonl").write_text("\n".join(lines) + "\n")
    assert drift("--requests", folder).exit_code != 0
    assert drift("--requests", folder, "--since", "24h").exit_code == 0
    assert drift("--requests", folder, "--since", "30m").exit_code == 5
    assert drift("--requests", folder, "--since", "90m").exit_code == 0
    assert drift("--requests", folder, "--since", "2d").exit_code != 0
    west = timezone(timedelta(hours=-9))  # 25 hours ago there, read as UTC, is 34 hours ago
    for zone in (None, UTC, west):  # without one, this machine's
        day = (datetime.now(zone) - timedelta(hours=25)).isoformat()
        assert drift("--requests", folder, "--since", day).exit_code == 0


@pytest.mark.parametrize("text", ["yesterday", "", "24", "-3h", "999999d", "2026-13-01"])
def test_a_wrong_since_says_what_is_right(folder: Path, text: str) -> None:
    record(folder, usual(60))
    result = drift("--requests", folder, "--since", text)
    assert result.exit_code == 1
    assert "neither an age (90m, 24h, 7d) nor a time" in result.output


def test_another_reference_from_a_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "trained on.csv"
    strong(200).assign(mpg=1, owner="x").to_csv(file, index=False)
    record(folder, strong(100))
    assert drift("--requests", folder).exit_code == 4
    assert drift("--requests", folder, "--reference", file).exit_code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a CSV file"),
        (b"weight,year\n3000,70\n", "has no acceleration, cylinders, displacement"),
        (",".join(FEATURES).encode() + b"\n1,2,3,4,5,6,7\n", "The reference table has 1 row"),
    ],
)
def test_a_reference_that_is_none(
    folder: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    record(folder, usual(60))
    result = drift("--requests", folder, "--reference", tmp_path / "x.csv")
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_torn_line_is_a_note_and_no_error(folder: Path) -> None:
    record(folder, usual(60))
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    result = drift("--requests", folder)
    assert result.exit_code == 0
    said = " ".join(result.output.split())  # wherever its lines were broken
    assert "Note: Unfinished or damaged lines are left out (1 in examples-" in said
    assert json.loads(drift("--requests", folder, "--json").stdout)["notes"]


def test_the_report_as_a_page(folder: Path, tmp_path: Path) -> None:
    record(folder, strong(100))
    page = tmp_path / "report.html"
    assert drift("--requests", folder, "--html", page).exit_code == 4
    text = page.read_text("utf-8")
    assert "<html" in text
    assert "horsepower" in text
    nowhere = drift("--requests", folder, "--html", tmp_path / "no" / "x.html")
    assert nowhere.exit_code == 1
    assert "Traceback" not in nowhere.output


def test_hello_records_nothing_and_a_file_is_no_folder(tmp_path: Path) -> None:
    result = course("serve", "hello", "--record", tmp_path)
    assert result.exit_code == 2
    assert "only mpg does" in result.output
    (tmp_path / "file").touch()
    assert course("serve", "mpg", "--record", tmp_path / "file").exit_code == 2
    folder = tmp_path / "file" / "folder"
    below = course("serve", "mpg", "--record", folder, "--port", free_port())
    assert below.exit_code == 1
    assert str(tmp_path / "file") in below.output
    assert "Traceback" not in below.output
