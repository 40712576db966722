"""A training and a test part from a folder of pictures and a CSV of labels, balanced without leaks.

A table of pictures has one row per picture, with the columns ``file`` (its path), ``label``,
``digest`` (SHA-256 of its pixels) and, after `split`, ``copy``: 0 for the picture itself, 1 and up
for altered copies. Only the training part is copied, after the split. `Parts` refuses tables that
share a picture.
"""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from course_utils.common import check_csv
from course_utils.datasets import CIFAR10_CLASSES, load_cifar10
from course_utils.training.transfer import read_picture

MAX_NAMES = 3  # names in an error message; the others are only counted
BATCH_SIZE = 64  # pictures that are altered in one step


def read_labels(
    csv: str | Path,
    folder: str | Path | None = None,
    *,
    file_column: str = "file",
    label_column: str = "label",
) -> pd.DataFrame:
    """Read a CSV of labels and check each picture that it names.

    Of pictures with the same pixels and the same label only the first is kept. Otherwise one could
    be in the training part and the other in the test part.

    Args:
        csv: the table, in UTF-8, with a header.
        folder: where the pictures are, by default that of the CSV; it may have sub-folders, which
            the CSV then names.
        file_column: the column of the files, named from ``folder`` on.
        label_column: the column of the classes.

    Returns:
        A table of pictures in the order of the CSV.

    Raises:
        FileNotFoundError: no such CSV, or a picture that it names is not there.
        ValueError: a column is missing, a cell is empty, a picture cannot be read or has two
            labels, or there is one class only; the message says which and what to do.
    """
    path = Path(csv)
    table = _read_columns(path, file_column, label_column)
    place = Path(folder) if folder else path.parent
    files = [place / file for file in table["file"]]
    present = [file.is_file() for file in files]
    if missing := table["file"][np.logical_not(present)].tolist():
        raise FileNotFoundError(
            f"{path.name} names pictures that are not in {place}: {_name_some(missing)}. "
            "Put them there, or give the folder that they are in."
        )
    with ThreadPoolExecutor() as pool:  # decoders release the interpreter lock
        table = table.assign(file=list(map(str, files)), digest=list(pool.map(_hash_pixels, files)))
    labels = table.groupby("digest")["label"].transform("nunique")
    if (labels > 1).any():
        names = [Path(file).name for file in table["file"][labels > 1]]
        raise ValueError(
            f"{path.name} gives the same picture two labels: {_name_some(names)}. Correct one."
        )
    if table["label"].nunique() < 2:
        raise ValueError(f"{path.name} has fewer than two classes: there is nothing to tell apart.")
    return table.drop_duplicates("digest", ignore_index=True)


def _read_columns(path: Path, file_column: str, label_column: str) -> pd.DataFrame:
    """The columns ``file`` and ``label`` of a CSV."""
    check_csv(path)
    try:  # as text: a class may be called 7, or NA
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # of which pandas' own errors are kinds
        raise ValueError(f"{path.name} cannot be read as a CSV in UTF-8: {error}") from None
    for column in (file_column, label_column):
        if column not in table:
            raise ValueError(
                f"{path.name} has no column {column!r}; it has {', '.join(map(repr, table))}. "
                "Say which are meant by file_column= and label_column=."
            )
    found = table[[file_column, label_column]].set_axis(["file", "label"], axis="columns")
    found = found.fillna("").apply(lambda cells: cells.str.strip())
    empty = found.index[(found == "").any(axis=1)]
    if len(empty):
        rows = _name_some(empty + 1)
        raise ValueError(f"{path.name} has rows without a file or a label: {rows}.")
    return found


def _hash_pixels(file: Path) -> str:
    pixels = read_picture(file)
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _name_some(names: Sequence[Any]) -> str:
    """Write the first few names and the number of the others."""
    shown, others = ", ".join(map(str, names[:MAX_NAMES])), len(names) - MAX_NAMES
    return f"{shown} and {others} more" if others > 0 else shown


@dataclass(frozen=True)
class Parts:
    """A training part and a test part, which share no picture.

    Raises:
        ValueError: a picture, or an altered copy of it, is in both.
    """

    training: pd.DataFrame
    test: pd.DataFrame

    def __post_init__(self) -> None:
        shared = set(self.training["digest"]) & set(self.test["digest"])
        if shared:
            raise ValueError(f"The training and the test part share pictures ({len(shared)}).")

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted: the order of a network's outputs."""
        return sorted(set(self.training["label"]))


