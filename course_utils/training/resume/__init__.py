"""Training that may be interrupted anywhere and goes on as if nothing had happened.

Chapter 13.2 saves the model after each epoch and loads it by hand. What that loses (the
optimizer's place within the epoch, random layers, the order of the data, what callbacks
remember) is saved here as well, so that the resumed run ends bit for bit as the uninterrupted
one.

Keras trains: `fit` calls ``model.fit`` with batches that depend on nothing but their number and
with one more callback, which saves.
"""

import contextlib
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from course_utils.common import machine_lock
from course_utils.environment import quiet_native_stderr
from course_utils.training.resume import fingerprint
from course_utils.training.resume.checkpoints import (
    Checkpoint,
    NotWritten,
    Position,
    ResumeError,
    Store,
    Unreadable,
)
from course_utils.training.resume.data import feed, validation_fingerprint
from course_utils.training.resume.exactness import check_model
from course_utils.training.resume.loop import Plan, Saver, Stopped, listening, train
from course_utils.training.resume.state import NotExact

with quiet_native_stderr():
    import keras
    import tensorflow as tf

__all__ = ["Changed", "NotExact", "NotWritten", "ResumeError", "Unreadable"]  # may be caught
__all__ += ["best", "fit", "newest"]

KEEP = 3  # checkpoints


class Changed(ResumeError):
    """The model, the data or an argument is not what the run began with."""


def fit(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    run_dir: str | Path,
    epochs: int,
    batch_size: int = 32,
    seed: int = 0,
    save_every: int = 50,
    validation_data: Any = None,
    callbacks: Sequence[Any] = (),
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    shuffle: bool = True,
    monitor: str | None = None,
    mode: Literal["min", "max"] = "min",
    keep: int = KEEP,
    verbose: Any = "auto",
) -> Any:
    """Train a compiled Keras model; called again with the same arguments, go on where it stopped.

    However the first call ended (killed, Ctrl-C, SIGTERM, power cut), after the second one
    weights, optimizer, History and callbacks are those of a run that was never interrupted, bit
    for bit, on the same machine with the same versions; on others a warning says that the last
    digits may differ. A run that has ended is not trained again; with more ``epochs`` it goes on,
    unless a callback such as EarlyStopping had ended it. The initial weights are the caller's;
    all else random follows from ``seed``. TensorFlow's op determinism is turned on,
    for the rest of the process, too: without it other kernels sum in another order.

    Ctrl-C and SIGTERM save within one batch; then comes KeyboardInterrupt, or the process ends
    with exit code 143. A second Ctrl-C interrupts at once, without saving.

    Args:
        model: compiled. What checkpoints restore is overwritten.
        x: arrays of shape ``(n, ...)``, one or several in a dict or list; a keras.utils.PyDataset
            whose batches depend on their number alone; a tf.data.Dataset of batches that repeats
            itself; or a function from the number of an epoch to its tf.data.Dataset.
        y: targets of arrays, shape ``(n, ...)``.
        run_dir: folder of the checkpoints (see `course_utils.training.new_run`); may be moved.
        epochs: how many in all.
        batch_size: for arrays.
        seed: of the order of the data and of all random layers.
        save_every: batches between two checkpoints; one more comes at the end of each epoch.
        validation_data: ``(x, y)`` or ``(x, y, sample_weight)``, PyDataset or tf.data.Dataset.
        callbacks: Keras' or your own. Of your own, attributes are saved that are numbers, texts,
            arrays, lists or dicts; with ``get_state()`` and ``set_state(state)``, what they say.
        sample_weight: of arrays, shape ``(n,)``.
        class_weight: as in ``model.fit``.
        shuffle: arrays by example, a PyDataset by batch, anew in each epoch.
        monitor: what the best weights are chosen by, and what stands in the files' names; by
            default ``val_loss``, or ``loss`` without validation data.
        mode: whether the smallest or the largest value of ``monitor`` is the best.
        keep: how many checkpoints are kept.
        verbose: as in ``model.fit``.

    Returns:
        The keras.callbacks.History of the whole run.

    Raises:
        Changed: model, data or arguments are not those of the run in ``run_dir``; says which.
        NotExact: exactness cannot be promised for this model, data or callback; says why.
        Unreadable: no checkpoint in ``run_dir`` is intact.
        NotWritten: a checkpoint could not be written (the earlier ones are intact).
        ResumeError: another process of this machine trains in ``run_dir``, or checkpoints are of
            another format.
        ValueError: an argument out of range.
    """
    _check_numbers(epochs=epochs, batch_size=batch_size, save_every=save_every, keep=keep)
    _check_choices(seed, mode, callbacks)
    tf.config.experimental.enable_op_determinism()
    data = feed(x, y, sample_weight, batch_size=batch_size, seed=seed, shuffle=shuffle)
    check_model(model, data.sample())
    monitor = monitor or ("loss" if validation_data is None else "val_loss")
    identity = {
        "arguments": {
            "batch_size": batch_size,
            "seed": seed,
            "shuffle": shuffle,
            "class_weight": repr(class_weight),
            "monitor": f"{monitor}, {mode}",
        },
        "data": data.fingerprint(),
        "validation_data": validation_fingerprint(validation_data),
        "model": fingerprint.of_model(model),
        "callbacks": fingerprint.of_callbacks(list(callbacks)),
    }
    about = {"identity": identity, "surroundings": fingerprint.surroundings()}
    plan = Plan(seed, save_every, monitor, mode, validation_data is not None, about)
    folder = Path(run_dir)
    with _alone(folder):
        store = Store(folder, keep)
        saver = Saver(store, data, plan)
        found = store.newest()
        _compare(found, about, epochs)
        try:
            with listening(saver):
                return train(
                    model,
                    data,
                    saver,
                    list(callbacks),
                    found,
                    epochs=epochs,
                    verbose=verbose,
                    validation_data=validation_data,
                    validation_batch_size=None if _batched(validation_data) else batch_size,
                    class_weight=class_weight,
                    shuffle=False,
                )
        except Stopped:
            _say_goodbye(saver, folder)


