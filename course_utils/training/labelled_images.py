"""Folders of labelled pictures: a CSV of labels, checked, and the layouts of two sets of birds.

A table of pictures has one row per picture, with the columns ``file`` (its path), ``label`` and
``digest`` (SHA-256 of its pixels). The sets of birds come with a ``part`` of their own as well.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.common import check_csv
from course_utils.training.transfer import read_picture

MAX_NAMES = 3  # names in an error message; the others are only counted
KAGGLE_PARTS = {"train": "training", "valid": "validation", "test": "test"}


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


def read_cub(folder: str | Path) -> pd.DataFrame:
    """Read the lists of CUB-200-2011 (Wah et al., 2011): 200 species of birds.

    Args:
        folder: ``CUB_200_2011``, unpacked: with ``images`` and four lists, whose lines begin with
            the number of a picture or of a class.

    Returns:
        A table with ``file``, ``label`` (such as ``001.Black_footed_Albatross``) and ``part``,
        ``training`` or ``test`` as its authors split it.

    Raises:
        OSError: a list is not there.
        ValueError: a list does not have a line for each picture.
    """
    place = Path(folder)

    def read_list(name: str) -> pd.Series:
        table = pd.read_csv(place / f"{name}.txt", sep=" ", header=None, index_col=0)
        return table[1].rename(name)

    names = ("images", "image_class_labels", "train_test_split")
    lists = pd.concat([read_list(name) for name in names], axis="columns")
    labels = lists["image_class_labels"].map(read_list("classes"))
    if lists.isna().any(axis=None) or labels.isna().any():
        raise ValueError(f"The lists in {place} do not fit together: unpack the set again.")
    files = [str(place / "images" / file) for file in lists["images"]]
    part = np.where(lists["train_test_split"] == 1, "training", "test")
    return pd.DataFrame({"file": files, "label": labels.tolist(), "part": part})


def read_kaggle_birds(folder: str | Path, csv: str = "birds.csv") -> pd.DataFrame:
    """Read the CSV of Kaggle's "BIRDS 525 SPECIES", which lies beside train, valid and test.

    Args:
        folder: with the CSV and its three folders, unpacked.
        csv: the name of the CSV, whose columns ``filepaths`` and ``labels`` are used.

    Returns:
        A table with ``file``, ``label``, ``digest`` and ``part``: training, validation or test.

    Raises:
        FileNotFoundError, ValueError: as of `read_labels`; or a picture is in no such folder.
    """
    path = Path(folder) / csv
    table = read_labels(path, file_column="filepaths", label_column="labels")
    part = [Path(file).relative_to(path.parent).parts[0] for file in table["file"]]
    if other := sorted(set(part) - set(KAGGLE_PARTS)):
        raise ValueError(f"{csv} names folders other than train, valid and test: {other}.")
    return table.assign(part=[KAGGLE_PARTS[name] for name in part])
