"""Training killed at random, and what saving costs.

    python -m benchmarks.resume [--kills 300] [--seed 0] [--only kills|cost|newest|colab]

- kills: processes that train a small CNN are killed (SIGKILL) at random moments, a third of them
  within a save; each chain of kills is resumed to its end and compared with a training that
  nobody interrupted.
- cost: a small CNN on MNIST-sized images, saved every 50 batches; how long training
  stands still for it, within one run.
- newest, colab: the kills once more, a few, in an environment of its own, with the newest
  TensorFlow and Keras that pyproject.toml allows, and with those of Google Colab today.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.training import differing

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds for one child
COLAB = ("tensorflow==2.20.0", "keras==3.13.2")
ENDED = "ended before the kill"
PER_CHAIN = 10  # kills before a training is left to end


def child(python: str, folder: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [python, "-m", "tests.support.training", str(folder), "--save-every", "2", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill(python: str, folder: Path, dice: random.Random) -> str:
    """Start, or go on with, a training and kill it; how."""
    way = dice.choice(["in a save", "after batches", "any time"])
    if way == "any time":
        process = child(python, folder, "--slow", "0.05")
        assert process.stdout
        process.stdout.readline()  # before its first batch there is little to kill
        time.sleep(dice.uniform(0, 0.5))
        process.kill()
    elif way == "in a save":
        process = child(python, folder, "--kill-at-file", str(dice.randint(1, 8)))
    else:
        process = child(python, folder, "--kill", str(dice.randint(1, 4)))
    _, said = process.communicate(timeout=PATIENCE)
    if process.returncode == -signal.SIGKILL:
        return way
    return ENDED if process.returncode == 0 else f"FAILED: {said[-300:]}"


def ended(python: str, folder: Path) -> dict[str, Any] | None:
    """What a training comes to that is left alone; None where it fails."""
    process = child(python, folder)
    process.communicate(timeout=PATIENCE)
    if process.returncode:
        return None
    return outcome_in(folder)


def outcome_in(folder: Path) -> dict[str, Any]:
    with np.load(folder / "outcome.npz") as found:
        return dict(found)


def kills(number: int, seed: int, console: Console, python: str = sys.executable) -> bool:
    dice = random.Random(seed)
    counts: dict[str, int] = {}
    unresumable = different = chains = 0
    with tempfile.TemporaryDirectory() as place:
        whole = ended(python, Path(place) / "whole")
        assert whole, "the uninterrupted training failed"
        folder = Path(place) / "chain-0"
        for i in track(range(number), f"{number} kills", console=console):
            while (way := kill(python, folder, dice)) == ENDED:  # it got there before the kill
                counts[way] = counts.get(way, 0) + 1
                different += bool(differing(whole, outcome_in(folder)))
                folder = Path(place) / f"chain-{chains}-again-{counts[way]}"
            counts[way] = counts.get(way, 0) + 1
            unresumable += way.startswith("FAILED")
            if (i + 1) % PER_CHAIN == 0 or i + 1 == number:
                chains += 1
                found = ended(python, folder)
                unresumable += found is None
                different += found is not None and bool(differing(whole, found))
                folder = Path(place) / f"chain-{chains}"
    table = Table("what", "count", title="SIGKILL at random moments")
    for way, count in sorted(counts.items()):
        table.add_row(way, str(count))
    table.add_row("trainings resumed to their end", str(chains))
    table.add_row("that could not be resumed", str(unresumable))
    table.add_row("that ended differently (any bit)", str(different))
    console.print(table)
    return not unresumable and not different


def cost(console: Console, batches: int = 400) -> bool:
    """The time in `Saver._write` and in copying the state, of all the time in ``fit``."""
    from course_utils.environment import quiet_native_stderr
    from course_utils.training import resume
    from course_utils.training.resume import loop

    with quiet_native_stderr():
        import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x = rng.random((128 * batches // 2, 28, 28, 1), np.float32)
    y = rng.integers(0, 10, len(x))
    spent: list[float] = []

    class Timed(loop.Saver):
        def _capture(self) -> Any:
            return timed(super()._capture)

        def _write(self, checkpoint: Any) -> None:
            timed(super()._write, checkpoint)

    def timed(function: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            spent.append(time.perf_counter() - began)

    resume.Saver = Timed  # type: ignore[attr-defined, misc]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        resume.fit(model, x, y, run_dir=folder, epochs=2, batch_size=128, save_every=50, verbose=0)
        whole = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).glob("*.npz")) / 3
    share = sum(spent) / whole
    table = Table("what", "figure", title=f"Saving every 50 of {batches} batches of 128 images")
    table.add_row("one checkpoint", f"{size / 1e6:.1f} MB")
    table.add_row("saves", str(len(spent) // 2))
    table.add_row("standing still, all saves", f"{sum(spent):.2f} s")
    table.add_row("longest", f"{max(spent) * 1000:.0f} ms")
    table.add_row("training, saves included", f"{whole:.1f} s")
    table.add_row("share", f"{share:.2%}")
    console.print(table)
    return share < 0.05


def elsewhere(console: Console, kills_there: int, seed: int, *pins: str) -> bool:
    """The kills with the newest TensorFlow and Keras that our bounds and ``pins`` allow."""
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = r"(keras|tensorflow|numpy|filelock)\b"
    needed = [*pins, *(line for line in allowed if re.match(names, line))]
    with tempfile.TemporaryDirectory() as place:
        python = str(Path(place) / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
        subprocess.run([*install, "--upgrade", *needed], check=True)
        say = "import keras, tensorflow as tf; print('TensorFlow', tf.__version__, 'Keras', "
        say += "keras.__version__)"
        said = subprocess.run([python, "-c", say], capture_output=True, text=True, check=True)
        console.print(f"In an environment of its own: {said.stdout.strip()}")
        return kills(kills_there, seed, console, python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["kills", "cost", "newest", "colab"])
    arguments = parser.parse_args()
    console, fewer = Console(), max(arguments.kills // 30, 5)
    checks = {
        "cost": lambda: cost(console),
        "newest": lambda: elsewhere(console, fewer, arguments.seed),
        "colab": lambda: elsewhere(console, fewer, arguments.seed, *COLAB),
        "kills": lambda: kills(arguments.kills, arguments.seed, console),
    }
    failed = [name for name in checks if arguments.only in (None, name) and not checks[name]()]
    if failed:
        sys.exit(f"Not as promised: {', '.join(failed)}")


if __name__ == "__main__":
    main()
