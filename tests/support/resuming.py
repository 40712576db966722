"""Trainings cut short without a signal, and networks and data to do it with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training import resume
from tests.support import training
from tests.support.training import BATCH, STEPS, callbacks, images, network

with resume.quiet_native_stderr():
    import tensorflow as tf

from course_utils.training.resume.state import capture, restore


class Cut(BaseException):
    """In place of a SIGKILL: nothing of ours runs after it (real ones: test_process.py)."""


def cut_after(batches: int, listed: list[Any] | None = None) -> list[Any]:
    """Callbacks of which the last ends the training after so many batches."""
    listed = callbacks() if listed is None else listed
    left = batches

    def act() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Cut

    listed[-1].act = act
    return listed


class Twice:
    """Two networks that trainings share, as making one takes longer than training it."""

    def __init__(self) -> None:
        self.first, self.second = network(), network(seed=99)
        self.initial = capture(self.first)

    def fresh(self) -> Any:
        variables = self.first.optimizer.variables
        state = capture(self.first) | self.initial if variables else self.initial
        zeros = {k: np.zeros_like(v) for k, v in state.items() if k not in self.initial}
        restore(self.first, state | zeros)
        self.first.optimizer.learning_rate = 0.01
        return self.first


@pytest.fixture(scope="module")
def networks() -> Twice:
    return Twice()


def pipeline(seed: int | None = None, **options: Any) -> Any:
    tf.random.set_seed(1)  # of which a seeded shuffle depends as well
    dataset = tf.data.Dataset.from_tensor_slices(images())
    if seed is not None:
        dataset = dataset.shuffle(200, seed=seed, **options)
    twice = dataset.map(lambda x, y: (x * 2, y), num_parallel_calls=tf.data.AUTOTUNE)
    return twice.batch(BATCH).prefetch(2)


@pytest.fixture(scope="module")
def begun(networks: Twice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was cut in its second epoch."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.raises(Cut):
        training.train(folder, cut_after(STEPS + 2), model=networks.fresh())
    return folder
