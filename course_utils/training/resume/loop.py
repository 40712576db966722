"""One training as a call of ``model.fit`` per epoch, saved on the way."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from course_utils.training.resume import state
from course_utils.training.resume.checkpoints import Checkpoint, Position, Store
from course_utils.training.resume.data import Data
from course_utils.training.resume.frameworks import keras, tf


class Saver(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves every few batches, at the end of each epoch, and when a signal came.

    Args:
        store: where to.
        callbacks: the caller's, to which this adds a History.
        found: the checkpoint to go on from; None to start anew and save the beginning.
        save_every: batches between two checkpoints.
    """

    signal_number: int | None = None  # of the signal that came
    position = Position(0, 0)
    stopped = False  # a callback such as EarlyStopping has ended the training

    def __init__(
        self, store: Store, callbacks: Sequence[Any], found: Checkpoint | None, save_every: int
    ):
        super().__init__()
        self.history = keras.callbacks.History()
        self.callbacks = [*callbacks, self.history]
        self._store, self._restore_point, self._save_every = store, found, save_every

    def on_train_begin(self, logs: Any = None) -> None:
        if self._restore_point is None:
            self._restore_point = self._capture()
            self._write(self._restore_point)
        self.restore()

    def restore(self) -> None:
        """Return to the end of the last epoch; before one has ended, to where this run began."""
        point = self._restore_point
        assert point
        self.position, self.stopped = point.position, point.content["stopped"]
        state.restore_variables(self.model, point.arrays)
        state.restore_callbacks(self.callbacks, point.content["callbacks"], point.arrays)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.position.batch:
            # Keras has reset the metrics, and callbacks have begun an epoch that had begun
            # already (LearningRateScheduler may have lowered the rate once more).
            self.restore()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        before = self.position.batch
        self.position = Position(self.position.epoch, batch + 1)
        if self.position.batch >= self.params["steps"]:
            return  # the end of the epoch follows
        # Not %: with steps_per_execution Keras reports several batches at once.
        is_due = self.position.batch // self._save_every > before // self._save_every
        if is_due or self.signal_number:
            self._write(self._capture())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.position = Position(epoch + 1, 0)
        self.stopped = bool(self.model.stop_training)
        self._restore_point = self._capture()
        self._write(self._restore_point)

    def _capture(self) -> Checkpoint:
        memory, arrays = state.capture_callbacks(self.callbacks)
        content = {"callbacks": memory, "stopped": self.stopped}
        return Checkpoint(self.position, state.capture_variables(self.model) | arrays, content)

    def _write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; if a signal has come, end as it asks for, and say how to go on."""
        self._store.write(checkpoint, self._label())
        if not self.signal_number:
            return
        text = (
            f"Training was interrupted after {self.position}, and all is saved in "
            f"{self._store.folder}. Start it again with the same arguments, and it goes on "
            "exactly there."
        )
        if self.signal_number == signal.SIGINT:
            raise KeyboardInterrupt(text)
        print(text, file=sys.stderr, flush=True)
        raise SystemExit(128 + self.signal_number)

    def _label(self) -> str:
        """The loss of the last epoch, of the validation if there is one; empty before the first."""
        history = self.history.history
        name = "val_loss" if "val_loss" in history else "loss"
        return f"{name}-{history[name][-1]:.4f}" if name in history else ""


class PiecewiseCallbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
    """Callbacks that see one training, though Keras runs it as several calls of ``fit``."""

    first_batch = 0  # of the epoch, with which this call of fit begins
    last_logs: Any = None

    def begin_training(self) -> None:
        super().on_train_begin()

    def end_training(self) -> None:
        super().on_train_end(self.last_logs)

    def on_train_begin(self, logs: Any = None) -> None:
        """Hide that a call of fit begins."""

    def on_train_end(self, logs: Any = None) -> None:
        """Hide that a call of fit ends."""
        self.last_logs = logs

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(self.first_batch + batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(self.first_batch + batch, logs)


def train(model: Any, data: Data, validation: Any, saver: Saver, epochs: int, verbose: Any) -> Any:
    """Train until ``epochs`` epochs are done, those of earlier runs included.

    Returns:
        The History of the whole training.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once everything is saved.
        SystemExit: the same after SIGTERM.
    """
    tf.config.experimental.enable_op_determinism()
    settings = {"verbose": verbose, "epochs": epochs, "steps": data.steps}
    listed = [*saver.callbacks, saver]  # the saver last: it saves what the others have done
    callbacks = PiecewiseCallbacks(listed, add_progbar=verbose != 0, model=model, **settings)
    callbacks.begin_training()
    while saver.position.epoch < epochs and not saver.stopped:
        epoch, callbacks.first_batch = saver.position.epoch, saver.position.batch
        model.fit(
            data.batches(epoch, callbacks.first_batch),
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=callbacks,
            shuffle=False,
            validation_data=validation,
        )
        # At the end of each fit Keras puts the optimizer's moving averages (use_ema) into the
        # weights, which is right only at the end of the training.
        saver.restore()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    callbacks.end_training()
    return saver.history


@contextlib.contextmanager
def catch_signals(saver: Saver) -> Iterator[None]:
    """On Ctrl-C or SIGTERM let ``saver`` save and stop; a Ctrl-C after either stops at once.

    Signals that are ignored (as under nohup), or handled by other code than Python's, keep their
    handling. In threads other than the main one Python receives no signals.
    """

    def receive(number: int, frame: Any) -> None:
        if saver.signal_number and number == signal.SIGINT:
            raise KeyboardInterrupt("Interrupted twice: since the last checkpoint nothing is saved")
        saver.signal_number = saver.signal_number or number

    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    caught = [n for n in numbers if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, receive) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
