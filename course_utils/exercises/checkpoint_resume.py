"""Exercises of notebook 05."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from course_utils.exercises import Exercise, make_folder


def keep_best(folder: Any) -> Any:
    """A callback that saves the best model, and its loss in a file."""
    import keras

    memory = folder / "best.txt"

    class KeepBest(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            best = float(memory.read_text()) if memory.exists() else float("inf")
            if logs["val_loss"] < best:
                self.model.save(folder / "best.keras")
                memory.write_text(str(logs["val_loss"]))

    return KeepBest()


def _test_keeper(answer: Callable[[Path], Any]) -> None:
    model = mock.Mock()
    with make_folder({}) as folder:
        for process, losses in enumerate([(0.5, 0.3, 0.4), (0.35, 0.2)], start=1):
            callback = answer(folder)
            assert hasattr(callback, "on_epoch_end"), "your function should return a callback."
            callback.set_model(model)
            for loss in losses:
                model.save.reset_mock()
                callback.on_epoch_end(0, {"loss": 1.0, "val_loss": loss})
                saved, wanted = model.save.called, loss in (0.5, 0.3, 0.2)
                assert saved == wanted, (
                    f"callback {process} should {'save' if wanted else 'not save'} after val_loss "
                    f"{loss}. The losses were 0.5, 0.3, 0.4, then 0.35, 0.2 in a new callback."
                )


keeper = Exercise(
    test=_test_keeper,
    solve=keep_best,
    hints=(
        "Write a class with the method on_epoch_end(self, epoch, logs=None) that inherits from "
        "keras.callbacks.Callback, and return an object of it.",
        "The lowest loss so far: float(file.read_text()) if file.exists() else float('inf')",
    ),
)


def newest_epoch(folder: Any) -> tuple[Any, int]:
    """The newest checkpoint and its number of epochs."""

    def find_epoch(path: Any) -> int:
        return int(path.name.split("-")[1])

    newest = max(folder.glob("epoch-*.keras"), key=find_epoch)
    return newest, find_epoch(newest)


def _test_newest(answer: Callable[[Path], tuple[Path, int]]) -> None:
    names = ["epoch-10-loss-0.3.keras", "epoch-9-loss-0.2.keras", "log.txt"]
    with make_folder(dict.fromkeys(names, b"")) as folder:
        got = answer(folder)
    assert Path(got[0]).name == names[0], f"the newest of {', '.join(names)} is not {got[0]}."
    assert got[1] == 10, f"{names[0]} has 10 complete epochs, not {got[1]!r}."


newest = Exercise(
    test=_test_newest,
    solve=newest_epoch,
    hints=(
        "path.name.split('-')[1] is the epoch, as a text.",
        "As texts, '9' comes after '10': compare numbers, with max(..., key=...).",
    ),
)


def find_lost(model: Any, path: Any) -> list[int]:
    """The indices of the variables that a file does not keep."""
    import keras
    import numpy as np

    model.save(path)
    loaded = keras.models.load_model(path)
    lists = [[*m.variables, *m.optimizer.variables] for m in (model, loaded)]
    pairs = enumerate(zip(*lists, strict=True))
    return [i for i, (a, b) in pairs if not np.array_equal(a.numpy(), b.numpy())]


def _test_lost(answer: Callable[[Any, Path], list[int]]) -> None:
    import keras
    import numpy as np

    drop, dense = keras.layers.Dropout(0.5), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((3,)), drop, dense])
    model.compile("adam", "mean_squared_error", jit_compile=False)
    model.fit(np.ones((8, 3)), np.ones(8), verbose=0)
    states = [i for i, v in enumerate(model.variables) if v.name == "seed_generator_state"]
    with make_folder({}) as folder:
        got = answer(model, folder / "model.keras")
    assert got == states, f"with a layer Dropout the result should be {states}, not {got!r}."


lost = Exercise(
    test=_test_lost,
    solve=find_lost,
    hints=(
        "model.save(path) and keras.models.load_model(path) give you the second model.",
        "Compare pairs of variables with np.array_equal(a.numpy(), b.numpy()).",
    ),
)
