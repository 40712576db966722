"""Any kind of data that can repeat itself is read on from where a training was interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training import resume
from course_utils.training.resume.data import open_data
from course_utils.training.resume.frameworks import keras, tf
from tests.support.resuming import Networks, check_exactness, pipeline
from tests.support.training import BATCH, STEPS, callbacks, images

# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_order_changes_with_each_epoch_and_each_example_comes_once() -> None:
    seen: list[Any] = []
    x = np.arange(20.0).reshape(20, 1)
    data = open_data(x, x, batch_size=6, seed=1)
    for epoch in range(3):
        rows = [data.batches(epoch, 0)[i][0].ravel() for i in range(data.steps)]
        assert [len(row) for row in rows] == [6, 6, 6, 2]
        seen.append(np.concatenate(rows))
        rest = data.batches(epoch, 2)
        assert len(rest) == 2
        assert (rest[0][0].ravel() == rows[2]).all()
    assert all(sorted(order) == list(range(20)) for order in seen)
    assert len({tuple(order) for order in seen}) == 3


def test_float64_reaches_the_model_in_keras_own_precision(tmp_path: Path) -> None:
    def measure(targets: Any, predictions: Any) -> Any:
        return tf.reduce_mean(tf.abs(targets - predictions))

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[measure])
    x, y = np.ones((8, 3)), np.ones((8, 1))
    options = {"run_dir": tmp_path, "epochs": 1, "validation_data": (x, y), "verbose": 0}
    assert np.isfinite(resume.fit(model, x, y, **options).history["val_loss"]).all()


class Numbered(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches by number; with workers, loaded in threads."""

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, number: int) -> Any:
        return tuple(part[number * BATCH :][:BATCH] for part in images())


@pytest.mark.thorough
@pytest.mark.parametrize(
    "data",
    [
        lambda: Numbered(),
        lambda: Numbered(workers=3, max_queue_size=4),
        pipeline,
        lambda: pipeline(seed=4, reshuffle_each_iteration=False),
        lambda: lambda epoch: pipeline(seed=4 + epoch),
    ],
)
def test_kinds_of_data(tmp_path: Path, networks: Networks, data: Callable[[], Any]) -> None:
    validation = tf.data.Dataset.from_tensor_slices(images(48, 6)).batch(20)
    changes = {"x": data(), "y": None, "validation_data": validation}
    check_exactness(tmp_path, networks.make, (STEPS + 4, 4), callbacks, **changes)


@pytest.mark.thorough
def test_dicts(tmp_path: Path) -> None:
    def make(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        one, two = keras.Input((12, 12, 1), name="one"), keras.Input((1,), name="two")
        joined = keras.layers.concatenate([keras.layers.Flatten()(one), two])
        dropped = keras.layers.Dropout(0.4)(joined)
        model = keras.Model({"one": one, "two": two}, keras.layers.Dense(4)(dropped))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, metrics=["accuracy"])
        return model

    x, y = images()
    both = {"one": x, "two": np.arange(len(y), dtype="float64")[:, None] / len(y)}
    check_exactness(tmp_path, make, (4,), validation_data=(both, y), x=both)
