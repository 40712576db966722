"""A training that is interrupted anywhere ends bit for bit as one that never was."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training import resume
from tests.support import training
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
    import tensorflow as tf

from course_utils.training.resume.state import capture, restore

ALL = EPOCHS * STEPS
# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Cut(BaseException):
    """In place of a SIGKILL: nothing of ours runs after it (real ones: test_resume_process.py)."""


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


def cut(folder: Path, batches: int, **changes: Any) -> None:
    with pytest.raises(Cut):
        training.train(folder, cut_after(batches), **changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a training comes to that nobody interrupts."""
    return outcome(*training.train(tmp_path_factory.mktemp("whole")))


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


def test_the_training_has_something_to_lose(whole: dict[str, Any]) -> None:
    """Else it would prove nothing."""
    rates = whole["history learning_rate"]
    assert rates[2] < rates[1] * 0.9, "ReduceLROnPlateau did nothing"
    losses = whole["history val_loss"]
    assert len(set(losses)) == EPOCHS
    assert sum(name.startswith("variable") for name in whole) > 20


@pytest.mark.parametrize("batches", range(1, ALL + 1))
def test_cut_after_every_batch(
    whole: dict[str, Any], networks: Twice, tmp_path: Path, batches: int
) -> None:
    cut(tmp_path, batches, model=networks.fresh(), save_every=2)
    # The other network holds what the training before this one left: all must be overwritten.
    found = outcome(*training.train(tmp_path, model=networks.second, save_every=2))
    assert differing(whole, found) == []


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


def test_early_stopping_ends_at_the_same_epoch(networks: Twice, tmp_path: Path) -> None:
    def listed() -> list[Any]:
        early = keras.callbacks.EarlyStopping(min_delta=9, patience=2, restore_best_weights=True)
        return [early, training.Seen()]

    def run(name: str, model: Any) -> Any:
        return outcome(*training.train(tmp_path / name, listed(), model=model, epochs=9))

    expected = run("one", networks.fresh())
    assert list(expected["history epochs"]) == [0, 1, 2]
    with pytest.raises(Cut):
        training.train(
            tmp_path / "two", cut_after(2 * STEPS + 1, listed()), model=networks.fresh(), epochs=9
        )
    assert differing(expected, run("two", networks.second)) == []
    again = training.train(
        tmp_path / "two", cut_after(1, listed()), model=networks.second, epochs=99
    )
    assert differing(expected, outcome(*again)) == []


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


def test_the_order_changes_with_each_epoch_and_each_example_comes_once(tmp_path: Path) -> None:
    seen: list[Any] = []
    x = np.arange(20.0).reshape(20, 1)
    data = resume.feed(x, x, None, batch_size=6, seed=1, shuffle=True)
    for epoch in range(3):
        data.epoch = epoch
        rows = [data.batches_from(0)[i][0].ravel() for i in range(data.steps)]
        assert [len(row) for row in rows] == [6, 6, 6, 2]
        seen.append(np.concatenate(rows))
        rest = data.batches_from(2)
        assert len(rest) == 2
        assert (rest[0][0].ravel() == rows[2]).all()
    assert all(sorted(order) == list(range(20)) for order in seen)
    assert len({tuple(order) for order in seen}) == 3


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