def split(table: pd.DataFrame, *, share: float = 0.2, seed: int = 0) -> Parts:
    """Draw the test part, by chance but with the same share of each class (stratified).

    Of the rarest class, too, each part gets at least one picture; that is why this is not
    scikit-learn's ``train_test_split``.

    Args:
        table: from `read_labels`.
        share: of the test part.
        seed: the same one draws the same part again.

    Raises:
        ValueError: a class has a single picture, or ``share`` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share={share}: give a number between 0 and 1.")
    sizes = table["label"].value_counts()
    single = sorted(sizes.index[sizes < 2])
    if single:
        raise ValueError(
            "Each class needs two pictures, one to learn from and one to test with. Add pictures "
            f"of {_name_some(single)}, or leave the class out."
        )
    random = np.random.default_rng(seed)
    test: list[int] = []
    for _, rows in sorted(table.groupby("label").indices.items()):
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        test += random.permutation(rows)[:count].tolist()
    chosen = np.isin(np.arange(len(table)), test)
    table = table.assign(copy=0)
    return Parts(table[~chosen].reset_index(drop=True), table[chosen].reset_index(drop=True))


def balance_classes(parts: Parts, *, seed: int = 0) -> Parts:
    """Bring each class of the training part to the size of the largest; the test part stays.

    A smaller class gets altered copies, of each of its pictures equally often.

    Args:
        parts: from `split`.
        seed: of the order in which pictures are copied.
    """
    largest = int(parts.training["label"].value_counts().max())
    random = np.random.default_rng(seed)
    chosen = []
    for _, rows in parts.training.groupby("label"):
        order = random.permutation(len(rows))
        turns = np.arange(largest)  # each round takes every picture once
        chosen.append(rows.iloc[order[turns % len(rows)]].assign(copy=turns // len(rows)))
    return Parts(pd.concat(chosen, ignore_index=True), parts.test)


def build_augmentation(seed: int = 0) -> Any:
    """Build the layers that alter copies: flip, rotation, zoom and contrast.

    Returns:
        A Keras network: pixels from 0 to 255 in and out, ``(n, height, width, 3)``. It changes
        them with ``training=True`` only.
    """
    import keras

    layers = keras.layers
    changes = [
        layers.RandomFlip("horizontal", seed=seed),
        layers.RandomRotation(0.04, seed=seed + 1),  # of a full turn, either way
        layers.RandomZoom(0.15, seed=seed + 2),
        layers.RandomContrast(0.2, value_range=(0, 255), seed=seed + 3),
    ]
    return keras.Sequential(changes, name="augmentation")


def read_pictures(part: pd.DataFrame, size: int, *, seed: int = 0) -> np.ndarray:
    """Read the pixels of a table's pictures, the copies altered by `build_augmentation`.

    Args:
        part: the training or the test part of `Parts`.
        size: pixels per side; 1,000 pictures of size 128 take 49 MB.
        seed: of the augmentation.

    Returns:
        uint8 array of shape ``(n, size, size, 3)``, 0 to 255, in the order of the rows.

    Raises:
        ValueError: a picture cannot be read; with its name.
        OSError: a file is not there.
    """
    with ThreadPoolExecutor() as pool:
        pixels = np.stack(list(pool.map(lambda file: read_picture(file, size), part["file"])))
    copies = np.flatnonzero(part["copy"])
    if len(copies):
        alter = build_augmentation(seed)
        for rows in np.split(copies, range(BATCH_SIZE, len(copies), BATCH_SIZE)):
            altered = np.asarray(alter(pixels[rows].astype(np.float32), training=True))
            pixels[rows] = np.clip(altered.round(), 0, 255).astype(np.uint8)
    return pixels


def write_cifar10(
    folder: str | Path, sizes: Mapping[str, int], *, part: str = "training", seed: int = 0
) -> Path:
    """Write pictures of CIFAR-10 into a folder of PNG files with a CSV of labels.

    Args:
        folder: for the files, made where it is missing.
        sizes: how many pictures of each class, by its name in `datasets.CIFAR10_CLASSES`; drawn
            by chance.
        part: ``"training"`` or ``"test"``, as CIFAR-10 has them.
        seed: of the drawing.

    Returns:
        The path of the CSV, ``labels.csv`` in ``folder``: columns ``file`` and ``label``, shuffled.
    """
    images, labels = load_cifar10()[("training", "test").index(part)]
    random = np.random.default_rng(seed)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    chosen = []
    for name, size in sizes.items():
        of_class = np.flatnonzero(labels == CIFAR10_CLASSES.index(name))
        chosen += [(number, name) for number in random.choice(of_class, size, replace=False)]
    random.shuffle(chosen)
    for number, _ in chosen:
        Image.fromarray(images[number]).save(place / f"{number:05d}.png")
    rows = [(f"{number:05d}.png", name) for number, name in chosen]
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(place / "labels.csv", index=False)
    return place / "labels.csv"
