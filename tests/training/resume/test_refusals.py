"""What stops a training from going on, or from beginning: each says what, and what to do."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training import resume
from course_utils.training.resume import fingerprint
from tests.support import training
from tests.support.resuming import Twice, pipeline
from tests.support.training import BATCH, Seen, callbacks, differing, images, network, outcome

with resume.quiet_native_stderr():
    import keras
    import tensorflow as tf

# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def compiled(**options: Any) -> Any:
    model = network()
    settings = {
        "optimizer": keras.optimizers.Adam(0.01),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }
    model.compile(**(settings | options))
    return model


def changed_data() -> Any:
    x, _ = images()
    x[-1, -1, -1, 0] += 1e-6
    return x


def other_schedule(epoch: int, rate: float) -> float:
    return rate * 0.8


CHANGES: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "batch size": (lambda: {"batch_size": 15}, r"arguments, batch_size: was 16, is now 15"),
    "seed": (lambda: {"seed": 4}, r"arguments, seed: was 3, is now 4"),
    "shuffle": (lambda: {"shuffle": False}, r"arguments, shuffle: was True, is now False"),
    "class weights": (lambda: {"class_weight": {0: 2.0}}, r"class_weight: was None, is now \{0"),
    "one pixel": (lambda: {"x": changed_data()}, r"data, 0: was float32 \(90, 12, 12, 1\) \w+, is"),
    "labels": (lambda: {"y": images()[1][::-1]}, r"data, 1: was int64 \(90,\)"),
    "fewer examples": (
        lambda: {"x": images(80)[0], "y": images(80)[1]},
        r"is now float32 \(80, 12, 12, 1\)",
    ),
    "validation": (
        lambda: {"validation_data": images(48, seed=7)},
        r"validation_data, 0: was float32 \(48",
    ),
    "optimizer": (
        lambda: {"model": compiled(optimizer="sgd")},
        r"class_name: was Adam, is now SGD",
    ),
    "learning rate": (
        lambda: {"model": compiled(optimizer=keras.optimizers.Adam(0.02))},
        r"learning_rate: was 0.00999\d+, is now 0.0199\d+",
    ),
    "loss": (
        lambda: {"model": compiled(loss=keras.losses.SparseCategoricalCrossentropy())},
        r"compiled with, loss",
    ),
    "frozen layer": (
        lambda: {"model": frozen()},
        r"variables, \d+: was \[3, 3, 1, 4\] float32 True, is now .* False",
    ),
    "patience": (
        lambda: {"callbacks": [*callbacks()[:2], early(49), Seen()]},
        r"callbacks, 2, patience: was 50.0, is now 49.0",
    ),
    "a callback less": (lambda: {"callbacks": callbacks()[:3]}, r"callbacks, 3, class: was Seen"),
    "schedule": (
        lambda: {"callbacks": [scheduled(other_schedule), *callbacks()[1:]]},
        r"callbacks, 0, schedule, constants, \d+: was 0.9, is now 0.8",
    ),
    "monitor": (lambda: {"monitor": "val_accuracy"}, r"monitor: was val_loss, min, is now val_acc"),
    "fewer epochs": (lambda: {"epochs": 1}, r"epochs=1, but .* further already: 1 epoch and 1 bat"),
}


def early(patience: int) -> Any:
    return keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)


def scheduled(schedule: Any) -> Any:
    return keras.callbacks.LearningRateScheduler(schedule)


def frozen() -> Any:
    model = network()
    model.layers[2].trainable = False
    return model


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_training_is_refused_with_what_differs(
    begun: Path, networks: Twice, name: str
) -> None:
    change, message = CHANGES[name]
    changes = change()
    changes.setdefault("model", networks.second)
    before = sorted(path.name for path in begun.iterdir())
    with pytest.raises(resume.Changed, match=message):
        training.train(begun, changes.pop("callbacks", None), **changes)
    assert sorted(path.name for path in begun.iterdir()) == before


def test_another_architecture_is_refused(begun: Path) -> None:
    model = network()
    layers = [
        keras.layers.Dropout(0.5) if isinstance(layer, keras.layers.Dropout) else layer
        for layer in model.layers
    ]
    model = keras.Sequential([keras.Input((12, 12, 1)), *layers])
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    with pytest.raises(resume.Changed, match=r"config, rate: was 0.3, is now 0.5"):
        training.train(begun, model=model)


def test_what_does_not_matter_may_change(begun: Path, networks: Twice, tmp_path: Path) -> None:
    folder = shutil.copytree(begun, tmp_path / "copy")
    whole = outcome(*training.train(tmp_path / "whole", model=networks.fresh()))
    found = outcome(*training.train(folder, model=networks.second, save_every=4, keep=1))
    assert differing(whole, found) == []
    assert len(list(folder.glob("epoch-*.npz"))) == 1


def test_other_surroundings_are_a_warning(
    begun: Path, networks: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(begun, tmp_path / "copy")
    here = fingerprint.surroundings()
    elsewhere = here | {"TensorFlow": "2.99.0", "cores": 1000, "course": "9.9"}
    monkeypatch.setattr(fingerprint, "surroundings", lambda: elsewhere)
    with pytest.warns(UserWarning, match=r"last digits.*TensorFlow: was .*, is now 2.99.0") as said:
        training.train(folder, model=networks.second)
    assert "cores" in str(said[0].message)
    assert "course" not in str(said[0].message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs: expected a whole number from 1 on, got 0"),
        ({"batch_size": 2.5}, "batch_size: expected"),
        ({"save_every": True}, "save_every: expected"),
        ({"keep": 0}, "keep: expected"),
        ({"seed": -1}, "seed: expected"),
        ({"seed": None}, "seed: expected"),
        ({"mode": "auto"}, 'mode: expected "min" or "max"'),
        ({"monitor": "val_f1"}, r"monitor: 'val_f1' is not measured; there are accuracy, loss"),
        ({"y": images(80)[1]}, r"equally many examples.*\[80, 90\]"),
        ({"y": None}, "y is missing"),
        ({"x": np.zeros((0, 12, 12, 1)), "y": np.zeros(0)}, "at least one"),
        ({"x": pipeline()}, "brings targets and weights itself"),
        ({"x": lambda epoch: 3, "y": None}, "must return the tf.data.Dataset"),
        ({"validation_data": lambda epoch: 3}, "validation_data: expected"),
    ],
)
def test_wrong_arguments(
    networks: Twice, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        training.train(tmp_path, model=networks.fresh(), **changes)


def test_wrong_callbacks(networks: Twice, tmp_path: Path) -> None:
    def refused(callback: Any, kind: type[Exception], message: str) -> None:
        with pytest.raises(kind, match=message):
            training.train(tmp_path, [callback], model=networks.fresh())

    refused(print, ValueError, "expected Keras callbacks")
    refused(keras.callbacks.BackupAndRestore(tmp_path / "b"), resume.NotExact, "leave it out")
    refused(keras.callbacks.CSVLogger(tmp_path / "c"), resume.NotExact, "append=True")


def test_a_model_that_is_not_compiled(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Flatten()])
    with pytest.raises(ValueError, match="not compiled"):
        training.train(tmp_path, model=model)


class GlobalNoise(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x))  # no generator of its own


class NativeNoise(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x + tf.random.normal(tf.shape(x))


class PythonNoise(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        noisy = tf.numpy_function(lambda a: a + np.float32(np.random.rand()), [x], tf.float32)
        return tf.ensure_shape(noisy, x.shape)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (GlobalNoise, "seed_generator_state.*SeedGenerator of its own"),
        (NativeNoise, "RandomStandardNormal"),
        (PythonNoise, "PyFunc"),
    ],
)
def test_randomness_that_cannot_be_saved(tmp_path: Path, layer: Any, message: str) -> None:
    flat, out = keras.layers.Flatten(), keras.layers.Dense(4)
    model = keras.Sequential([keras.Input((12, 12, 1)), layer(), flat, out])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(resume.NotExact, match=message):
        training.train(tmp_path, model=model)


def test_a_step_in_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(resume.NotExact, match="run_eagerly"):
        training.train(tmp_path, model=compiled(run_eagerly=True))


def test_several_devices_are_refused(tmp_path: Path) -> None:
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = network()
        with pytest.raises(resume.NotExact, match="distribute"):
            training.train(tmp_path, model=model)


def endless() -> Any:
    return pipeline().repeat()


def unseeded() -> Any:
    dataset = pipeline()
    tf.random.set_seed(None)
    return dataset.shuffle(9, reshuffle_each_iteration=False)


def nondeterministic() -> Any:
    options = tf.data.Options()
    options.deterministic = False
    return pipeline().with_options(options)


def from_python() -> Any:
    spec = (tf.TensorSpec((12, 12, 1)), tf.TensorSpec((), tf.int64))
    dataset = tf.data.Dataset.from_generator(
        lambda: zip(*images(), strict=True), output_signature=spec
    )
    return dataset.apply(tf.data.experimental.assert_cardinality(90)).batch(BATCH)


def keras_in_pipeline() -> Any:
    flip = keras.layers.RandomFlip()
    return pipeline().map(lambda x, y: (flip(x, training=True), y))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (endless, r"endless.*take\(n\)"),
        (lambda: pipeline().filter(lambda x, y: True), "unknown length.*assert_cardinality"),
        (nondeterministic, "deterministic=False"),
        (
            lambda: pipeline().map(lambda x, y: (x, y), 2, deterministic=False),
            "deterministic=False",
        ),
        (lambda: pipeline(seed=5), "anew in each epoch.*lambda epoch"),
        (from_python, "calls Python.*PyDataset"),
        (lambda: pipeline().map(lambda x, y: (x + tf.random.uniform(()), y)), "RandomUniform"),
        (keras_in_pipeline, "Put random layers into the model"),
        (lambda: zip(*images(), strict=True), "generator"),
    ],
)
def test_data_that_may_not_repeat_itself(
    networks: Twice, tmp_path: Path, data: Callable[[], Any], message: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tf.data and Keras, about the same
        with pytest.raises(resume.NotExact, match=message):
            training.train(tmp_path, model=networks.fresh(), x=data(), y=None)


def test_a_shuffle_without_a_seed(networks: Twice, tmp_path: Path) -> None:
    """Once op determinism is on, TensorFlow itself refuses to make one; before that, we do."""
    with pytest.raises((resume.NotExact, RuntimeError), match="a seed"):
        training.train(tmp_path, model=networks.fresh(), x=unseeded(), y=None)


def test_a_pipeline_that_grows(networks: Twice, tmp_path: Path) -> None:
    with pytest.raises(resume.NotExact, match="Epoch 2 has 5 batches, others 6"):
        training.train(
            tmp_path, model=networks.fresh(), x=lambda epoch: pipeline().take(6 - epoch), y=None
        )


class Noisy(keras.utils.PyDataset):  # type: ignore[misc]
    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> Any:
        return np.random.rand(4, 12, 12, 1), np.zeros(4)


class Turning(Noisy):
    def __getitem__(self, number: int) -> Any:
        return np.zeros((4, 12, 12, 1)), np.zeros(4)

    def on_epoch_end(self) -> None:
        """Here one would shuffle."""


class Endless(keras.utils.PyDataset):  # type: ignore[misc]
    num_batches = None

    def __getitem__(self, number: int) -> Any:
        return np.zeros((4, 12, 12, 1)), np.zeros(4)


@pytest.mark.parametrize(
    ("data", "message"),
    [(Noisy, "two different batches"), (Turning, "on_epoch_end"), (Endless, "endless")],
)
def test_numbered_data_that_may_not_repeat_itself(
    networks: Twice, tmp_path: Path, data: Any, message: str
) -> None:
    with pytest.raises(resume.NotExact, match=f"The PyDataset .*{message}|{message}"):
        training.train(tmp_path, model=networks.fresh(), x=data(), y=None)
    with pytest.raises(resume.NotExact, match="The validation PyDataset"):
        training.train(tmp_path, model=networks.fresh(), validation_data=data())
