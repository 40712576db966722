"""Checkpoints are there whole or not at all, and a damaged one is never believed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training.resume import ResumeError
from course_utils.training.resume.checkpoints import Checkpoint, Position, Store

FIRST, SECOND = Position(0, 50), Position(1, 0)


class PowerCut(BaseException):
    pass


def save(store: Store, position: Position) -> None:
    arrays = {"weights": np.arange(1000.0) + position.epoch * 100 + position.batch}
    store.write(Checkpoint(position, arrays, {}), "val_loss-0.5000" if position.epoch else "")


def load(store: Store) -> Position:
    found = store.load_newest()
    assert found
    expected = np.arange(1000.0) + found.position.epoch * 100 + found.position.batch
    assert (found.arrays["weights"] == expected).all(), "silently wrong"
    return found.position


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With two checkpoints."""
    store = Store(tmp_path, {"course": "0.1"})
    save(store, FIRST)
    save(store, SECOND)
    return store


def second(store: Store, suffix: str) -> Path:
    return store.folder / f"epoch-001-val_loss-0.5000{suffix}"


def test_the_newest_is_found_by_its_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path, {})
    assert store.load_newest() is None
    for position in (Position(2, 0), Position(9, 99_999), Position(10, 0), Position(1000, 0)):
        save(store, position)
        assert load(store) == position


def test_the_last_few_are_kept_and_what_is_not_ours(tmp_path: Path) -> None:
    store = Store(tmp_path, {})
    (tmp_path / "model.keras").touch()  # somebody's own
    (tmp_path / "epoch-001.txt").touch()
    for epoch in (1, 2, 3):
        save(store, Position(epoch, 0))
    (tmp_path / "epoch-009.npz.part").touch()  # of a process that was killed
    save(store, Position(3, 50))
    stems = ["epoch-002-val_loss", "epoch-003-batch-00050-val_loss", "epoch-003-val_loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-001.txt",
        *(f"{stem}-0.5000.{ending}" for stem in stems for ending in ("json", "npz")),
        "model.keras",
    ]


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "zeros", "missing"])
def test_a_damaged_newest_gives_way_to_the_one_before(
    store: Store, suffix: str, damage: str
) -> None:
    path = second(store, suffix)
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "zeros":  # what some file systems leave after a power cut
        path.write_bytes(bytes(len(content)))
    if damage == "missing" and suffix == ".json":  # as if it had never been written
        assert load(store) == FIRST
        return
    with pytest.warns(UserWarning, match=r"epoch-001-val_loss-0.5000: .* after 0 epochs and 50"):
        assert load(store) == FIRST
    save(store, Position(0, 60))
    assert load(store) == Position(0, 60)  # the damaged one is gone


def test_where_all_are_damaged_nothing_is_begun_anew(store: Store) -> None:
    for path in store.folder.glob("*.npz"):
        path.write_bytes(b"")
    with pytest.raises(ResumeError, match=r"epoch-001.*SHA-256.*; epoch-000-batch-00050"):
        store.load_newest()


def test_another_format_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "epoch-001.json").write_text(json.dumps({"manifest": {"format": 2}}))
    with pytest.raises(ResumeError, match="this version of the course cannot read format 2"):
        Store(tmp_path, {}).load_newest()


@pytest.mark.parametrize("first", [True, False])
def test_a_power_cut_at_any_moment_of_a_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Ended before each of the calls to the system that a save makes, in turn."""
    calls: list[str] = []
    for moment in range(1, 100):
        store = Store(tmp_path / str(moment), {})
        for batch in () if first else (48, 49, 50):
            save(store, Position(0, batch))
        calls.clear()

        def counted(do: Callable[..., Any], moment: int = moment) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                calls.append(do.__name__)
                if len(calls) == moment:
                    raise PowerCut
                return do(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for owner, name in ((os, "fsync"), (os, "replace"), (Path, "open"), (Path, "unlink")):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            try:
                save(store, SECOND)
                break
            except PowerCut:
                assert first or load(store) in (FIRST, SECOND), "the one before is lost"
        save(store, SECOND)
        assert load(store) == SECOND
        assert not list(store.folder.glob("*.part"))
    assert moment > 6
