"""Training that may be interrupted anywhere and goes on as if nothing had happened.

Chapter 13.2 saves the model after each epoch and loads it by hand. What that loses (the
optimizer's place within the epoch, random layers, the order of the data, what callbacks
remember) is saved here as well, so that the resumed run ends bit for bit as the uninterrupted
one.

Keras trains: `fit` calls ``model.fit`` with batches that depend on nothing but their number and
with one more callback, which saves.
"""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from operator import index
from pathlib import Path
from typing import Any

from filelock import Timeout

from course_utils.common import machine_lock
from course_utils.training.resume import fingerprint, state
from course_utils.training.resume.checkpoints import Checkpoint, Position, Store
from course_utils.training.resume.data import open_data, open_validation
from course_utils.training.resume.errors import ResumeError, RunMismatch
from course_utils.training.resume.loop import Saver, catch_signals, train

__all__ = ["ResumeError", "RunMismatch", "fit"]

MAX_DIFFERENCES = 8  # that a message lists


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
    verbose: Any = "auto",
) -> Any:
    """Train a compiled Keras model; called again with the same arguments, go on where it stopped.

    However the first call ended (killed, Ctrl-C, SIGTERM, power cut), after the second one
    weights, optimizer, History and callbacks are those of a run that was never interrupted, bit
    for bit, on the same machine with the same versions; on others a warning says that the last
    digits may differ. This holds for a model on one device, compiled without ``run_eagerly``. A
    run that has ended is not trained again; with more ``epochs`` it goes on, unless a callback
    such as EarlyStopping had ended it. The initial weights are the caller's;
    everything else random follows from ``seed``. TensorFlow's op determinism is turned on,
    for the rest of the process, too: without it other kernels sum in another order. An operation
    that has no deterministic form on a GPU raises TensorFlow's UnimplementedError, which names
    it: use another layer in its place, or hide the GPU (``CUDA_VISIBLE_DEVICES=-1``).

    Ctrl-C and SIGTERM save within one batch (a validation is finished first). Then comes
    KeyboardInterrupt, or the process ends with exit code 143. A second Ctrl-C interrupts at
    once, without saving.

    The folder holds the last three checkpoints. To keep the best model as well, give Keras'
    ``ModelCheckpoint(..., save_best_only=True)``, which goes on where it stopped, too.

    Args:
        model: compiled. What checkpoints restore is overwritten.
        x: arrays of shape ``(n, ...)``, one or several in a dict or list, shuffled anew in each
            epoch; a keras.utils.PyDataset whose batches depend on their number alone, shuffled
            by batch; a tf.data.Dataset of batches that repeats itself; or a function from the
            number of an epoch to its tf.data.Dataset, equally long in each epoch.
        y: targets of arrays, shape ``(n, ...)``.
        run_dir: folder of the checkpoints (see `course_utils.training.new_run`); may be moved.
        epochs: how many in all.
        batch_size: for arrays.
        seed: of the order of the data and of all random layers.
        save_every: batches between two checkpoints; one more comes at the end of each epoch.
        validation_data: ``(x, y)``, PyDataset or tf.data.Dataset.
        callbacks: Keras' or your own. Of your own, attributes are saved that are numbers, texts,
            arrays, lists, tuples or dicts.
        verbose: as in ``model.fit``.

    Returns:
        The keras.callbacks.History of the whole run.

    Raises:
        RunMismatch: model, data or arguments are not those of the run in ``run_dir``; says which.
        ResumeError: exactness cannot be promised for this model, data or callback; or no
            checkpoint in ``run_dir`` is intact; or one could not be written (the earlier ones are
            intact); or another process of this machine trains in ``run_dir``. Says which and why.
        OSError: ``run_dir`` cannot be made.
        TypeError: a number that has to be whole is not.
        ValueError: an argument is out of range, the model is not compiled, or the data do not fit
            each other.
    """
    epochs, batch_size, seed, save_every = map(index, (epochs, batch_size, seed, save_every))
    if min(epochs, batch_size, save_every) < 1 or seed < 0:
        raise ValueError("epochs, batch_size and save_every are 1 or more, and seed is 0 or more.")
    state.check_callbacks(callbacks)
    data = open_data(x, y, batch_size=batch_size, seed=seed)
    validation = open_validation(validation_data, batch_size)
    state.check_model(model, data.sample)
    unchanged = {"class_weight": "None", "shuffle": True}  # that version 0.1.0 let one choose
    identity = {
        "arguments": {"batch_size": batch_size, "seed": seed, **unchanged},
        "data": data.fingerprint,
        "validation_data": validation and validation.fingerprint,
        "model": fingerprint.describe_model(model),
        "callbacks": fingerprint.describe_callbacks(callbacks),
    }
    about = fingerprint.add_surroundings(identity)
    folder = Path(run_dir)
    with _lock_folder(folder):
        store = Store(folder, about)
        found = store.load_newest()
        if found is None:
            state.seed_random_layers(model, seed)
        else:
            _compare(found, about, epochs, folder)
        saver = Saver(store, callbacks, found, save_every)
        validated = validation and validation.batches(0, 0)
        try:
            with catch_signals(saver):
                return train(model, data, validated, saver, epochs, verbose)
        except KeyboardInterrupt as interrupt:  # once more, without all the frames of Keras
            raise KeyboardInterrupt(*interrupt.args) from None


def _compare(found: Checkpoint, about: dict[str, Any], epochs: int, folder: Path) -> None:
    """Refuse to go on with another run, and warn where only the surroundings are others."""
    if changes := list(fingerprint.find_differences(found.content["identity"], about["identity"])):
        lines = "\n  ".join(changes[:MAX_DIFFERENCES])
        raise RunMismatch(
            f"{folder} holds another training. What differs (at most {MAX_DIFFERENCES} lines):\n  "
            f"{lines}\n"
            "Use what the run began with, or another folder (course_utils.training.new_run)."
        )
    if found.position > Position(epochs, 0):
        raise RunMismatch(
            f"epochs={epochs}, but this training has come further already: {found.position}. "
            "Give at least as many epochs, or use another folder."
        )
    if changes := list(
        fingerprint.find_differences(found.content["surroundings"], about["surroundings"])
    ):
        warnings.warn(
            "Training goes on exactly where it stopped, but not in the same surroundings, so "
            f"the last digits may come out differently from here on: {'; '.join(changes)}.",
            stacklevel=3,
        )


def _lock_folder(folder: Path) -> AbstractContextManager[Any]:
    """Hold the folder, so that no second process of this machine trains into it."""
    try:
        return machine_lock(folder).acquire(timeout=0)
    except Timeout:
        raise ResumeError(
            f"Another process is training in {folder}. Wait for it, or use another folder."
        ) from None
