"""A small training with all that resuming must bring back, for tests, children and benchmarks.

    python -m tests.support.training FOLDER [--save-every 2] [--slow 0]
        [--kill N] [--kill-at-file N]

trains into FOLDER and writes what came out to FOLDER/outcome.npz.
"""

import argparse
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.training import resume
from course_utils.training.resume.frameworks import keras

EXAMPLES, BATCH, EPOCHS = 90, 16, 3
STEPS = -(-EXAMPLES // BATCH)  # the last batch is smaller


def images(examples: int = EXAMPLES, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Squares of noise, darker in one half for each class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, examples)
    pixels = rng.random((examples, 12, 12, 1), np.float32)
    pixels[np.arange(examples), labels * 3] += 1
    return pixels, labels


def network(seed: int | None = 1, *, shifts: bool = True) -> Any:
    """A CNN with every kind of state: random layers, batch statistics, Adam's slots, metrics.

    Without ``shifts`` it lacks the layer that moves pixels, for which GPUs have no deterministic
    form.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.RandomFlip("horizontal"),
            *([layers.RandomTranslation(0.1, 0.1)] if shifts else []),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def callbacks() -> list[Any]:
    """Each remembers something, and does something within the few epochs."""
    return [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.5),
        keras.callbacks.EarlyStopping(patience=50, restore_best_weights=True),
        Seen(),
    ]


class Seen(keras.callbacks.Callback):  # type: ignore[misc]
    """Remembers the batches it was told of, with their losses; may be made to act after one."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Any] = []
        self.act = lambda: None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches.append((batch, logs["loss"]))
        self.act()


def train(folder: Path, watchers: list[Any] | None = None, **changes: Any) -> tuple[Any, Any, Any]:
    """Train the network from scratch, or on from where it was; model, history, callbacks."""
    model = changes.pop("model", None) or network()
    x, y = images()
    listed = callbacks() if watchers is None else watchers
    options: dict[str, Any] = {
        "y": y,
        "run_dir": folder,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "seed": 3,
        "save_every": 1,
        "validation_data": images(48, seed=6),
        "callbacks": listed,
        "verbose": 0,
    }
    history = resume.fit(model, changes.pop("x", x), **(options | changes))
    return model, history, listed


def outcome(model: Any, history: Any, listed: list[Any]) -> dict[str, Any]:
    """All that two trainings may differ in, as arrays and plain values."""
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    found = {f"variable {i} {v.shape}": v.numpy() for i, v in enumerate(variables)}
    found |= {f"history {key}": np.array(value) for key, value in history.history.items()}
    found["history epochs"] = np.array(history.epoch)
    for callback in listed:
        for key, value in vars(callback).items():
            if isinstance(value, int | float | list) and key != "min_delta":  # its sign varies
                for i, part in enumerate(value if isinstance(value, list) else [value]):
                    found[f"{type(callback).__name__}.{key} {i}"] = np.array(part)
    return found


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what is not equal bit for bit."""
    names = one.keys() | other.keys()
    return sorted(
        n for n in names if n not in one or n not in other or one[n].tobytes() != other[n].tobytes()
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--save-every", type=int, default=2)
    parser.add_argument("--slow", type=float, default=0, help="seconds more for each batch")
    parser.add_argument("--kill", type=int, help="SIGKILL itself after so many batches")
    parser.add_argument("--kill-at-file", type=int, help="and before so many files are in place")
    arguments = parser.parse_args()
    if arguments.kill_at_file:
        os.replace = counted(os.replace, arguments.kill_at_file)  # type: ignore[assignment]
    pause = counted(time.sleep, arguments.kill or 0)
    listed = callbacks()

    def act() -> None:
        print("batch", flush=True)
        pause(arguments.slow)

    listed[-1].act = act
    result = train(arguments.folder, listed, save_every=arguments.save_every)
    np.savez(arguments.folder / "outcome.npz", **outcome(*result))


def counted(function: Any, last: int) -> Any:
    """The function, but a call of that number kills the process instead."""
    calls = 0

    def call(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    return call


if __name__ == "__main__":
    main()
