"""One training as several calls of ``model.fit``, saved on the way; `resume.fit` is the door."""

import contextlib
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.training.resume.checkpoints import Checkpoint, Position, Store, safe
from course_utils.training.resume.data import Feed
from course_utils.training.resume.state import (
    Memories,
    NotExact,
    capture,
    restore,
    seed_random_layers,
)

with quiet_native_stderr():
    import keras
    import tensorflow as tf


class Stopped(BaseException):
    """A signal came, and all is saved. No Exception, lest somebody's callback catches it."""


@dataclass(frozen=True)
class Plan:
    """What a saver has to know of the arguments of `resume.fit`."""

    seed: int
    save_every: int  # batches
    monitor: str
    mode: str  # "min" or "max"
    validates: bool
    about: dict[str, Any]  # goes into each manifest


@dataclass(frozen=True)
class _Moment:
    """All that is saved, at one position."""

    position: Position
    arrays: dict[str, np.ndarray]
    memories: list[Any]
    best: dict[str, Any] | None
    stopped: bool


class Saver(keras.callbacks.Callback):  # type: ignore[misc]
    """The last callback: saves every few batches and at each epoch's end, or when a signal came."""

    received: int | None = None  # number of the signal that came
    position = Position(0, 0)
    stopped = False  # a callback such as EarlyStopping has ended the training

    def __init__(self, store: Store, data: Feed, plan: Plan):
        super().__init__()
        self._store, self._data, self._plan = store, data, plan
        self._best: dict[str, Any] | None = None
        self._now: _Moment | None = None  # at the end of the last epoch, or where it went on
        self._before_last_batch: _Moment | None = None

    def start(self, callbacks: list[Any], history: Any, found: Checkpoint | None) -> None:
        """Put all back as it was at ``found``; without one, save the beginning."""
        self._memories, self._history = Memories(callbacks), history
        if found is None:
            seed_random_layers(self.model, self._plan.seed)
            self._now = self._moment()
            self._write(self._now)
            return
        told = found.content
        self._now = _Moment(
            found.position, found.arrays, told["callbacks"], told["best"], told["stopped"]
        )
        self.put_back()

    def put_back(self) -> None:
        """Return to the end of the last epoch, or to where training went on."""
        assert self._now
        self.position, self._best = self._now.position, self._now.best
        self.stopped = self._now.stopped
        restore(self.model, self._now.arrays)
        self._memories.restore(self._now.memories, self._now.arrays)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._data.epoch = epoch
        self._before_last_batch = None
        if self.position.batch:
            # Keras has reset the metrics, and callbacks have begun an epoch that had begun
            # already (LearningRateScheduler may have lowered the rate once more).
            self.put_back()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # Validation cannot be entered in its middle. A signal that comes then saves this moment,
        # so that the last batch is trained once more and all of validation follows.
        last = batch + self.model.steps_per_execution >= self._data.steps
        if self._plan.validates and last:
            self._before_last_batch = self._moment()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        before = self.position.batch
        self.position = Position(self._data.epoch, min(batch + 1, self._data.steps))
        if self.position.batch == self._data.steps:
            return  # the epoch's end follows
        every = self._plan.save_every
        if self.received or self.position.batch // every > before // every:
            self._write(self._moment())
        self._stop_if_asked()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        moment = self._before_last_batch
        if self.received and moment:
            if moment.position.batch:  # else the end of the epoch before is saved already
                self._write(moment)
            self.position = moment.position
            self._stop_if_asked()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.position = Position(epoch + 1, 0)
        self.stopped = bool(self.model.stop_training)
        self._judge(epoch + 1)
        self._now = self._moment()
        self._write(self._now)
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.received:
            raise Stopped

    def _judge(self, epoch: int) -> None:
        """Keep the weights where they are the best so far."""
        values = self._history.history
        if self._plan.monitor not in values:
            raise ValueError(
                f"monitor: {self._plan.monitor!r} is not measured; there are {', '.join(values)}."
            )
        value = float(values[self._plan.monitor][-1])
        sign = 1 if self._plan.mode == "min" else -1
        if np.isnan(value) or (self._best and sign * value >= sign * self._best["value"]):
            return
        with tempfile.TemporaryDirectory() as elsewhere:  # Keras cannot write atomically
            file = Path(elsewhere) / "model.keras"
            try:
                self.model.save(file)
            except (NotImplementedError, TypeError, ValueError):  # it cannot tell what it is
                file = Path(elsewhere) / "model.weights.h5"
                self.model.save_weights(file)
            ending = "".join(file.suffixes)
            name = f"best-epoch-{epoch:03d}-{self._label()}{ending}"
            self._store.put(name, file.read_bytes())
        self._best = {"epoch": epoch, "value": value, "file": name}

    def _moment(self) -> _Moment:
        memories, remembered = self._memories.capture()
        arrays = capture(self.model) | remembered
        return _Moment(self.position, arrays, memories, self._best, self.stopped)

    def _write(self, moment: _Moment) -> None:
        content = {
            **self._plan.about,
            "callbacks": moment.memories,
            "best": moment.best,
            "stopped": moment.stopped,
        }
        self._store.write(moment.position, self._label(), moment.arrays, content)

    def _label(self) -> str:
        values = self._history.history.get(self._plan.monitor)
        return safe(f"{self._plan.monitor}-{values[-1]:.4f}") if values else ""


