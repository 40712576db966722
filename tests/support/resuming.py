"""Trainings cut short without a signal, and networks and data to do it with."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training.resume.frameworks import tf
from course_utils.training.resume.state import capture_variables, restore_variables
from tests.support import training
from tests.support.training import BATCH, STEPS, differing, images, network, outcome


class Cut(BaseException):
    """In place of a SIGKILL: nothing of ours runs after it (real ones: test_process.py)."""


def raise_cut() -> None:
    raise Cut


def cut_after(
    batches: int, listed: list[Any] | None = None, end: Callable[[], None] = raise_cut
) -> list[Any]:
    """Callbacks of which the last ends the training after so many batches."""
    listed = training.callbacks() if listed is None else listed
    numbers = itertools.count(1)

    def act() -> None:
        if next(numbers) == batches:
            end()

    listed[-1].act = act
    return listed


def cut(folder: Path, batches: int, listed: list[Any] | None = None, **changes: Any) -> None:
    """Train for so many batches."""
    with pytest.raises(Cut):
        training.train(folder, cut_after(batches, listed), **changes)


def check_exactness(
    folder: Path,
    make: Callable[[int], Any],
    cuts: tuple[int, ...],
    listed: Callable[[], list[Any]] = lambda: [training.Seen()],
    **changes: Any,
) -> dict[str, Any]:
    """Train once without and once with interruptions, each after so many batches more.

    Args:
        folder: for both runs.
        make: gives the network for a seed. The last part is trained in one of another seed.
        cuts: numbers of batches.
        listed: gives the callbacks.
        changes: arguments of the training.

    Returns:
        What the training comes to.
    """
    whole = outcome(*training.train(folder / "whole", listed(), model=make(1), **changes))
    for batches in cuts:
        cut(folder / "cut", batches, listed(), model=make(1), **changes)
    found = outcome(*training.train(folder / "cut", listed(), model=make(2), **changes))
    assert differing(whole, found) == []
    return whole


def find_newest(folder: Path) -> Path:
    """Find the arrays of the checkpoint that was written last."""
    return max(folder.glob("epoch-*.npz"), key=lambda path: path.stat().st_mtime_ns)


class Networks:
    """Two networks that trainings share, as making one takes longer than training it."""

    def __init__(self) -> None:
        self.first, self.second = network(), network(seed=99)
        self.initial = capture_variables(self.first)

    def fresh(self) -> Any:
        """Give the first, as it was made."""
        variables = self.first.optimizer.variables
        state = capture_variables(self.first) | self.initial if variables else self.initial
        zeros = {k: np.zeros_like(v) for k, v in state.items() if k not in self.initial}
        restore_variables(self.first, state | zeros)
        self.first.optimizer.learning_rate = 0.01
        return self.first

    def make(self, seed: int) -> Any:
        return self.fresh() if seed == 1 else self.second


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks()


def pipeline(seed: int | None = None, **options: Any) -> Any:
    tf.random.set_seed(1)  # of which a seeded shuffle depends as well
    dataset = tf.data.Dataset.from_tensor_slices(images())
    if seed is not None:
        dataset = dataset.shuffle(200, seed=seed, **options)
    twice = dataset.map(lambda x, y: (x * 2, y), num_parallel_calls=tf.data.AUTOTUNE)
    return twice.batch(BATCH).prefetch(2)


@pytest.fixture(scope="module")
def begun(networks: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was cut in its second epoch."""
    folder = tmp_path_factory.mktemp("begun")
    cut(folder, STEPS + 2, model=networks.fresh())
    return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a training comes to that nobody interrupts."""
    return outcome(*training.train(tmp_path_factory.mktemp("whole")))
