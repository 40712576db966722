"""Checkpoints are there whole or not at all, and a damaged one is never believed."""

import hashlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from course_utils.training.resume.checkpoints import (
    Checkpoint,
    Position,
    ResumeError,
    Store,
    Unreadable,
)

FIRST, SECOND = Position(0, 50), Position(1, 0)


class PowerCut(BaseException):
    pass


def save(store: Store, position: Position, best: str | None = None) -> Path:
    label = f"val_loss-{1 / (1 + position.epoch):.4f}" if position.epoch else ""
    arrays = {"weights": np.arange(1000.0) + position.epoch * 100 + position.batch}
    content = {"best": {"file": best} if best else None, "versions": {"course": "0.1"}}
    return store.write(position, label, arrays, content)


def newest(store: Store) -> Checkpoint:
    found = store.newest()
    assert found
    expected = np.arange(1000.0) + found.position.epoch * 100 + found.position.batch
    assert (found.arrays["weights"] == expected).all(), "silently wrong"
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With two checkpoints."""
    store = Store(tmp_path, keep=3)
    save(store, FIRST)
    save(store, SECOND)
    return store


def second(store: Store, suffix: str) -> Path:
    return store.folder / f"epoch-001-val_loss-0.5000{suffix}"


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    assert Store(tmp_path, keep=3).newest() is None


def test_the_newest_is_found_by_its_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=20)
    for position in (Position(2, 0), Position(10, 7), Position(10, 0), Position(9, 99_999)):
        save(store, position)
    save(store, Position(1000, 0))
    save(store, Position(999, 0))
    assert newest(store).position == Position(1000, 0) or "999" in newest(store).path.name


def test_names_carry_epoch_batch_and_loss(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=3)
    assert save(store, Position(3, 0)).name == "epoch-003-val_loss-0.2500.npz"
    assert save(store, Position(3, 50)).name == "epoch-003-batch-00050-val_loss-0.2500.npz"
    assert store.write(Position(4, 0), "val_top/5: a-0.1", {}, {}).name == (
        "epoch-004-val_top_5__a-0.1.npz"
    )


def test_the_last_few_are_kept_and_what_they_name(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=2)
    (tmp_path / "model.keras").touch()  # somebody's own
    (tmp_path / "epoch-001.txt").touch()
    for epoch, best in ((1, "best-epoch-001"), (2, "best-epoch-002"), (3, "best-epoch-002")):
        store.put(best, b"weights")
        save(store, Position(epoch, 0), best)
    (tmp_path / "epoch-009.npz.part").touch()  # of a process that was killed
    store.put("best-epoch-004", b"weights")
    save(store, Position(4, 0), "best-epoch-004")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-epoch-002",
        "best-epoch-004",
        "epoch-001.txt",
        "epoch-003-val_loss-0.2500.json",
        "epoch-003-val_loss-0.2500.npz",
        "epoch-004-val_loss-0.2000.json",
        "epoch-004-val_loss-0.2000.npz",
        "model.keras",
    ]


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "zeros", "missing", "folder"])
def test_a_damaged_newest_gives_way_to_the_one_before(
    store: Store, suffix: str, damage: str
) -> None:
    path = second(store, suffix)
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.touch()
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "zeros":  # what some file systems leave after a power cut
        path.write_bytes(bytes(len(content)))
    elif damage == "folder":
        path.mkdir()
    if damage == "missing" and suffix == ".json":  # as if it had never been written
        assert newest(store).position == FIRST
        return
    with pytest.warns(UserWarning, match=r"epoch-001-val_loss-0.5000: .* after 0 epochs and 50"):
        assert newest(store).position == FIRST


def test_every_changed_byte_of_a_manifest_is_noticed(store: Store) -> None:
    path = second(store, ".json")
    content = path.read_bytes()
    end = len(content.rstrip(b"\n}"))  # closing braces and line ends say nothing
    for place in range(end):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = newest(store)
        assert found.position == FIRST or not caught
        assert found.content["versions"] == {"course": "0.1"}
        if found.position == SECOND:
            assert b"manifest" in content[place - 15 : place + 15] or place < 20


def test_after_a_fall_back_the_damaged_one_is_replaced(store: Store) -> None:
    second(store, ".npz").write_bytes(b"")
    save(store, Position(0, 60))
    assert newest(store).position == Position(0, 60)
    save(store, SECOND)
    assert newest(store).position == SECOND


def test_where_all_are_damaged_nothing_is_begun_anew(store: Store) -> None:
    for path in store.folder.glob("*.npz"):
        path.write_bytes(b"")
    with pytest.raises(Unreadable, match=r"epoch-001.*SHA-256.*; epoch-000-batch-00050"):
        store.newest()


def test_where_all_manifests_are_gone_nothing_is_begun_anew(store: Store) -> None:
    for path in store.folder.glob("*.json"):
        path.unlink()
    with pytest.raises(Unreadable, match="manifest is missing"):
        store.newest()


def test_another_format_is_refused(store: Store) -> None:
    path = second(store, ".json")
    _, text, tail = path.read_text().split("\n", 2)
    text = json.dumps(json.loads(text) | {"format": 0})
    digest = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(f'{{"sha256": "{digest}", "manifest":\n{text}\n{tail}')
    with pytest.raises(ResumeError, match=r"format 0 .* reads format 1.*version that wrote it"):
        store.newest()


def test_a_manifest_is_plain_json(store: Store) -> None:
    manifest = json.loads(second(store, ".json").read_text())["manifest"]
    assert manifest["position"] == [1, 0]
    content = second(store, ".npz").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("first", [True, False])
def test_a_power_cut_at_any_moment_of_a_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Ended before each of the calls to the system that a save makes, in turn."""
    ended = 0
    for moment in range(100):
        store = Store(tmp_path / str(moment), keep=1)
        store.folder.mkdir()
        if not first:
            save(store, FIRST)
        calls = 0

        def counted(do, moment=moment):  # type: ignore[no-untyped-def]
            def call(*arguments, **options):  # type: ignore[no-untyped-def]
                nonlocal calls
                calls += 1
                if calls == moment + 1:
                    raise PowerCut
                return do(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for owner, name in ((os, "fsync"), (os, "replace"), (os, "open"), (Path, "open")):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            patch.setattr(Path, "unlink", counted(Path.unlink))
            try:
                save(store, Position(0, 0) if first else SECOND)
            except PowerCut:
                ended += 1
            else:
                break
        found = store.newest()
        if found is None:
            assert first, "the one before is lost"
        else:
            assert newest(store).position in (Position(0, 0), FIRST, SECOND)
        save(store, SECOND)
        assert newest(store).position == SECOND
        assert not list(store.folder.glob("*.part"))
    assert ended > 6
