"""What balancing brings: ten classes of CIFAR-10, twenty times more of the first than of the last.

    python -m benchmarks.many_classes [--seeds 5] [--largest 800] [--ratio 20] [--size 128]

Each seed draws other pictures, makes other classes rare and splits anew. The same head learns from
MobileNet's features of the pictures as they are, repeated, and altered; the macro accuracy is that
on a hundred pictures of each class out of CIFAR-10's own test part. All heads are trained for the
same number of steps; as they are also for the same number of epochs, which are fewer steps.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from course_utils.datasets import CIFAR10_CLASSES
from course_utils.environment import quiet_native_stderr, set_seeds
from course_utils.training import labelled_images, transfer

STEPS, BATCH, EXAM = 1000, 128, 100
WAYS = ("as they are", "as they are, fewer steps", "repeated", "altered copies")
console = Console()


@dataclass(frozen=True)
class Sample:
    """Features and labels of one seed: the balanced training part and the exam."""

    x: np.ndarray
    y: np.ndarray
    copy: np.ndarray
    exam_x: np.ndarray
    exam_y: np.ndarray


def draw(seed: int, largest: int, ratio: float, base: Any, folder: Path) -> Sample:
    classes = [str(c) for c in np.random.default_rng(seed).permutation(CIFAR10_CLASSES)]
    numbers = np.geomspace(largest, largest / ratio, len(classes)).round().astype(int)
    sizes = dict(zip(classes, numbers, strict=True))
    csv = labelled_images.write_cifar10(folder / "learn", sizes, seed=seed)
    exam_csv = labelled_images.write_cifar10(
        folder / "exam", dict.fromkeys(classes, EXAM), part="test", seed=seed
    )
    table = labelled_images.read_labels(csv)
    exam = labelled_images.read_labels(exam_csv).assign(copy=0)
    assert not set(exam["digest"]) & set(table["digest"])
    even = labelled_images.balance_classes(labelled_images.split(table, seed=seed), seed=seed)
    groups = [even.training, exam]
    pixels = [
        labelled_images.read_pictures(group, base.input_shape[1], seed=seed) for group in groups
    ]
    x, exam_x = np.split(transfer.compute_features(base, np.concatenate(pixels)), [len(pixels[0])])
    y, exam_y = (group["label"].map(even.classes.index).to_numpy() for group in groups)
    return Sample(x, y, even.training["copy"].to_numpy(), exam_x, exam_y)


def train(x: np.ndarray, y: np.ndarray, seed: int, steps: int) -> Any:
    import keras

    set_seeds(seed)
    head = transfer.build_head(x.shape[1], 10)
    head.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    epochs = round(steps / np.ceil(len(x) / BATCH))
    head.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return head


def macro(head: Any, sample: Sample) -> float:
    from sklearn.metrics import balanced_accuracy_score

    answer = head.predict(sample.exam_x, verbose=0).argmax(axis=1)
    return float(balanced_accuracy_score(sample.exam_y, answer))


def compared(sample: Sample, seed: int) -> dict[str, float]:
    """The macro accuracy of each way."""
    plain = np.flatnonzero(sample.copy == 0)
    repeated = []
    for label in range(10):
        rows = plain[sample.y[plain] == label]
        repeated.append(np.resize(rows, (sample.y == label).sum()))
    fewer = STEPS * len(plain) // len(sample.y)
    ways = (
        (plain, STEPS),
        (plain, fewer),
        (np.concatenate(repeated), STEPS),
        (np.arange(len(sample.y)), STEPS),
    )
    return {
        way: macro(train(sample.x[rows], sample.y[rows], seed, steps), sample)
        for way, (rows, steps) in zip(WAYS, ways, strict=True)
    }


def show(results: list[dict[str, float]]) -> None:
    table = Table("macro accuracy", *(f"seed {k}" for k in range(len(results))), "mean")
    for way in WAYS:
        values = [result[way] for result in results]
        cells = [f"{100 * value:.1f}" for value in (*values, np.mean(values))]
        table.add_row(way, *cells)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--largest", type=int, default=800, help="pictures of the commonest class")
    parser.add_argument("--ratio", type=float, default=20)
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    given = parser.parse_args()
    with quiet_native_stderr():
        base = transfer.build_base(size=given.size)
    results = []
    for seed in track(range(given.seeds), "seeds", console=Console(stderr=True)):
        with tempfile.TemporaryDirectory() as folder:
            sample = draw(seed, given.largest, given.ratio, base, Path(folder))
        results.append(compared(sample, seed))
    show(results)
    plain, _, _, altered = (np.mean([result[way] for result in results]) for way in WAYS)
    if altered < 0.80 or altered < plain + 0.02:
        sys.exit("Not as promised: 80 %, and two points better than without balancing.")


if __name__ == "__main__":
    main()
