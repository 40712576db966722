"""A training that is interrupted anywhere ends bit for bit as one that never was."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training import resume
from tests.support import training
from tests.support.resuming import Cut, Twice, cut_after
from tests.support.training import (
    BATCH,
    EPOCHS,
    STEPS,
    callbacks,
    differing,
    images,
    network,
    outcome,
)

with resume.quiet_native_stderr():
    import keras

ALL = EPOCHS * STEPS
# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def cut(folder: Path, batches: int, **changes: Any) -> None:
    with pytest.raises(Cut):
        training.train(folder, cut_after(batches), **changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a training comes to that nobody interrupts."""
    return outcome(*training.train(tmp_path_factory.mktemp("whole")))


def test_the_training_has_something_to_lose(whole: dict[str, Any]) -> None:
    """Else it would prove nothing."""
    rates = whole["history learning_rate"]
    assert rates[2] < rates[1] * 0.9, "ReduceLROnPlateau did nothing"
    losses = whole["history val_loss"]
    assert len(set(losses)) == EPOCHS
    assert sum(name.startswith("variable") for name in whole) > 20


FEW = (1, STEPS, STEPS + 3, ALL)  # the first, the last of an epoch, one in its middle, the last
CUTS = [
    pytest.param(number, marks=() if number in FEW else pytest.mark.thorough)
    for number in range(1, ALL + 1)
]


@pytest.mark.parametrize("batches", CUTS)
def test_cut_after_every_batch(
    whole: dict[str, Any], networks: Twice, tmp_path: Path, batches: int
) -> None:
    cut(tmp_path, batches, model=networks.fresh(), save_every=2)
    # The other network holds what the training before this one left: all must be overwritten.
    found = outcome(*training.train(tmp_path, model=networks.second, save_every=2))
    assert differing(whole, found) == []


@pytest.mark.thorough
def test_cut_after_each_batch_in_turn(whole: dict[str, Any], tmp_path: Path) -> None:
    """So often interrupted that no call trains more than a batch; in a new model each epoch."""
    model = network()
    for number in range(ALL):
        if number and number % STEPS == 0:
            model = network(seed=number)
        cut(tmp_path, 2 if number else 1, model=model)
    assert differing(whole, outcome(*training.train(tmp_path, model=model))) == []


def test_an_ended_training_is_not_trained_again(whole: dict[str, Any], tmp_path: Path) -> None:
    training.train(tmp_path)
    listed = cut_after(1)
    assert differing(whole, outcome(*training.train(tmp_path, listed, model=network(7)))) == []


def test_more_epochs_go_on_as_if_asked_for_at_once(
    whole: dict[str, Any], networks: Twice, tmp_path: Path
) -> None:
    training.train(tmp_path, model=networks.fresh(), epochs=1)
    cut(tmp_path, 4, model=networks.second)
    assert differing(whole, outcome(*training.train(tmp_path, model=networks.second))) == []


@pytest.mark.thorough
def test_the_same_cell_run_again(whole: dict[str, Any], tmp_path: Path) -> None:
    """In a notebook model and callbacks are the objects of the first time."""
    model = network()
    listed = cut_after(STEPS + 4)
    with pytest.raises(Cut):
        training.train(tmp_path, listed, model=model)
    listed[-1].act = lambda: None
    found = outcome(*training.train(tmp_path, listed, model=model))
    assert differing(whole, found) == []


def test_a_moved_folder(whole: dict[str, Any], networks: Twice, tmp_path: Path) -> None:
    def listed() -> list[Any]:
        best_only = keras.callbacks.ModelCheckpoint(
            folder / "model-{epoch:02d}.keras", save_best_only=True
        )
        return [*callbacks()[:-1], best_only, callbacks()[-1]]

    folder = tmp_path / "here"
    with pytest.raises(Cut):
        training.train(folder, cut_after(STEPS + 3, listed()), model=networks.fresh())
    folder = (tmp_path / "here").rename(tmp_path / "there and äöü")
    model, history, used = training.train(folder, listed(), model=networks.second)
    found = {k: v for k, v in outcome(model, history, used).items() if "ModelCheck" not in k}
    assert differing(whole, found) == []
    assert not (tmp_path / "here").exists()
    assert (folder / "model-03.keras").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 20), 0.9),
        lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=5),
        lambda: keras.optimizers.AdamW(0.01, gradient_accumulation_steps=3, clipnorm=0.1),
    ],
    ids=["schedule", "moving average", "accumulated"],
)
def test_optimizers(tmp_path: Path, optimizer: Callable[[], Any]) -> None:
    def made(seed: int) -> Any:
        model = network(seed)
        model.compile(optimizer(), "sparse_categorical_crossentropy")
        return model

    def run(name: str, model: Any, listed: list[Any]) -> Any:
        return outcome(*training.train(tmp_path / name, listed, model=model))

    model = made(1)
    expected = run("one", model, [training.Seen()])
    with pytest.raises(Cut):
        run("two", made(1), cut_after(STEPS + 4, [training.Seen()]))
    assert differing(expected, run("two", model, [training.Seen()])) == []