class Numbered(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches by number; with workers, loaded in threads."""

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, number: int) -> Any:
        return tuple(part[number * BATCH :][:BATCH] for part in images())


def pipeline(seed: int | None = None, **options: Any) -> Any:
    tf.random.set_seed(1)  # of which a seeded shuffle depends as well
    dataset = tf.data.Dataset.from_tensor_slices(images())
    if seed is not None:
        dataset = dataset.shuffle(200, seed=seed, **options)
    twice = dataset.map(lambda x, y: (x * 2, y), num_parallel_calls=tf.data.AUTOTUNE)
    return twice.batch(BATCH).prefetch(2)


@pytest.mark.parametrize(
    "data",
    [
        lambda: Numbered(),
        lambda: Numbered(workers=3, max_queue_size=4),
        pipeline,
        lambda: pipeline(seed=4, reshuffle_each_iteration=False),
        lambda: lambda epoch: pipeline(seed=4 + epoch),
    ],
    ids=["PyDataset", "PyDataset with threads", "tf.data", "tf.data shuffled", "of an epoch"],
)
def test_kinds_of_data(tmp_path: Path, networks: Twice, data: Callable[[], Any]) -> None:
    def run(name: str, model: Any, listed: list[Any]) -> Any:
        validation = tf.data.Dataset.from_tensor_slices(images(48, 6)).batch(20)
        trained = training.train(
            tmp_path / name, listed, model=model, x=data(), y=None, validation_data=validation
        )
        return outcome(*trained)

    expected = run("one", networks.fresh(), callbacks())
    with pytest.raises(Cut):
        run("two", networks.fresh(), cut_after(STEPS + 4))
    with pytest.raises(Cut):
        run("two", networks.second, cut_after(4))
    assert differing(expected, run("two", networks.second, callbacks())) == []


def test_dicts_weights_and_classes(tmp_path: Path) -> None:
    def made(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        one, two = keras.Input((12, 12, 1), name="one"), keras.Input((1,), name="two")
        joined = keras.layers.concatenate([keras.layers.Flatten()(one), two])
        dropped = keras.layers.Dropout(0.4)(joined)
        model = keras.Model({"one": one, "two": two}, keras.layers.Dense(4)(dropped))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, weighted_metrics=["accuracy"])
        return model

    x, y = images()
    weights = np.linspace(0.5, 2, len(y))

    def run(name: str, model: Any, listed: list[Any]) -> Any:
        both = {"one": x, "two": np.arange(len(y), dtype="float64")[:, None] / len(y)}
        trained = training.train(
            tmp_path / name,
            listed,
            model=model,
            x=both,
            sample_weight=weights,
            validation_data=None,
            shuffle=False,
        )
        return outcome(*trained)

    expected = run("one", made(1), [training.Seen()])
    with pytest.raises(Cut):
        run("two", made(1), cut_after(4, [training.Seen()]))
    assert differing(expected, run("two", made(2), [training.Seen()])) == []
    assert "loss" in resume.newest(tmp_path / "two").name


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


class Tally(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback of the user's own with all that can be remembered."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.losses: list[float] = []
        self.by_epoch: dict[Any, Any] = {}
        self.mean = np.zeros(2)
        self.pair = (1, None)
        self.kinds = {1}
        self.phase = "warm"

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])
        self.by_epoch[epoch, "x"] = np.float32(logs["loss"])
        self.mean = self.mean + logs["val_loss"]
        self.pair, self.kinds, self.phase = (epoch, self.pair), {epoch, *self.kinds}, f"e{epoch}"


def test_callbacks_of_ones_own(networks: Twice, tmp_path: Path) -> None:
    def run(name: str, model: Any, listed: list[Any]) -> dict[str, Any]:
        training.train(tmp_path / name, listed, model=model)
        return {k: v for k, v in vars(listed[0]).items() if k not in {"_model", "params"}}

    expected = run("one", networks.fresh(), [Tally("one"), training.Seen()])
    with pytest.raises(Cut):
        run("two", networks.fresh(), cut_after(2 * STEPS + 1, [Tally("two"), training.Seen()]))
    found = run("two", networks.second, [Tally("two"), training.Seen()])
    assert found.pop("name") == "two"
    expected.pop("name")
    assert (found.pop("mean") == expected.pop("mean")).all()
    assert found == expected
    assert type(found["by_epoch"][0, "x"]) is np.float32


class Drawing(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)
        self.drawn: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.drawn.append(self.rng.random())


class Telling(Drawing):
    def get_state(self) -> dict[str, Any]:
        return {"rng": self.rng.bit_generator.state, "drawn": self.drawn}

    def set_state(self, state: dict[str, Any]) -> None:
        self.rng.bit_generator.state, self.drawn = state["rng"], state["drawn"]


def test_a_callback_that_cannot_be_saved_is_refused_or_tells(
    networks: Twice, tmp_path: Path
) -> None:
    with pytest.raises(resume.NotExact, match=r"Drawing\.rng is a Generator.*get_state"):
        training.train(tmp_path / "one", [Drawing()], model=networks.fresh())
    with pytest.raises(Cut):
        training.train(
            tmp_path / "two",
            cut_after(STEPS + 1, [Telling(), training.Seen()]),
            model=networks.fresh(),
        )
    listed = [Telling(), training.Seen()]
    training.train(tmp_path / "two", listed, model=networks.second)
    assert listed[0].drawn == list(np.random.default_rng(0).random(EPOCHS))
