"""Two tables in memory, as the tests want to read them."""

import datetime
import decimal
from collections.abc import Hashable, Iterator
from typing import Any, Protocol

import numpy as np
import pandas as pd

from course_utils.drift.ranks import Counts, Floats

CELLS = 20_000_000  # of two samples; of very many columns fewer rows are looked at
NUMBER, CATEGORY, TIME, EMPTY = "number", "category", "time", "empty"
Batch = tuple[Floats, Counts, Counts]
INFERRED = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal", "timedelta"), NUMBER),
    **dict.fromkeys(("string", "boolean", "categorical"), CATEGORY),
    **dict.fromkeys(("datetime", "date", "period", "time"), TIME),
    "empty": EMPTY,
}


class Tables(Protocol):
    """Two tables, wherever they are. A side is 0, the reference, or 1, the current one."""

    rows: tuple[int, int]
    names: tuple[list[str], list[str]]

    def kind(self, name: str, side: int) -> str:
        """``number``, ``category``, ``time``, ``empty``, or, in other words, why it is none."""

    def missing(self, name: str) -> tuple[int, int]:
        """Rows of either side without a value."""

    def moments(self, name: str, side: int) -> tuple[float, float]:
        """Mean and standard deviation of a side's finite values; NaN where there are none."""

    def numbers(self, name: str) -> Iterator[Batch]:
        """The distinct values, ascending, in batches.

        With each value, how many rows of either side lie at or below it, counted from the
        batch's beginning.
        """

    def categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        """How often either side has each category."""

    def sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        """At most ``most`` rows drawn at random, in the table's order."""


class Frames:
    """`Tables` of two DataFrames."""

    def __init__(self, reference: pd.DataFrame, current: pd.DataFrame) -> None:
        self.tables = (reference, current)
        self.rows = (len(reference), len(current))
        self.names = (_names(reference), _names(current))
        self._at = tuple({name: i for i, name in enumerate(names)} for names in self.names)
        self._columns: dict[tuple[str, int], pd.Series] = {}  # pandas takes its time for each

    def column(self, name: str, side: int) -> pd.Series:
        if (name, side) not in self._columns:
            self._columns[name, side] = self.tables[side].iloc[:, self._at[side][name]]
        return self._columns[name, side]

    def kind(self, name: str, side: int) -> str:
        column = self.column(name, side)
        if column.isna().all():
            return EMPTY
        kind = pd.api.types.infer_dtype(column, skipna=True).removesuffix("64")
        if kind in ("mixed", "mixed-integer"):
            return _kind_of_mixture(column)
        return INFERRED.get(kind, f"holds {kind} values")

    def missing(self, name: str) -> tuple[int, int]:
        return (
            int(self.column(name, 0).isna().sum()),
            int(self.column(name, 1).isna().sum()),
        )

    def moments(self, name: str, side: int) -> tuple[float, float]:
        values = self._floats(name, side)
        values = values[np.isfinite(values)]
        with np.errstate(over="ignore", invalid="ignore"):
            return (float(values.mean()), float(values.std())) if len(values) else (np.nan, np.nan)

    def numbers(self, name: str) -> Iterator[Batch]:
        old, new = (np.sort(_present(self._floats(name, side))) for side in (0, 1))
        pool = np.concatenate([old, new])
        pool.sort(kind="stable")  # merges the two sorted runs
        last = np.append(pool[1:] != pool[:-1], True)
        values, upto = pool[last], np.flatnonzero(last) + 1
        del pool, last
        reference = np.searchsorted(old, values, side="right")
        yield values, reference, upto - reference

    def categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        return self._categories(name, 0), self._categories(name, 1)

    def _categories(self, name: str, side: int) -> dict[Hashable, int]:
        counts = self.column(name, side).value_counts(dropna=True)
        return in_order({key: int(count) for key, count in counts.items() if count})

    def sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        chosen = chosen_rows(self.rows[side], most, seed, side)
        return pd.DataFrame({name: self.column(name, side).iloc[chosen].array for name in names})

    def _floats(self, name: str, side: int) -> Floats:
        return floats(self.column(name, side))


def _names(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.columns]


def chosen_rows(rows: int, most: int, seed: int, side: int) -> Counts:
    """Which rows of a table are drawn: all, or ``most`` at random, ascending."""
    if rows <= most:
        return np.arange(rows)
    random = np.random.default_rng([seed, side])
    return np.sort(random.choice(rows, most, replace=False, shuffle=False))


def in_order(counts: dict[Hashable, int]) -> dict[Hashable, int]:
    """Categories by frequency, equally frequent ones by name, however the rows are ordered."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0]))))


def rows_to_see(columns: int, most: int) -> int:
    """How many rows a side to draw, so that the cost of looking at them stays bounded."""
    return max(40, min(most, CELLS // (2 * max(columns, 1))))


def floats(column: pd.Series) -> Floats:
    """A column of numbers as float64, missing values as NaN; of durations, the seconds."""
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds().to_numpy(dtype=np.float64)
    if column.dtype == object:
        column = column.map(_float)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _float(value: Any) -> float:
    if pd.isna(value):
        return np.nan
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    try:
        return float(value)
    except OverflowError:  # an integer beyond 1e308
        return np.inf if value > 0 else -np.inf


def _present(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _kind_of_mixture(column: pd.Series) -> str:
    """What a column of several types is: numbers, hashable categories, or nothing to compare."""
    values: list[Any] = column.dropna().tolist()
    if all(isinstance(value, int | float | np.number | decimal.Decimal) for value in values):
        return NUMBER
    if any(isinstance(value, datetime.date) for value in values):
        return "mixes dates with other values"
    for value in values:
        if isinstance(value, complex):
            return "holds complex numbers"
        try:
            hash(value)
        except TypeError:
            return f"holds a {type(value).__name__} in a cell"
    return CATEGORY
