"""A training that is interrupted anywhere ends bit for bit as one that never was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training.resume.frameworks import keras
from tests.support import training
from tests.support.resuming import Networks, check_exactness, cut, cut_after
from tests.support.training import BATCH, EPOCHS, STEPS, differing, network, outcome

ALL = EPOCHS * STEPS
# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_training_has_something_to_lose(whole: dict[str, Any]) -> None:
    """Else it would prove nothing."""
    rates = whole["history learning_rate"]
    assert rates[2] < rates[1] * 0.9, "ReduceLROnPlateau did nothing"
    assert len(set(whole["history val_loss"])) == EPOCHS
    assert sum(name.startswith("variable") for name in whole) > 20
    numbers = [int(whole[f"Seen.batches {i}"][0]) for i in range(ALL)]
    assert numbers == list(range(STEPS)) * EPOCHS


# Before anything is saved but the beginning, then between an epoch's last batch and its end, then
# amid the next epoch.
CUTS: list[Any] = [(1, STEPS, 5)]
CUTS += [pytest.param((n,), marks=pytest.mark.thorough) for n in range(1, ALL + 1)]


@pytest.mark.parametrize("cuts", CUTS, ids=str)
def test_cut_after_every_batch(
    whole: dict[str, Any], networks: Networks, tmp_path: Path, cuts: tuple[int, ...]
) -> None:
    for batches in cuts:
        cut(tmp_path, batches, model=networks.fresh(), save_every=2)
    # The other network holds what the training before this one left: all must be overwritten.
    found = outcome(*training.train(tmp_path, model=networks.second, save_every=2))
    assert differing(whole, found) == []


def test_more_epochs_go_on_as_if_asked_for_at_once(
    whole: dict[str, Any], networks: Networks, tmp_path: Path
) -> None:
    training.train(tmp_path, model=networks.fresh(), epochs=1)
    cut(tmp_path, 4, model=networks.second)
    assert differing(whole, outcome(*training.train(tmp_path, model=networks.second))) == []
    listed = cut_after(1)  # an ended training is not trained again
    again = training.train(tmp_path, listed, model=networks.fresh())
    assert differing(whole, outcome(*again)) == []


@pytest.mark.thorough
def test_the_same_cell_run_again(whole: dict[str, Any], tmp_path: Path) -> None:
    """In a notebook model and callbacks are the objects of the first time."""
    model = network()
    listed = training.callbacks()
    cut(tmp_path, STEPS + 4, listed, model=model)
    listed[-1].act = lambda: None
    found = outcome(*training.train(tmp_path, listed, model=model))
    assert differing(whole, found) == []


def test_a_moved_folder(whole: dict[str, Any], networks: Networks, tmp_path: Path) -> None:
    def listed() -> list[Any]:
        best_only = keras.callbacks.ModelCheckpoint(
            folder / "model-{epoch:02d}.keras", save_best_only=True
        )
        return [*training.callbacks()[:-1], best_only, training.Seen()]

    folder = tmp_path / "here"
    cut(folder, STEPS + 3, listed(), model=networks.fresh())
    folder = (tmp_path / "here").rename(tmp_path / "there and äöü")
    model, history, used = training.train(folder, listed(), model=networks.second)
    found = {k: v for k, v in outcome(model, history, used).items() if "ModelCheck" not in k}
    assert differing(whole, found) == []
    assert (folder / "model-03.keras").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 20), 0.9),
        lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=5),
        lambda: keras.optimizers.AdamW(0.01, gradient_accumulation_steps=3, clipnorm=0.1),
    ],
)
def test_optimizers(tmp_path: Path, optimizer: Callable[[], Any]) -> None:
    def make(seed: int) -> Any:
        model = network(seed)
        model.compile(optimizer(), "sparse_categorical_crossentropy")
        return model

    check_exactness(tmp_path, make, (STEPS + 4,))


class Small(keras.Model):  # type: ignore[misc]
    """Is built by its first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.drop = keras.layers.Flatten(), keras.layers.Dropout(0.5)
        self.out = keras.layers.Dense(4, activation="softmax", dtype="bfloat16")

    def call(self, x: Any, training: bool = False) -> Any:
        return self.out(self.drop(self.flat(x), training=training))


@pytest.mark.thorough
def test_a_model_of_ones_own_in_half_precision_and_several_steps_at_once(tmp_path: Path) -> None:
    def make(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        model = Small()
        model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=2)
        return model

    check_exactness(tmp_path, make, (2, 3), batch_size=18)


def test_the_seed_alone_decides_what_is_random(tmp_path: Path, networks: Networks) -> None:
    """Dropout and the order follow from it, whatever seeds Keras drew for its layers."""

    def losses(name: str, seed: int) -> Any:
        keras.utils.set_random_seed(seed * 1000)
        changes = {"model": networks.fresh(), "seed": seed, "epochs": 1}
        return training.train(tmp_path / name, **changes)[1].history

    assert losses("a", 3) == losses("b", 3)
    assert losses("a", 3)["loss"] != losses("c", 4)["loss"]


def test_files_are_named_after_what_they_hold(tmp_path: Path, networks: Networks) -> None:
    _, history, _ = training.train(tmp_path, model=networks.fresh())
    losses = history.history["val_loss"]
    assert (tmp_path / f"epoch-003-val_loss-{losses[-1]:.4f}.npz").exists()
    assert len(list(tmp_path.glob("epoch-*.npz"))) == 3


@pytest.mark.thorough
def test_it_trains_as_keras_does(tmp_path: Path) -> None:
    """The same batches handed to model.fit alone give the same weights."""
    model, plain = (
        keras.models.clone_model(keras.Sequential([keras.Input((12, 12, 1)), *net.layers[2:-2]]))
        for net in (network(), network())
    )
    plain.set_weights(model.get_weights())
    x, y = training.images()
    x, y = x.astype("float64"), keras.ops.one_hot(y, 100).numpy()
    for each in (model, plain):
        each.compile(keras.optimizers.SGD(0.1), "mse")
    training.train(tmp_path, [], model=model, x=x, y=y, epochs=1, validation_data=None)
    order = np.random.default_rng([3, 0]).permutation(len(x))
    plain.fit(x[order], y[order], batch_size=BATCH, shuffle=False, verbose=0)
    for one, other in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-5)
