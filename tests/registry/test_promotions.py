"""What is served is a log that only grows, whatever happens to those who write it."""

import time
from pathlib import Path

import pytest

from course_utils import registry
from course_utils.registry import Serving
from course_utils.registry.promotions import LOG
from tests.support.records import register
from tests.support.registering import change_at_once

NEVER = "there is nothing to go back to"


def shorten(state: Serving) -> tuple[str, int | None, int | None, float]:
    return state.action, state.version, state.canary, state.share


def test_a_promotion_says_who_when_and_why(store: Path):
    state = registry.promote("mpg", 1, store=store, reason="it is the first ☕")
    assert state == registry.read_serving("mpg", store=store)
    assert state == Serving(1, None, 0.0, state.time, "it is the first ☕", state.by, "promote")
    registered = registry.load("mpg", 1, store=store).document
    assert state.time > registered["registered"]
    assert state.by == registered["trained"]["by"]


def test_the_way_of_a_canary(store: Path):
    done = [
        registry.promote("mpg", 1, store=store),
        registry.try_canary("mpg", 2, 0.1, store=store),
        registry.try_canary("mpg", 2, 0.5, store=store),
        registry.promote("mpg", 2, store=store),
        registry.try_canary("mpg", 1, 0.1, store=store),
        registry.roll_back("mpg", store=store),
    ]
    assert [shorten(state) for state in done] == [
        ("promote", 1, None, 0),
        ("try canary", 1, 2, 0.1),
        ("try canary", 1, 2, 0.5),
        ("promote", 2, None, 0),
        ("try canary", 2, 1, 0.1),
        ("roll back", 1, None, 0),
    ]
    assert registry.read_history("mpg", store=store) == done


def test_rolling_back_goes_back_step_by_step(store: Path):
    register(store)
    for version in (1, 2, 2, 3):  # promoted twice: still one step
        registry.promote("mpg", version, store=store)
    assert registry.roll_back("mpg", store=store).version == 2
    assert registry.roll_back("mpg", store=store).version == 1
    with pytest.raises(ValueError, match=NEVER):
        registry.roll_back("mpg", store=store)
    registry.promote("mpg", 3, store=store)
    assert registry.roll_back("mpg", store=store).version == 1
    registry.promote("mpg", 1, store=store)  # served already, by rolling back
    with pytest.raises(ValueError, match=NEVER):
        registry.roll_back("mpg", store=store)


def test_what_makes_no_sense_is_refused_and_changes_nothing(store: Path):
    with pytest.raises(ValueError, match="No version of mpg is served yet: promote one first"):
        registry.try_canary("mpg", 2, 0.1, store=store)
    for name in ("mpg", "unheard-of"):
        with pytest.raises(ValueError, match=NEVER):
            registry.roll_back(name, store=store)
    with pytest.raises(FileNotFoundError, match=r"No version 3 of mpg in .*: there are 1, 2"):
        registry.promote("mpg", 3, store=store)
    assert registry.read_history("mpg", store=store) == []
    registry.promote("mpg", 1, store=store)
    for share in (0, 1, -0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="has to be more than 0 and less than 1"):
            registry.try_canary("mpg", 2, share, store=store)
    with pytest.raises(ValueError, match="Version 1 of mpg is the one being served: try another"):
        registry.try_canary("mpg", 1, 0.1, store=store)
    assert len(registry.read_history("mpg", store=store)) == 1
    assert not (store / "unheard-of").exists()


@pytest.mark.parametrize("line", ["{", '{"version": 1, "colour": "red"}'])
def test_a_damaged_line_is_told_by_its_number(store: Path, line: str):
    for version in (1, 2):
        registry.promote("mpg", version, store=store)
    log = store / "mpg" / LOG
    first, second = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + line.encode() + b"\n" + second)
    with pytest.raises(ValueError, match=r"promotions\.jsonl, line 2, is damaged: bring the file"):
        registry.read_history("mpg", store=store)
    before = log.read_bytes()
    with pytest.raises(ValueError, match="line 2, is damaged"):
        registry.promote("mpg", 1, store=store)
    assert log.read_bytes() == before
    log.write_bytes(first + second)  # as the message says
    assert registry.roll_back("mpg", store=store).version == 1


def test_a_step_back_is_one_step_although_a_damaged_line_was_removed(store: Path):
    register(store)
    register(store)
    for version in (1, 2, 3, 4):
        registry.promote("mpg", version, store=store)
    registry.roll_back("mpg", store=store)
    log = store / "mpg" / LOG
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for line in lines if b'"version": 4' not in line))
    assert registry.roll_back("mpg", store=store).version == 2


@pytest.mark.thorough
def test_no_promotion_of_several_at_once_is_lost(store: Path):
    with change_at_once("promote", store, store, times=3) as said:
        time.sleep(0.5)
    found = registry.read_history("mpg", store=store)
    assert {reason.strip() for reason in said} <= {state.reason for state in found}
    assert [state.time for state in found] == sorted(state.time for state in found)
    assert registry.read_serving("mpg", store=store) == found[-1]
