"""Two tables in memory, as the tests read them."""

from collections.abc import Hashable, Iterator
from datetime import date
from decimal import Decimal
from numbers import Real
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SIDES = ("reference", "current")
NUMBER, CATEGORY, TIME, EMPTY = "number", "category", "time", "empty"
INFERRED_KINDS = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal", "timedelta"), NUMBER),
    **dict.fromkeys(("string", "boolean", "categorical"), CATEGORY),
    **dict.fromkeys(("datetime", "date", "period", "time"), TIME),
    "empty": EMPTY,
}
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Batch = tuple[Floats, Counts, Counts]


class Tables(Protocol):
    """Two tables, wherever they are. A side is 0, the reference, or 1, the current one."""

    rows: tuple[int, int]
    names: tuple[list[str], list[str]]

    def kind(self, name: str, side: int) -> str:
        """``number``, ``category``, ``time``, ``empty``, or, in other words, why it is none."""

    def missing(self, name: str) -> tuple[int, int]:
        """Rows of either side without a value."""

    def numbers(self, name: str) -> Iterator[Batch]:
        """The distinct values, ascending, in batches, with how often either side has each."""

    def categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        """How often either side has each category, the most frequent first."""

    def sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        """At most ``most`` rows drawn at random, in the table's order."""


class MemoryTables:
    """`Tables` of two DataFrames."""

    def __init__(self, reference: pd.DataFrame, current: pd.DataFrame) -> None:
        self._tables = (reference, current)
        self.rows = (len(reference), len(current))
        self.names = ([str(name) for name in reference], [str(name) for name in current])
        self._places = tuple({name: i for i, name in enumerate(names)} for names in self.names)

    def kind(self, name: str, side: int) -> str:
        column = self._column(name, side)
        if column.isna().all():
            return EMPTY
        kind = pd.api.types.infer_dtype(column, skipna=True).removesuffix("64")
        if kind in ("mixed", "mixed-integer"):
            return _recognise_mixture(column.dropna())
        return INFERRED_KINDS.get(kind, f"holds {kind} values")

    def missing(self, name: str) -> tuple[int, int]:
        old, new = (int(self._column(name, side).isna().sum()) for side in (0, 1))
        return old, new

    def numbers(self, name: str) -> Iterator[Batch]:
        sides = (to_floats(self._column(name, side)) for side in (0, 1))
        old, new = (np.sort(side[~np.isnan(side)]) for side in sides)
        pool = np.concatenate([old, new])
        pool.sort(kind="stable")  # merges the two sorted runs
        values = pool[np.append(pool[1:] != pool[:-1], True)]
        up_to = (np.searchsorted(side, values, side="right") for side in (old, new))
        yield values, *(np.diff(counts, prepend=0) for counts in up_to)

    def categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        old, new = (
            by_frequency(self._column(name, side).value_counts().to_dict()) for side in (0, 1)
        )
        return old, new

    def sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        chosen = draw_rows(self.rows[side], most, seed, side)
        return pd.DataFrame({name: self._column(name, side).iloc[chosen].array for name in names})

    def _column(self, name: str, side: int) -> pd.Series:
        return self._tables[side].iloc[:, self._places[side][name]]


def _recognise_mixture(values: pd.Series) -> str:
    """The kind of a column whose values are of several of Python's types."""
    try:
        values.nunique()
    except TypeError:
        return "holds lists or other values that cannot be compared"
    if values.map(lambda value: isinstance(value, Real | Decimal)).all():
        return NUMBER
    if values.map(lambda value: isinstance(value, date)).any():
        return "mixes dates with other values"
    return CATEGORY


def draw_rows(rows: int, most: int, seed: int, side: int) -> Counts:
    """Places of the rows that are drawn of a table: all, or ``most`` at random, ascending."""
    if rows <= most:
        return np.arange(rows)
    random = np.random.default_rng([seed, side])
    return np.sort(random.choice(rows, most, replace=False, shuffle=False))


def by_frequency(counts: dict[Hashable, int]) -> dict[Hashable, int]:
    """Categories that occur, by frequency; equally frequent ones by name, however rows stand."""
    pairs = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return {name: int(count) for name, count in pairs if count}


def to_floats(column: pd.Series) -> Floats:
    """A column of numbers as float64, missing values as NaN; of durations, the seconds."""
    if pd.api.types.infer_dtype(column, skipna=True).startswith("timedelta"):
        column = pd.to_timedelta(column).dt.total_seconds()
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
