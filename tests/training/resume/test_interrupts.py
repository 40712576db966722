"""A training that a signal ends has saved all, and goes on from its newest whole checkpoint."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from course_utils.training import resume
from tests.support import training
from tests.support.resuming import Cut, Twice, cut_after
from tests.support.training import STEPS, Seen, callbacks, differing, outcome

with resume.quiet_native_stderr():
    import keras

# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


# Signals in this process; from outside in test_process.py


class InValidation(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises SIGTERM in the middle of a validation."""

    def __init__(self, after: int):
        super().__init__()
        left = iter(range(after, -999, -1))  # not remembered by checkpoints

        def act() -> None:
            if next(left) == 1:
                signal.raise_signal(signal.SIGTERM)

        self.act = act

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.act()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("batches", [1, STEPS - 1, STEPS, STEPS + 1, 3 * STEPS])
def test_a_signal_after_a_batch(
    networks: Twice, tmp_path: Path, number: int, batches: int, capsys: Any
) -> None:
    whole = outcome(*training.train(tmp_path / "whole", model=networks.fresh()))
    listed = cut_after(batches)
    act = listed[-1].act

    def raised() -> None:
        try:
            act()
        except Cut:
            signal.raise_signal(number)

    listed[-1].act = raised
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises((SystemExit, KeyboardInterrupt)) as caught:
        training.train(tmp_path / "run", listed, model=networks.fresh(), save_every=1000)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    if number == signal.SIGTERM:
        assert caught.value.code == 143
        assert "all is saved" in capsys.readouterr().err
    else:
        assert "all is saved" in str(caught.value)
    folder = tmp_path / "run"
    done = (batches - 1) // STEPS  # after an epoch's last batch its validation is running
    assert resume.newest(folder).name.startswith(f"epoch-{done:03d}")
    found = outcome(*training.train(folder, model=networks.second))
    assert differing(whole, found) == []


@pytest.mark.thorough
def test_a_signal_during_validation(networks: Twice, tmp_path: Path, capsys: Any) -> None:
    whole = outcome(*training.train(tmp_path / "whole", model=networks.fresh()))
    listed = [*callbacks(), InValidation(after=5)]  # the second one, of three batches each
    with pytest.raises(SystemExit):
        training.train(tmp_path / "run", listed, model=networks.fresh(), save_every=1000)
    assert f"1 epoch and {STEPS - 1} batches" in capsys.readouterr().err
    assert f"epoch-001-batch-{STEPS - 1:05d}" in resume.newest(tmp_path / "run").name
    listed = [*callbacks(), InValidation(after=99)]
    model, history, _ = training.train(tmp_path / "run", listed, model=networks.second)
    found = outcome(model, history, listed[:-1])
    assert differing(whole, found) == []


def test_a_second_interrupt_does_not_wait(networks: Twice, tmp_path: Path) -> None:
    seen = Seen()

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    seen.act = twice
    with pytest.raises(KeyboardInterrupt, match="twice"):
        training.train(tmp_path, [seen], model=networks.fresh())


def test_a_process_deaf_to_interrupts_stays_so(networks: Twice, tmp_path: Path) -> None:
    seen = Seen()
    seen.act = lambda: signal.raise_signal(signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
    try:
        training.train(tmp_path, [seen], model=networks.fresh(), epochs=1)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.thorough
def test_a_damaged_newest_is_passed_over_and_all_ends_the_same(
    begun: Path, networks: Twice, tmp_path: Path
) -> None:
    whole = outcome(*training.train(tmp_path / "whole", model=networks.fresh()))
    folder = shutil.copytree(begun, tmp_path / "copy")
    resume.newest(folder).write_bytes(b"not what it was")
    with pytest.warns(UserWarning, match="damaged checkpoint is passed over"):
        found = outcome(*training.train(folder, model=networks.second))
    assert differing(whole, found) == []
