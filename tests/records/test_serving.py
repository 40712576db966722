"""What is served is a log that only grows, whatever happens to those who write it."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from course_utils import records
from course_utils.records import Serving
from course_utils.records.serving import LOG
from tests.records.conftest import register
from tests.records.test_store import start

NEVER = "there is nothing to go back to"


def brief(state: Serving) -> tuple[str, int | None, int | None, float]:
    return state.action, state.version, state.canary, state.share


def test_before_the_first_promotion_nothing_is_served(store: Path):
    assert records.serving("mpg", store=store) == Serving()
    assert records.serving("unheard-of", store=store).version is None
    assert records.history("mpg", store=store) == []


def test_a_promotion_says_who_when_and_why(store: Path):
    state = records.promote("mpg", 1, store=store, reason="it is the first ☕")
    assert state == records.serving("mpg", store=store)
    assert state == Serving(1, None, 0.0, state.time, "it is the first ☕", state.by, "promote")
    registered = records.load("mpg", 1, store=store).document
    assert state.time > registered["registered"]
    assert state.by == registered["trained"]["by"]


def test_the_way_of_a_canary(store: Path):
    records.promote("mpg", 1, store=store)
    assert brief(records.try_canary("mpg", 2, 0.1, store=store)) == ("try canary", 1, 2, 0.1)
    assert brief(records.try_canary("mpg", 2, 0.5, store=store)) == ("try canary", 1, 2, 0.5)
    assert brief(records.end_canary("mpg", store=store)) == ("end canary", 1, None, 0)
    records.try_canary("mpg", 2, 0.1, store=store)
    assert brief(records.promote("mpg", 2, store=store)) == ("promote", 2, None, 0)
    records.try_canary("mpg", 1, 0.1, store=store)
    assert brief(records.roll_back("mpg", store=store)) == ("roll back", 1, None, 0)
    said = [brief(state)[:3] for state in records.history("mpg", store=store)]
    assert said == [
        ("promote", 1, None),
        ("try canary", 1, 2),
        ("try canary", 1, 2),
        ("end canary", 1, None),
        ("try canary", 1, 2),
        ("promote", 2, None),
        ("try canary", 2, 1),
        ("roll back", 1, None),
    ]


def test_rolling_back_goes_back_step_by_step(store: Path):
    register(store)
    for version in (1, 2, 2, 3):  # promoted twice: still one step
        records.promote("mpg", version, store=store)
    assert records.roll_back("mpg", store=store).version == 2
    assert records.roll_back("mpg", store=store).version == 1
    with pytest.raises(ValueError, match=NEVER):
        records.roll_back("mpg", store=store)
    records.promote("mpg", 3, store=store)
    assert records.roll_back("mpg", store=store).version == 1
    records.promote("mpg", 1, store=store)  # served already, by rolling back
    with pytest.raises(ValueError, match=NEVER):
        records.roll_back("mpg", store=store)


def test_what_makes_no_sense_is_refused_and_changes_nothing(store: Path):
    with pytest.raises(ValueError, match="No version of mpg is served yet: promote one first"):
        records.try_canary("mpg", 2, 0.1, store=store)
    for name in ("mpg", "unheard-of"):
        with pytest.raises(ValueError, match=NEVER):
            records.roll_back(name, store=store)
        with pytest.raises(ValueError, match=f"{name} has no canary"):
            records.end_canary(name, store=store)
    with pytest.raises(FileNotFoundError, match=r"No version 3 of mpg in .*: there are 1, 2"):
        records.promote("mpg", 3, store=store)
    assert records.history("mpg", store=store) == []
    records.promote("mpg", 1, store=store)
    for share in (0, 1, -0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="has to be more than 0 and less than 1"):
            records.try_canary("mpg", 2, share, store=store)
    with pytest.raises(ValueError, match="Version 1 of mpg is the one being served: try another"):
        records.try_canary("mpg", 1, 0.1, store=store)
    with pytest.raises(ValueError, match="mpg has no canary"):
        records.end_canary("mpg", store=store)
    assert len(records.history("mpg", store=store)) == 1
    assert not (store / "unheard-of").exists()


def test_a_damaged_version_is_not_served(store: Path):
    for version in (1, 2, 1):
        records.promote("mpg", version, store=store)
    model = records.load("mpg", 2, store=store).model
    model.write_bytes(model.read_bytes()[:-1])
    for attempt in (
        lambda: records.promote("mpg", 2, store=store),
        lambda: records.try_canary("mpg", 2, 0.1, store=store),
        lambda: records.roll_back("mpg", store=store),
    ):
        with pytest.raises(ValueError, match=r"mpg\.tflite is not as it was registered"):
            attempt()
    assert records.serving("mpg", store=store).version == 1
    assert len(records.history("mpg", store=store)) == 3


def test_a_line_that_was_not_finished_counts_as_never_written(store: Path):
    records.promote("mpg", 1, store=store)
    log = store / "mpg" / LOG
    first = log.read_bytes()
    records.promote("mpg", 2, store=store)
    whole = log.read_bytes()
    for end in range(len(first), len(whole)):
        log.write_bytes(whole[:end])
        assert records.serving("mpg", store=store).version == 1
        assert [state.version for state in records.history("mpg", store=store)] == [1]
    for end in (len(first), len(first) + 1, len(whole) - 1):
        log.write_bytes(whole[:end])
        assert brief(records.promote("mpg", 2, store=store)) == ("promote", 2, None, 0)
        lines = log.read_text("utf-8").splitlines(keepends=True)
        assert [json.loads(line)["version"] for line in lines] == [1, 2]
        assert lines[0].encode() == first
        assert lines[1].endswith("\n")


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"version": 1, "colour": "red"}', '"\xff"'])
def test_a_damaged_line_is_told_by_its_number(store: Path, line: str):
    for version in (1, 2):
        records.promote("mpg", version, store=store)
    log = store / "mpg" / LOG
    first, second = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + line.encode("latin-1") + b"\n" + second)
    with pytest.raises(ValueError, match=r"promotions\.jsonl, line 2, is damaged: bring the file"):
        records.history("mpg", store=store)
    before = log.read_bytes()
    with pytest.raises(ValueError, match="line 2, is damaged"):
        records.promote("mpg", 1, store=store)
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    ("remaining", "back_to"),
    [([0, 2, 3], 1), ([0, 1, 3], 1), ([2, 3], 1), ([2], None), ([1, 2], None), ([0, 2], None)],
)
def test_a_log_without_a_damaged_line_can_be_rolled_back(
    store: Path, remaining: list, back_to: Any
):
    """Of: promote 1, promote 2, roll back, promote 2; as the message for a damaged line says."""
    for version in (1, 2):
        records.promote("mpg", version, store=store)
    records.roll_back("mpg", store=store)
    records.promote("mpg", 2, store=store)
    log = store / "mpg" / LOG
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[number] for number in remaining))
    if back_to:
        assert records.roll_back("mpg", store=store).version == back_to
    else:
        with pytest.raises(ValueError, match=NEVER):
            records.roll_back("mpg", store=store)


def test_who_was_overtaken_promotes_nothing(store: Path):
    records.promote("mpg", 1, store=store, instead_of=None)
    records.promote("mpg", 2, store=store, instead_of=1)
    with pytest.raises(records.Overtaken, match="Meanwhile version 2 is served, not 1"):
        records.promote("mpg", 1, store=store, instead_of=1)
    with pytest.raises(records.Overtaken, match="Meanwhile version 2 is served, not 1"):
        records.try_canary("mpg", 1, 0.1, store=store, beside=1)
    assert records.try_canary("mpg", 1, 0.1, store=store, beside=2).canary == 1


def test_no_promotion_of_many_at_once_is_lost(store: Path):
    process = start("promote", store, 30)
    process.communicate()
    assert process.returncode == 0
    found = records.history("mpg", store=store)
    assert {state.reason for state in found} == {str(number) for number in range(30)}
    assert [state.time for state in found] == sorted(state.time for state in found)
    assert records.serving("mpg", store=store) == found[-1]


def test_looking_costs_no_reading_until_something_changes(store: Path):
    records.promote("mpg", 1, store=store)
    log = store / "mpg" / LOG
    assert records.serving("mpg", store=store).version == 1
    state = log.stat()
    log.write_bytes(log.read_bytes().replace(b'"version": 1', b'"version": 2'))
    os.utime(log, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert records.serving("mpg", store=store).version == 1  # it looks the same: it was not read
    later = time.time() + 1
    os.utime(log, (later, later))
    assert records.serving("mpg", store=store).version == 2
    log.unlink()
    assert records.serving("mpg", store=store) == Serving()
