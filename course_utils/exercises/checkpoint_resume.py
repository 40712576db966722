"""Exercises of notebook 05."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from course_utils.exercises import Exercise


def newest_epoch(folder: Any) -> tuple[Any, int]:
    """The newest checkpoint and its number of epochs."""
    import re

    def epoch(path: Any) -> int:
        match = re.search(r"epoch-(\d+)", path.name)
        return int(match[1]) if match else -1

    newest = max(folder.glob("*.keras"), key=epoch)
    return newest, epoch(newest)


def _test_newest(answer: Callable[[Path], tuple[Path, int]]) -> None:
    import tempfile

    for names in (["epoch-02-loss-0.113.keras"], ["epoch-9-loss-0.2.keras", "epoch-10-loss-0.3"]):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            files = [folder / f"{name.removesuffix('.keras')}.keras" for name in names]
            for file in [*reversed(files), folder / "log.txt"]:
                file.touch()
            got = answer(folder)
        assert got is not None, "your function returns nothing; it should return a pair."
        path, epochs = got
        wanted = 2 if len(names) == 1 else 10
        assert Path(path) == files[-1], f"of {', '.join(names)} the newest is not {path}."
        assert epochs == wanted, f"{files[-1].name} has {wanted} epochs behind it, not {epochs!r}."


newest = Exercise(
    test=_test_newest,
    solve=newest_epoch,
    hints=(
        "re.search(r'epoch-(\\d+)', path.name)[1] is the epoch, as a text.",
        "As texts, '9' comes after '10': compare numbers, with max(..., key=...).",
    ),
)


def write_atomically(path: Any, data: bytes) -> None:
    """Write a file whole or not at all."""
    import os

    draft = path.with_name(path.name + ".part")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # wait until it is on the disk
    draft.replace(path)


def _test_atomic(answer: Callable[[Path, bytes], Any]) -> None:
    import os
    import tempfile
    from unittest import mock

    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "weights.bin")
        path.write_bytes(b"old")
        seen = []
        replace = os.replace

        def watched(source: Any, target: Any, **options: Any) -> None:
            seen.append((Path(target) == path, path.read_bytes()))
            replace(source, target, **options)

        with mock.patch("os.replace", watched), mock.patch("os.rename", watched):
            answer(path, b"new")
        assert path.read_bytes() == b"new", "after your function the file does not hold the data."
        left = sorted(entry.name for entry in Path(place).iterdir())
        assert left == ["weights.bin"], f"something is left behind: {', '.join(left)}."
        assert seen, "put the finished file in its place with draft.replace(path)."
        assert seen[-1] == (True, b"old"), "the old content was gone before the new was in place."


atomic = Exercise(
    test=_test_atomic,
    solve=write_atomically,
    hints=(
        "Write the data to another file in the same folder first, and close it.",
        "draft.replace(path) puts it in its place in one go, on every system.",
    ),
)


def order_of_epoch(seed: int, epoch: int, n: int) -> Any:
    """The order of n examples in an epoch."""
    import numpy as np

    return np.random.default_rng([seed, epoch]).permutation(n)


def _test_order(answer: Callable[[int, int, int], Any]) -> None:
    import numpy as np

    first = answer(5, 0, 100)
    assert first is not None, "your function returns nothing."
    assert sorted(first) == list(range(100)), "each number from 0 to n-1 has to be there once."
    np.random.random(7)  # what another process may have drawn in the meantime
    assert list(answer(5, 0, 100)) == list(first), "asked again, it gives another order."
    assert list(answer(5, 1, 100)) != list(first), "the next epoch should have another order."
    assert list(answer(6, 0, 100)) != list(first), "another seed should give another order."


order = Exercise(
    test=_test_order,
    solve=order_of_epoch,
    hints=(
        "np.random.default_rng takes several numbers as a seed, in a list.",
        "np.random.default_rng([seed, epoch]).permutation(n)",
    ),
)
