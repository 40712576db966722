"""What stops a training from going on, or from beginning: each says what, and what to do."""

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training import resume
from course_utils.training.resume import fingerprint
from course_utils.training.resume.frameworks import keras, tf
from tests.support import training
from tests.support.resuming import Networks, pipeline
from tests.support.training import Seen, callbacks, differing, images, network, outcome

# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def compile_network(**options: Any) -> Any:
    model = network()
    settings = {
        "optimizer": keras.optimizers.Adam(0.01),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }
    model.compile(**(settings | options))
    return model


def change_dropout() -> Any:
    model = network()
    model.layers[-2].rate = 0.5
    return model


def change_pixel() -> Any:
    x, _ = images()
    x[-1, -1, -1, 0] += 1e-6
    return x


def freeze_layer() -> Any:
    model = network()
    model.layers[2].trainable = False
    return model


def change_patience() -> list[Any]:
    early = keras.callbacks.EarlyStopping(patience=49, restore_best_weights=True)
    return [*callbacks()[:2], early, Seen()]


def change_min_delta() -> list[Any]:
    plateau = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.4)
    return [callbacks()[0], plateau, *callbacks()[2:]]


CHANGES: dict[str, tuple[Callable[[], Any], str]] = {
    "batch_size": (lambda: 15, r"arguments, batch_size: was 16, is now 15"),
    "seed": (lambda: 4, r"arguments, seed: was 3, is now 4"),
    "x, a pixel": (change_pixel, r"data, 0: was float32 \(90, 12, 12, 1\) \w+, is"),
    "y": (lambda: images()[1][::-1], r"data, 1: was int64 \(90,\)"),
    "validation_data": (lambda: images(48, seed=7), r"validation_data, 0: was float32 \(48"),
    "model, the rate": (
        lambda: compile_network(optimizer=keras.optimizers.Adam(0.02)),
        r"learning_rate: was 0.00999\d+, is now 0.0199\d+",
    ),
    "model, the loss": (
        lambda: compile_network(loss=keras.losses.SparseCategoricalCrossentropy()),
        r"compiled with, loss: was sparse",
    ),
    "model, dropout": (change_dropout, r"config, rate: was 0.3, is now 0.5"),
    # A model of one's own class has no list of layers: its variables alone tell it from another.
    "model, variables": (
        freeze_layer,
        r"model, variables, \d+: was \[3, 3, 1, 4\] float32 True, is now .* False",
    ),
    "callbacks, min_delta": (change_min_delta, r"callbacks, 1, min_delta: was 0.5, is now 0.4"),
    "callbacks, patience": (change_patience, r"callbacks, 2, patience: was 50, is now 49"),
    "callbacks, fewer": (lambda: callbacks()[:3], r"callbacks: had 4 entries, has 3 now"),
    "epochs": (lambda: 1, r"epochs=1, but .* further already: 1 epoch and 1 bat"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_training_is_refused_with_what_differs(
    begun: Path, networks: Networks, name: str
) -> None:
    change, message = CHANGES[name]
    changes = {"model": networks.second, name.partition(",")[0]: change()}
    before = sorted(path.name for path in begun.iterdir())
    with pytest.raises(resume.RunMismatch, match=message):
        training.train(begun, changes.pop("callbacks", None), **changes)
    assert sorted(path.name for path in begun.iterdir()) == before


def test_what_does_not_matter_may_change(
    whole: dict[str, Any],
    begun: Path,
    networks: Networks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other surroundings are a warning only."""
    folder = shutil.copytree(begun, tmp_path / "copy")
    monkeypatch.setattr(fingerprint.keras, "__version__", "2.99.0")
    monkeypatch.setattr(os, "cpu_count", lambda: 1000)
    message = r"last digits.*Keras: was .*, is now 2.99.0.*cores: was \d+, is now 1000"
    with pytest.warns(UserWarning, match=message):
        found = outcome(*training.train(folder, model=networks.second, save_every=4))
    assert differing(whole, found) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"save_every": 0}, "epochs, batch_size and save_every are 1 or more"),
        ({"seed": -1}, "seed is 0 or more"),
        ({"y": images(80)[1]}, r"equally many examples.*\[80, 90\]"),
        ({"validation_data": (*images(), 1)}, r"validation_data is \(x, y\) or a data set; .* 3"),
        ({"y": None}, "y is missing.*A generator cannot be entered in its middle"),
        ({"x": lambda epoch: pipeline()}, "leave out y"),
        ({"model": keras.Sequential([keras.Input((12, 12, 1))])}, "not compiled"),
    ],
)
def test_wrong_arguments(
    networks: Networks, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        training.train(tmp_path, **({"model": networks.second} | changes))


class Drawing(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)


def test_wrong_callbacks(networks: Networks, tmp_path: Path) -> None:
    for callback, message in (
        (keras.callbacks.BackupAndRestore(tmp_path / "b"), "leave it out"),
        (keras.callbacks.CSVLogger(tmp_path / "c"), "append=True"),
        (Drawing(), r"Drawing\.rng is a Generator.*Keep numbers"),
    ):
        with pytest.raises(resume.ResumeError, match=message):
            training.train(tmp_path, [callback], model=networks.second)


class GlobalNoise(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x))  # no generator of its own


class NativeNoise(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x + tf.random.normal(tf.shape(x))


@pytest.mark.parametrize(
    ("layer", "name"),
    [(GlobalNoise, "seed_generator_state"), (NativeNoise, "RandomStandardNormal")],
)
def test_randomness_that_cannot_be_saved(tmp_path: Path, layer: Any, name: str) -> None:
    flat, out = keras.layers.Flatten(), keras.layers.Dense(4)
    model = keras.Sequential([keras.Input((12, 12, 1)), layer(), flat, out])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(resume.ResumeError, match=f"{name}.*SeedGenerator"):
        training.train(tmp_path, model=model)


def test_texts_are_told_apart_whatever_their_bytes() -> None:
    one, other, text = (
        fingerprint.describe_arrays(np.array([value], object))
        for value in (b"\xff", b"\xfe", "text")
    )
    assert one != other
    assert text == fingerprint.describe_arrays(np.array(["text"]))


class Noisy(keras.utils.PyDataset):  # type: ignore[misc]
    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> Any:
        return np.random.rand(4, 12, 12, 1), np.zeros(4)


class Turning(Noisy):
    def on_epoch_end(self) -> None:
        """Here one would shuffle."""


class Beginning(Noisy):
    def on_epoch_begin(self) -> None:
        """Here one would shuffle, too."""


def draw_in_python() -> Any:
    def draw() -> np.float32:
        return np.float32(np.random.rand())

    return pipeline().map(lambda x, y: (x + tf.numpy_function(draw, [], tf.float32), y))


REREAD = "read twice.*lambda epoch.*random layers into the model"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pipeline().repeat(), r"endless.*take\(n\)"),
        (lambda: pipeline().filter(lambda x, y: True), "unknown length.*assert_cardinality"),
        (lambda: pipeline(seed=5), REREAD),
        (draw_in_python, REREAD),
        (Noisy, "two different batches"),
        (Turning, "on_epoch_end"),
        (Beginning, "on_epoch_begin"),
    ],
)
def test_data_that_may_not_repeat_themselves(
    networks: Networks, tmp_path: Path, make: Callable[[], Any], message: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tf.data and Keras, about the same
        with pytest.raises(resume.ResumeError, match=message):
            training.train(tmp_path, model=networks.second, x=make(), y=None)
        with pytest.raises(resume.ResumeError, match=message):
            training.train(tmp_path, model=networks.second, validation_data=make())


def test_a_pipeline_keeps_its_order_whatever_its_options_say() -> None:
    options = tf.data.Options()
    options.deterministic = False
    data = resume.open_data(pipeline().with_options(options), None, batch_size=1, seed=0)
    assert data.batches(0, 2).options().deterministic is True
