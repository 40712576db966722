"""On a GPU with op determinism: exact, or refused with the operation named (`make test-gpu`)."""

from pathlib import Path
from typing import Any

import pytest

from course_utils.environment import quiet_native_stderr
from tests.support import training
from tests.support.resuming import cut
from tests.support.training import EPOCHS, STEPS, callbacks, differing, images, network, outcome

with quiet_native_stderr():
    import keras
    import tensorflow as tf

pytestmark = [
    pytest.mark.gpu,
    # Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def on_a_gpu() -> None:
    """Fails where there is none: a green run has to mean that one was used."""
    if not tf.config.list_physical_devices("GPU"):
        pytest.fail("TensorFlow sees no GPU here")


@pytest.mark.parametrize("batches", range(1, EPOCHS * STEPS + 1))
def test_cut_after_every_batch_is_exact(tmp_path: Path, batches: int) -> None:
    whole = outcome(*training.train(tmp_path / "whole", model=network(1, shifts=False)))
    cut(tmp_path / "run", batches, model=network(1, shifts=False), save_every=2)
    found = outcome(*training.train(tmp_path / "run", model=network(2, shifts=False), save_every=2))
    assert differing(whole, found) == []


def test_the_full_network_is_exact_or_refused(tmp_path: Path) -> None:
    """RandomTranslation interpolates: exact where the GPU can, or named where it cannot."""
    try:
        whole = outcome(*training.train(tmp_path / "whole"))
    except tf.errors.UnimplementedError as error:
        refused = error.message
    else:
        cut(tmp_path / "run", STEPS + 2)
        assert differing(whole, outcome(*training.train(tmp_path / "run", callbacks()))) == []
        return
    assert "determinis" in refused
    assert "ImageProjectiveTransform" in refused


def test_an_operation_without_a_deterministic_form_is_refused(tmp_path: Path) -> None:
    """Resizing by nearest neighbours: its gradient adds up in no fixed order on a GPU."""

    class Enlarged(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return tf.raw_ops.ResizeNearestNeighbor(images=x, size=[24, 24])

    layers = keras.layers
    first, last = layers.Conv2D(4, 3), layers.Dense(4)
    model = keras.Sequential([keras.Input((12, 12, 1)), first, Enlarged(), layers.Flatten(), last])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    x, y = images()
    message = r"(?i)deterministic.*ResizeNearestNeighborGrad"
    with pytest.raises(tf.errors.UnimplementedError, match=message):
        training.train(tmp_path, [], model=model, x=x, y=y)