@pytest.mark.thorough
def test_several_steps_in_one_execution_and_half_precision(tmp_path: Path) -> None:
    def made(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        layers = keras.layers
        with_policy = {"dtype": "mixed_bfloat16"}
        model = keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                layers.Flatten(),
                layers.Dense(8, dtype="bfloat16"),
                layers.Dropout(0.5, **with_policy),
                layers.Dense(4, **with_policy),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss, steps_per_execution=2)
        return model

    def run(name: str, model: Any, listed: list[Any]) -> Any:
        return outcome(*training.train(tmp_path / name, listed, model=model, batch_size=18))

    expected = run("one", made(1), [training.Seen()])
    model = made(1)
    with pytest.raises(Cut):
        run("two", model, cut_after(2, [training.Seen()]))
    with pytest.raises(Cut):
        run("two", model, cut_after(3, [training.Seen()]))
    assert differing(expected, run("two", model, [training.Seen()])) == []


@pytest.mark.thorough
def test_a_model_that_is_built_by_its_first_batch(tmp_path: Path) -> None:
    class Small(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.drop = keras.layers.Flatten(), keras.layers.Dropout(0.5)
            self.out = keras.layers.Dense(4, activation="softmax")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.out(self.drop(self.flat(x), training=training))

    def made(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        model = Small()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def run(name: str, model: Any, listed: list[Any]) -> Any:
        return outcome(*training.train(tmp_path / name, listed, model=model))

    expected = run("one", made(1), [training.Seen()])
    with pytest.raises(Cut):
        run("two", made(1), cut_after(STEPS + 4, [training.Seen()]))
    assert differing(expected, run("two", made(2), [training.Seen()])) == []


def test_the_seed_alone_decides_what_is_random(tmp_path: Path, networks: Twice) -> None:
    """Dropout and the order follow from it, whatever seeds Keras drew for its layers."""

    def losses(name: str, seed: int) -> Any:
        keras.utils.set_random_seed(seed * 1000)
        return training.train(tmp_path / name, model=networks.fresh(), seed=seed, epochs=1)[
            1
        ].history

    assert losses("a", 3) == losses("b", 3)
    assert losses("a", 3)["loss"] != losses("c", 4)["loss"]


def test_callers_callbacks_see_the_epochs_own_batch_numbers(whole: dict[str, Any]) -> None:
    numbers = [int(whole[f"Seen.batches {i}"][0]) for i in range(ALL)]
    assert numbers == list(range(STEPS)) * EPOCHS


def test_files_are_found_by_name(tmp_path: Path, networks: Twice) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        resume.newest(tmp_path / "nothing")
    cut(tmp_path, 1, model=networks.fresh())
    assert resume.newest(tmp_path).name == "epoch-000.npz"
    with pytest.raises(FileNotFoundError, match="No epoch has ended"):
        resume.best(tmp_path)
    _, history, _ = training.train(tmp_path, model=networks.second, keep=2)
    losses = history.history["val_loss"]
    assert resume.newest(tmp_path).name == f"epoch-003-val_loss-{losses[-1]:.4f}.npz"
    epoch = int(np.argmin(losses)) + 1
    assert resume.best(tmp_path).name == (
        f"best-epoch-{epoch:03d}-val_loss-{min(losses):.4f}.keras"
    )
    assert len(list(tmp_path.glob("epoch-*.npz"))) == 2
    other = keras.models.load_model(resume.best(tmp_path))
    x, y = images(48, seed=6)
    assert other.evaluate(x, y, batch_size=BATCH, verbose=0)[0] == pytest.approx(min(losses))


def test_the_largest_may_be_the_best(tmp_path: Path, networks: Twice) -> None:
    _, history, _ = training.train(
        tmp_path, model=networks.fresh(), monitor="val_accuracy", mode="max"
    )
    best = max(history.history["val_accuracy"])
    assert f"-val_accuracy-{best:.4f}" in resume.best(tmp_path).name
    assert "val_accuracy" in resume.newest(tmp_path).name


@pytest.mark.thorough
def test_it_trains_as_keras_does(tmp_path: Path) -> None:
    """The same batches handed to model.fit alone give the same weights."""
    model, plain = network(), network()
    for layer in (*model.layers, *plain.layers):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0
    model = keras.Sequential([keras.Input((12, 12, 1)), *model.layers[2:]])
    plain = keras.Sequential([keras.Input((12, 12, 1)), *plain.layers[2:]])
    for each in (model, plain):
        each.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    training.train(tmp_path, [], model=model, epochs=2, shuffle=False)
    x, y = images()
    plain.fit(x, y, epochs=2, batch_size=BATCH, shuffle=False, verbose=0)
    for one, other in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-5)


@pytest.mark.thorough
def test_in_a_thread_it_trains_without_hearing_signals(
    whole: dict[str, Any], networks: Twice, tmp_path: Path
) -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(outcome(*training.train(tmp_path, model=networks.fresh())))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert differing(whole, found[0]) == []
