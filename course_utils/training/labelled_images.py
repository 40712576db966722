"""A folder of pictures and a CSV of labels → a training and a test part, balanced without leaks.

What is in a table of pictures: a row a picture, columns ``file`` (its path), ``label``, ``digest``
(SHA-256 of its pixels) and, once `balanced`, ``copy``: 0 for the picture as it is, 1 and up for
altered ones. Copies are made of the training part only, after the split; `Parts` refuses tables
that share a picture.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.images import BadImage, read_image
from course_utils.training.transfer import read_picture

if TYPE_CHECKING:
    import pandas as pd

NAMED = 3  # files or classes that a message names; the rest it counts
BATCH = 64  # pictures altered at a time


def read_labels(
    csv: str | Path,
    folder: str | Path | None = None,
    *,
    file_column: str = "file",
    label_column: str = "label",
    duplicates: str = "refuse",
) -> "pd.DataFrame":
    """Read a CSV of labels and look at each picture that it names.

    Args:
        csv: the table, in UTF-8, with a header.
        folder: where the pictures are, by default that of the CSV; it may have sub-folders, which
            the CSV then names.
        file_column: the column of the files, named from ``folder`` on.
        label_column: the column of the classes.
        duplicates: what to do where two pictures have the same pixels and the same label:
            ``"refuse"`` or keep the ``"first"``.

    Returns:
        A table of pictures in the order of the CSV.

    Raises:
        FileNotFoundError: no such CSV, or a picture that it names is not there.
        ValueError: a column is missing, a cell is empty, a picture cannot be read, pictures occur
            twice, or there is one class only; the message says which and what to do.
    """
    if duplicates not in ("refuse", "first"):
        raise ValueError(f'duplicates={duplicates!r}: give "refuse" or "first".')
    path = Path(csv)
    table = _columns(path, file_column, label_column)
    table = _looked_at(table, Path(folder) if folder else path.parent, path.name)
    table = _without_duplicates(table, path.name, duplicates)
    if table["label"].nunique() < 2:
        raise ValueError(f"{path.name} has one class only: there is nothing to tell apart.")
    return table


def _columns(path: Path, file_column: str, label_column: str) -> "pd.DataFrame":
    import pandas as pd

    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: give the path of the CSV of labels.")
    try:  # as text: a class may be called 7, or NA
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
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
        raise ValueError(f"{path.name}: the file or the label of row {_some(empty + 1)} empty.")
    if not len(found):
        raise ValueError(f"{path.name} names no pictures: it has a header and nothing below.")
    return found


def _looked_at(table: "pd.DataFrame", place: Path, name: str) -> "pd.DataFrame":
    """The table with whole paths, and with the digests of what is there."""
    files = [place / file for file in table["file"]]
    missing = [text for text, file in zip(table["file"], files, strict=True) if not file.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{name} names {len(files)} pictures, of which {_some(missing)} not in {place}. "
            "Put them there, or give the folder that they are in."
        )
    with ThreadPoolExecutor() as pool:  # decoders let other threads work
        digests = list(pool.map(_digest, files))
    return table.assign(file=[str(file) for file in files], digest=digests)


def _digest(file: Path) -> str:
    try:
        pixels = read_image(file.read_bytes())
    except BadImage as error:
        raise ValueError(f"{file.name}: {error}") from None
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _without_duplicates(table: "pd.DataFrame", name: str, duplicates: str) -> "pd.DataFrame":
    """Or one and the same picture could be learnt from and tested with."""
    labels = table.groupby("digest")["label"].transform("nunique")
    if (labels > 1).any():
        files = [Path(file).name for file in table["file"][labels > 1]]
        raise ValueError(
            f"{name} gives the same picture two labels: {', '.join(files[:2])}. Correct one."
        )
    again = table.duplicated("digest")
    if again.any() and duplicates == "refuse":
        files = [Path(file).name for file in table["file"][again]]
        raise ValueError(
            f"{name} names pictures that are there before with the same pixels: {_some(files)} "
            'there twice. Take them out, or keep the first of each by duplicates="first".'
        )
    return table[~again].reset_index(drop=True)


def _some(names: Any) -> str:
    """The first few, how many more, and a verb."""
    shown = ", ".join(map(str, names[:NAMED]))
    more = len(names) - NAMED
    return f"{shown}{f' and {more} more' if more > 0 else ''} {'is' if len(names) == 1 else 'are'}"


@dataclass(frozen=True)
class Parts:
    """A training part and a test part, which share no picture.

    Raises:
        ValueError: a picture, or an altered copy of it, is in both.
    """

    training: "pd.DataFrame"
    test: "pd.DataFrame"

    def __post_init__(self) -> None:
        shared = set(self.training["digest"]) & set(self.test["digest"])
        if shared:
            raise ValueError(f"The training and the test part share pictures ({len(shared)}).")

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted: the order of a network's outputs."""
        return sorted(set(self.training["label"]))