class _Hooks(keras.callbacks.CallbackList):  # type: ignore[misc]
    """The callbacks of a training that Keras is asked to do in several pieces."""

    first_batch = 0  # at which the present piece enters its first epoch
    last_logs: Any = None

    def begin(self) -> None:
        super().on_train_begin()

    def end(self) -> None:
        super().on_train_end(self.last_logs)

    def on_train_begin(self, logs: Any = None) -> None:
        """Of a piece: nothing."""

    def on_train_end(self, logs: Any = None) -> None:
        """Of a piece."""
        self.last_logs = logs

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(self.first_batch + batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(self.first_batch + batch, logs)


def train(
    model: Any,
    data: Feed,
    saver: Saver,
    callbacks: list[Any],
    found: Checkpoint | None,
    *,
    epochs: int,
    verbose: Any,
    **options: Any,
) -> Any:
    """Train up to ``epochs``, from ``found`` on; ``options`` go to ``model.fit``.

    Returns:
        The History of the whole training.

    Raises:
        Stopped: a signal came.
        NotExact: an operation has no deterministic form on the GPU; named.
    """
    histories = [c for c in callbacks if isinstance(c, keras.callbacks.History)]
    history = histories[0] if histories else keras.callbacks.History()
    listed = callbacks if histories else [*callbacks, history]
    hooks = _Hooks(
        [*listed, saver],
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=data.steps,
    )
    hooks.begin()
    saver.start(listed, history, found)
    while saver.position.epoch < epochs and not saver.stopped:
        data.epoch, hooks.first_batch = saver.position.epoch, saver.position.batch
        piece = data.one_epoch_at_a_time or hooks.first_batch > 0
        with _named_op():
            model.fit(
                data.batches_from(hooks.first_batch),
                initial_epoch=data.epoch,
                epochs=data.epoch + 1 if piece else epochs,
                callbacks=hooks,
                verbose=verbose,
                **options,
            )
        # At the end of each fit Keras puts the optimizer's moving averages (use_ema) into the
        # weights. That belongs to the end of the training.
        saver.put_back()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    hooks.end()
    return history


@contextlib.contextmanager
def _named_op() -> Iterator[None]:
    try:
        yield
    except tf.errors.UnimplementedError as error:
        if "determinis" not in error.message:
            raise
        raise NotExact(
            f"On this GPU the training cannot be repeated exactly: {error.message} "
            "Use another layer in its place, or hide the GPU (CUDA_VISIBLE_DEVICES=-1)."
        ) from error


@contextlib.contextmanager
def listening(saver: Saver) -> Iterator[None]:
    """Ctrl-C and SIGTERM only leave word with ``saver`` meanwhile; a second Ctrl-C interrupts.

    In threads other than the main one Python hears no signals.
    """

    def receive(number: int, frame: Any) -> None:
        if saver.received and number == signal.SIGINT:
            raise KeyboardInterrupt("Interrupted twice: since the last checkpoint nothing is saved")
        saver.received = saver.received or number

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # A process may be started deaf to Ctrl-C (nohup); None is a handler not of Python's.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, receive)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
