"""Two tables in memory, as the tests read them."""

from collections.abc import Hashable, Iterator
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SIDES = ("reference", "current")
NUMBER, CATEGORY, TIME, EMPTY = "number", "category", "time", "empty"
INFERRED_KINDS = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal"), NUMBER),
    **dict.fromkeys(("string", "boolean", "categorical", "interval"), CATEGORY),
    **dict.fromkeys(("mixed", "mixed-integer"), CATEGORY),
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

    def find_kind(self, name: str, side: int) -> str:
        """``number``, ``category``, ``time``, ``empty``, or, in other words, why it is none."""

    def count_missing(self, name: str) -> tuple[int, int]:
        """Rows of either side without a value."""

    def count_numbers(self, name: str) -> Iterator[Batch]:
        """The distinct values, ascending, in batches, with how often either side has each."""

    def count_categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        """How often either side has each category, the most frequent first."""

    def draw_sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        """At most ``most`` rows drawn at random, in the table's order."""


class MemoryTables:
    """`Tables` of two DataFrames."""

    def __init__(self, reference: pd.DataFrame, current: pd.DataFrame) -> None:
        self.rows = (len(reference), len(current))
        self.names = ([str(name) for name in reference], [str(name) for name in current])
        sides = zip((reference, current), self.names, strict=True)
        self._tables = [table.set_axis(names, axis=1) for table, names in sides]

    def find_kind(self, name: str, side: int) -> str:
        column = self._tables[side][name]
        if column.isna().all():
            return EMPTY
        kind = pd.api.types.infer_dtype(column, skipna=True).removesuffix("64")
        if kind in ("mixed", "mixed-integer") and not column.map(pd.api.types.is_hashable).all():
            return "holds lists or other values that cannot be compared"
        return INFERRED_KINDS.get(kind, f"holds {kind} values")

    def count_missing(self, name: str) -> tuple[int, int]:
        old, new = (int(table[name].isna().sum()) for table in self._tables)
        return old, new

    def count_numbers(self, name: str) -> Iterator[Batch]:
        sides = (to_floats(table[name]) for table in self._tables)
        old, new = (np.sort(side[~np.isnan(side)]) for side in sides)
        pool = np.concatenate([old, new])
        pool.sort(kind="stable")  # merges the two sorted runs
        values = pool[np.append(pool[1:] != pool[:-1], True)]
        up_to = (np.searchsorted(side, values, side="right") for side in (old, new))
        yield values, *(np.diff(counts, prepend=0) for counts in up_to)

    def count_categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        old, new = (
            sort_by_frequency(table[name].value_counts().to_dict()) for table in self._tables
        )
        return old, new

    def draw_sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        chosen = draw_rows(self.rows[side], most, seed, side)
        return self._tables[side][names].iloc[chosen].reset_index(drop=True)


def draw_rows(rows: int, most: int, seed: int, side: int) -> Counts:
    """Places of the rows that are drawn of a table: all, or ``most`` at random, ascending."""
    if rows <= most:
        return np.arange(rows)
    random = np.random.default_rng([seed, side])
    return np.sort(random.choice(rows, most, replace=False, shuffle=False))


def sort_by_frequency(counts: dict[Hashable, int]) -> dict[Hashable, int]:
    """Categories that occur, by frequency; equally frequent ones by name, however rows stand."""
    pairs = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return {name: int(count) for name, count in pairs if count}


def to_floats(column: pd.Series) -> Floats:
    """A column of numbers as float64, missing values as NaN."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
