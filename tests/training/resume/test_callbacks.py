"""Callbacks go on with what they remembered when their training was interrupted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.training.resume.frameworks import keras
from tests.support import training
from tests.support.resuming import Cut, Networks, check_exactness, cut_after
from tests.support.training import STEPS, Seen, differing, outcome

# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.thorough
def test_early_stopping_ends_at_the_same_epoch(networks: Networks, tmp_path: Path) -> None:
    def listed() -> list[Any]:
        early = keras.callbacks.EarlyStopping(min_delta=9, patience=2, restore_best_weights=True)
        return [early, Seen()]

    expected = check_exactness(tmp_path, networks.make, (2 * STEPS + 1,), listed, epochs=9)
    assert list(expected["history epochs"]) == [0, 1, 2]
    again = training.train(tmp_path / "cut", listed(), model=networks.second, epochs=99)
    assert differing(expected, outcome(*again)) == []


class Tally(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback of the user's own with all that can be remembered."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.by_epoch: dict[Any, Any] = {}
        self.mean = np.zeros(2)
        self.phase = "warm"

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.by_epoch[epoch, "x"] = np.float32(logs["loss"])
        self.mean = self.mean + logs["val_loss"]
        self.phase = f"e{epoch}"


@pytest.mark.thorough
def test_callbacks_of_ones_own(networks: Networks, tmp_path: Path) -> None:
    def run(name: str, model: Any, listed: list[Any]) -> dict[str, Any]:
        training.train(tmp_path / name, listed, model=model)
        return {k: v for k, v in vars(listed[0]).items() if k not in {"_model", "params"}}

    expected = run("one", networks.fresh(), [Tally("one"), Seen()])
    with pytest.raises(Cut):
        run("two", networks.fresh(), cut_after(2 * STEPS + 1, [Tally("two"), Seen()]))
    found = run("two", networks.second, [Tally("new"), Seen()])
    assert (found.pop("mean") == expected.pop("mean")).all()
    assert found == expected | {"name": "new"}
    assert type(found["by_epoch"][0, "x"]) is np.float32