def _compare(found: Checkpoint | None, about: dict[str, Any], epochs: int) -> None:
    """Refuse to go on with another run; warn where only the surroundings are others."""
    if found is None:
        return
    if changes := fingerprint.differences(found.content["identity"], about["identity"]):
        raise Changed(
            f"{found.path.parent} holds another training. What differs:\n  "
            + "\n  ".join(changes)
            + "\nUse what the run began with, or another folder (course_utils.training.new_run)."
        )
    if found.position > Position(epochs, 0):
        raise Changed(
            f"epochs={epochs}, but this training has come further already: {found.position}. "
            "Give at least as many epochs, or use another folder."
        )
    there, here = found.content["surroundings"], about["surroundings"]
    if changes := fingerprint.differences(*({**s, "course": ""} for s in (there, here))):
        warnings.warn(
            "Training goes on exactly where it stopped, but not in the same surroundings, so "
            f"the last digits may come out differently from here on: {'; '.join(changes)}.",
            stacklevel=3,
        )


def _say_goodbye(saver: Saver, folder: Path) -> NoReturn:
    text = (
        f"Training was interrupted after {saver.position}, and all is saved in {folder}. "
        "Start it again with the same arguments, and it goes on exactly there."
    )
    if saver.received == signal.SIGTERM:
        print(text, file=sys.stderr, flush=True)
        raise SystemExit(128 + signal.SIGTERM) from None
    raise KeyboardInterrupt(text) from None


def newest(run_dir: str | Path) -> Path:
    """The newest intact checkpoint of a run: the path of its arrays.

    Raises:
        FileNotFoundError: there is none yet.
        Unreadable: all are damaged.
    """
    found = _newest(run_dir)
    return found.path


def best(run_dir: str | Path) -> Path:
    """The model of the epoch with the best monitored value, for ``keras.models.load_model``.

    (A model that Keras cannot describe: its weights, for ``model.load_weights``.)

    Raises:
        FileNotFoundError: no epoch has ended yet.
        Unreadable: no checkpoint is intact.
    """
    record = _newest(run_dir).content["best"]
    if record is None:
        raise FileNotFoundError(f"No epoch has ended yet in {run_dir}: there is no best one.")
    return Path(run_dir) / record["file"]


def _newest(run_dir: str | Path) -> Checkpoint:
    folder = Path(run_dir)
    found = Store(folder, KEEP).newest() if folder.is_dir() else None
    if found is None:
        raise FileNotFoundError(f"There is no checkpoint in {folder} yet.")
    return found


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if type(number) is not int or number < 1:
            raise ValueError(f"{name}: expected a whole number from 1 on, got {number!r}")


def _check_choices(seed: int, mode: str, callbacks: Sequence[Any]) -> None:
    if type(seed) is not int or seed < 0:
        raise ValueError(f"seed: expected a whole number from 0 on, got {seed!r}")
    if mode not in ("min", "max"):
        raise ValueError(f'mode: expected "min" or "max", got {mode!r}')
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(f"callbacks: expected Keras callbacks, got {callback!r}")
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise NotExact("BackupAndRestore and this function would both restore: leave it out.")
        if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append:
            raise NotExact(
                "CSVLogger begins its file anew when training goes on: write "
                "CSVLogger(..., append=True)."
            )


def _batched(data: Any) -> bool:
    return data is None or isinstance(data, (tf.data.Dataset, keras.utils.PyDataset))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder, so that no second process of this machine trains into it."""
    from filelock import Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritten(
            f"Checkpoints cannot be written to {folder}: {error.strerror or error}. "
            "Choose a folder that you may write to."
        ) from error
    lock = machine_lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ResumeError(
            f"Another process is training in {folder}. Wait for it, or use another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()
