"""Rows of a service's features with their true label: read from a file, and checked.

What is wrong with a table is said before anything is trained on it, or judged by it.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from course_utils.common import check_csv
from course_utils.inference.schema import SHOWN_CHARACTERS, FeatureSchema

MAX_NAMES_CHARACTERS = 60  # of the classes, in a message


def read(file: str | Path) -> pd.DataFrame:
    """The table in a CSV file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no table, or two of its columns have one name.
    """
    check_csv(Path(file))
    try:
        # As the names stand there: pandas would call the second `weight` `weight.1`.
        header = pd.read_csv(file, header=None, nrows=1, dtype=str).iloc[0].tolist()
        table = pd.read_csv(file)
    except ValueError as error:  # pandas' own are such, and that of bytes which are no text
        raise ValueError(f"{file} is not a CSV file with a line of names: {error}") from None
    if twice := sorted({str(name) for name in header if header.count(name) > 1}):
        raise ValueError(f"{file} has the column {', '.join(twice)} more than once: keep one.")
    return table


def check(
    table: pd.DataFrame,
    schema: FeatureSchema,
    *,
    labels: Sequence[str] | None = None,
    gaps: tuple[str, ...] = (),
) -> pd.DataFrame:
    """The features, as numbers of the schema's kinds, and the label: a number or a class's name.

    Ranges are not checked: rows to learn from may well lie outside what was learned so far.

    Args:
        table: the rows.
        schema: of the model.
        labels: the classes, where the model is a classifier.
        gaps: features that may be missing in a row.

    Returns:
        The features in the schema's order, then the label, then what the table has besides.

    Raises:
        ValueError: every column that is missing, is there twice or holds what it must not.
    """
    wanted = [*schema.names, schema.target]
    _find_columns(table, wanted)
    integers = {feature.name for feature in schema.features if feature.integer}
    columns, faults = {}, []
    for name in wanted:
        if labels and name == schema.target:
            columns[name], wrong = read_classes(table[name], labels), ""
        else:
            columns[name], wrong = _read_numbers(table[name], name in integers, name in gaps)
        if wrong:
            faults.append(f"{name}: {wrong}")
    if faults:
        raise ValueError(f"The rows cannot be used as they are. {'; '.join(faults)}.")
    rest = {str(name): table[name] for name in table if name not in wanted}
    return pd.DataFrame(columns | rest).reset_index(drop=True)


def check_photos(table: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """The photos that a table names in its column ``file``, and their classes in ``label``.

    Raises:
        ValueError: a column is missing, a label is none of ``labels``, or a file is not there.
    """
    _find_columns(table, ["file", "label"])
    if absent := [str(file) for file in table["file"] if not Path(file).is_file()]:
        raise ValueError(f"{len(absent):,} of the files are not there, the first is {absent[0]}.")
    return table.assign(label=read_classes(table["label"], labels)).reset_index(drop=True)


def _find_columns(table: pd.DataFrame, wanted: list[str]) -> None:
    """Raise where a column is missing or there twice; the last one wanted is the label."""
    if missing := [name for name in wanted if name not in table]:
        what = "label" if missing == wanted[-1:] else "column"
        raise ValueError(f"The rows lack the {what} {', '.join(missing)}.")
    if twice := [name for name in wanted if list(table.columns).count(name) > 1]:
        raise ValueError(f"The rows have the column {', '.join(twice)} more than once: keep one.")


def read_classes(column: pd.Series, labels: Sequence[str]) -> pd.Series:
    """A column as names of classes.

    Raises:
        ValueError: one of them is not among ``labels``.
    """
    names = column.astype(str)
    unknown = ~names.isin(labels).to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        shown = repr(names.iloc[row][:SHOWN_CHARACTERS])
        known = textwrap.shorten(", ".join(labels), MAX_NAMES_CHARACTERS, placeholder=" …")
        raise ValueError(f"{column.name}: {shown} in row {row + 1} is none of the classes {known}.")
    return names


def _read_numbers(column: pd.Series, integer: bool, gaps: bool) -> tuple[pd.Series, str]:
    """A column as numbers, and what the first is that is none (rows are counted from 1)."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    with np.errstate(over="ignore"):  # a network counts in float32, where 1e200 is infinite
        allowed = np.isfinite(numbers.to_numpy().astype(np.float32))
    if integer:
        allowed &= (np.floor(numbers) == numbers).to_numpy()
    absent = column.isna().to_numpy()
    refused = ~allowed & ~(absent & gaps)
    if refused.any():
        row = int(refused.argmax())
        shown = "nothing" if absent[row] else repr(str(column.iloc[row])[:SHOWN_CHARACTERS])
        kind = "whole" if integer else "finite"
        return numbers, f"{shown} in row {row + 1} is no {kind} number"
    return numbers.astype("int64") if integer and allowed.all() else numbers, ""


def drop_known(known: pd.DataFrame, table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Keep the rows of ``table`` that are neither in ``known`` nor a second time in ``table``.

    Two rows are the same where all of ``names`` are equal; missing values are equal, too.
    """
    both = pd.concat([known[names], table[names]], ignore_index=True)
    return table[~both.duplicated().to_numpy()[len(known) :]]