def split(table: "pd.DataFrame", *, share: float = 0.2, seed: int = 0) -> Parts:
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
            "Each class needs two pictures, one to learn from and one to test with: "
            f"{_some(single)} there once. Add pictures, or leave the class out."
        )
    random = np.random.default_rng(seed)
    test: list[int] = []
    for _, rows in sorted(table.groupby("label").indices.items()):
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        test += random.permutation(rows)[:count].tolist()
    chosen = np.isin(np.arange(len(table)), test)
    return Parts(
        table[~chosen].reset_index(drop=True).assign(copy=0),
        table[chosen].reset_index(drop=True).assign(copy=0),
    )


def balanced(parts: Parts, *, to: int | None = None, seed: int = 0) -> Parts:
    """Bring each class of the training part to the same number; the test part stays as it is.

    A class with fewer gets altered copies, of all its pictures equally often; of a class with
    more some are drawn.

    Args:
        parts: from `split`.
        to: how many of each class; by default as many as the largest has.
        seed: of the drawing.

    Raises:
        ValueError: ``to`` is below 1.
    """
    import pandas as pd

    to = int(parts.training["label"].value_counts().max()) if to is None else to
    if to < 1:
        raise ValueError(f"to={to}: give 1 or more.")
    random = np.random.default_rng(seed)
    chosen = []
    for _, rows in parts.training[parts.training["copy"] == 0].groupby("label"):
        order = random.permutation(len(rows))
        turns = np.arange(to)  # once round through all pictures, then round again, and so on
        chosen.append(rows.iloc[order[turns % len(rows)]].assign(copy=turns // len(rows)))
    return Parts(pd.concat(chosen, ignore_index=True), parts.test)


def augmentation(seed: int = 0) -> Any:
    """Changes that leave a thing what it is: mirrored, turned and moved a little, other light.

    Returns:
        A Keras network: pixels from 0 to 255 in and out, ``(n, height, width, 3)``. It acts with
        ``training=True`` only.
    """
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomRotation(0.04, seed=seed + 1),  # of a full turn, either way
            layers.RandomZoom(0.15, seed=seed + 2),
            layers.RandomContrast(0.2, value_range=(0, 255), seed=seed + 3),
        ],
        name="augmentation",
    )


def pictures(part: "pd.DataFrame", size: int, *, seed: int = 0) -> np.ndarray:
    """The pixels of a table's pictures, copies altered by `augmentation`.

    Args:
        part: the training or the test part of `Parts`.
        size: pixels a side to resize to; 1,000 pictures of 128 take 49 MB.
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
        alter = augmentation(seed)
        for rows in np.split(copies, range(BATCH, len(copies), BATCH)):
            altered = np.asarray(alter(pixels[rows].astype(np.float32), training=True))
            pixels[rows] = np.clip(altered.round(), 0, 255).astype(np.uint8)
    return pixels


def numbers(part: "pd.DataFrame", classes: list[str]) -> np.ndarray:
    """The labels of a table as int64 positions in ``classes``, as Keras wants them."""
    return np.array([classes.index(label) for label in part["label"]])


def unbalanced_sizes(classes: list[str], largest: int, ratio: float) -> dict[str, int]:
    """How many pictures of each class: from ``largest`` down to ``largest / ratio``, evenly.

    Each is the same part of the one before.
    """
    sizes = np.geomspace(largest, largest / ratio, len(classes))
    return {name: round(size) for name, size in zip(classes, sizes, strict=True)}


def write_cifar10(
    folder: str | Path, sizes: Mapping[str, int], *, part: str = "training", seed: int = 0
) -> Path:
    """Write some of CIFAR-10 as most collections come: a folder of PNG files and a CSV of labels.

    Args:
        folder: for the files, made where it is missing.
        sizes: how many pictures of each class, by its name in `datasets.CIFAR10_CLASSES`; drawn
            by chance.
        part: ``"training"`` or ``"test"``, as CIFAR-10 has them.
        seed: of the drawing.

    Returns:
        The path of the CSV, ``labels.csv`` in ``folder``: columns ``file`` and ``label``, shuffled.
    """
    import pandas as pd
    from PIL import Image

    from course_utils.datasets import CIFAR10_CLASSES, load_cifar10

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
    table = pd.DataFrame(
        {"file": [f"{n:05d}.png" for n, _ in chosen], "label": [name for _, name in chosen]}
    )
    table.to_csv(place / "labels.csv", index=False)
    return place / "labels.csv"
