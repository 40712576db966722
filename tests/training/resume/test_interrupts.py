"""A training that a signal ends has saved all, and goes on from its newest whole checkpoint."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support import training
from tests.support.resuming import Networks, cut_after, find_newest
from tests.support.training import STEPS, Seen, differing, outcome

# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


# Signals in this process; from outside in test_process.py


@pytest.mark.parametrize(
    ("number", "batches"),
    [(signal.SIGTERM, 1), (signal.SIGINT, STEPS - 1), (signal.SIGTERM, STEPS + 1)]
    + [pytest.param(signal.SIGINT, n * STEPS, marks=pytest.mark.thorough) for n in (1, 3)],
)
def test_a_signal_after_a_batch(
    whole: dict[str, Any],
    networks: Networks,
    tmp_path: Path,
    number: int,
    batches: int,
    capsys: Any,
) -> None:
    listed = cut_after(batches, end=lambda: signal.raise_signal(number))
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises((SystemExit, KeyboardInterrupt)) as caught:
        training.train(tmp_path, listed, model=networks.fresh(), save_every=1000)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    if number == signal.SIGTERM:
        assert caught.value.code == 143
        assert "all is saved" in capsys.readouterr().err
    else:
        assert "all is saved" in str(caught.value)
    epochs, rest = divmod(batches, STEPS)  # after an epoch's last batch its validation follows
    place = f"epoch-{epochs:03d}-batch-{rest:05d}" if rest else f"epoch-{epochs:03d}-val_loss"
    assert find_newest(tmp_path).name.startswith(place)
    found = outcome(*training.train(tmp_path, model=networks.second))
    assert differing(whole, found) == []


def test_a_second_interrupt_does_not_wait(networks: Networks, tmp_path: Path) -> None:
    seen = Seen()

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    seen.act = twice
    with pytest.raises(KeyboardInterrupt, match="twice"):
        training.train(tmp_path, [seen], model=networks.fresh())


def test_a_process_deaf_to_interrupts_stays_so(networks: Networks, tmp_path: Path) -> None:
    seen = Seen()
    seen.act = lambda: signal.raise_signal(signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
    try:
        training.train(tmp_path, [seen], model=networks.fresh(), epochs=1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen.batches) == STEPS
