"""Two tables in files, larger than memory perhaps, as the tests want to read them.

DuckDB sorts one column at a time, on disk where memory does not suffice, and the column passes by
in batches, so that nothing is approximate. The classifier gets the very rows that it would get of
the same tables in memory, and both reports agree.
"""

import re
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from course_utils.common.duckdb_session import quoted
from course_utils.drift.engine import SIDES, engine, find, mebibytes, source
from course_utils.drift.frames import CATEGORY, EMPTY, NUMBER, TIME, Batch, chosen_rows, in_order
from course_utils.drift.ranks import Counts, Floats

MOST_CATEGORIES = 100_000
FEW_VALUES = 100_000  # distinct numbers up to which counting them beats sorting all rows
AT_ONCE = 100  # columns counted in one pass
VECTORS = 32  # of 2,048 rows, in a batch
KINDS = {
    NUMBER: (
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "INTERVAL"),
    ),
    CATEGORY: ("BOOLEAN", "VARCHAR", "ENUM", "UUID", "JSON"),
    TIME: ("DATE", "TIME", "TIME_NS", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
}


@contextmanager
def open_files(
    reference: str | Path, current: str | Path, memory: int | float | str
) -> Iterator["Files"]:
    """Two tables on disk as `Tables`, for as long as the ``with`` lasts.

    Arguments, temporary files and errors: see `drift.compare_files`.
    """
    most = mebibytes(memory)
    found = [find(side, path) for side, path in zip(SIDES, (reference, current), strict=True)]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with engine(most) as (sql, folder), bar:
        task = bar.add_task("", total=None)

        def tick(what: str) -> None:
            bar.update(task, description=what, advance=1)

        sources = []
        for side, files in enumerate(found):
            tick(f"Reading {files[0].name}")
            sources.append(source(sql, side, files, folder))
        tables = Files(sql, (sources[0], sources[1]), tick)
        bar.update(task, total=len(tables.shared) + 6)
        yield tables


class Files:
    """`Tables` of two tables that DuckDB reads.

    Args:
        sql: the connection.
        sources: what stands after FROM for the reference and for the current table.
        tick: called before each pass over a table, with a few words on it.
    """

    def __init__(
        self, sql: duckdb.DuckDBPyConnection, sources: tuple[str, str], tick: Callable[[str], None]
    ) -> None:
        self._sql, self._sources, self._tick = sql, sources, tick
        self._types = tuple(
            {row[0]: row[1] for row in self._fetch(f"DESCRIBE SELECT * FROM {table}")}
            for table in sources
        )
        rows = [self._fetch(f"SELECT count(*) FROM {table}")[0][0] for table in sources]
        self.rows = (rows[0], rows[1])
        self.names = (list(self._types[0]), list(self._types[1]))
        self.shared = [name for name in self.names[0] if name in self._types[1]]
        self._moments: dict[str, tuple[Moments, Moments]] = {}
        self._samples: dict[tuple[int, int, int], pd.DataFrame] = {}

    def kind(self, name: str, side: int) -> str:
        if not self._counts[side][name][0]:
            return EMPTY
        return _kind(self._types[side][name])

    def missing(self, name: str) -> tuple[int, int]:
        old, new = (self.rows[side] - self._counts[side][name][0] for side in (0, 1))
        return old, new

    def moments(self, name: str, side: int) -> tuple[float, float]:
        if name not in self._moments:
            for _ in self.numbers(name):
                pass
        return self._moments[name][side].result()

    def numbers(self, name: str) -> Iterator[Batch]:
        self._tick(name)
        query = f"SELECT value, NOT new AS old, new FROM {self._both(name, self._number)}"
        if max(counts[name][1] for counts in self._counts) <= FEW_VALUES:
            query = (
                "SELECT value, count(*) FILTER (NOT new) AS old, count(*) FILTER (new) AS new "
                f"FROM {self._both(name, self._number)} GROUP BY value"
            )
        self._sql.execute(query + " ORDER BY value")
        moments = Moments(), Moments()
        for values, old, new in _distinct(self._chunks()):
            for side, counts in zip(moments, (old, new), strict=True):
                side.add(values, np.diff(counts, prepend=0))
            yield values, old, new
        self._moments[name] = moments

    def categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        """Beyond the 100,000 most frequent ones, all others are one."""
        self._tick(name)
        found = self._fetch(
            "SELECT value, count(*) FILTER (NOT new), count(*) FILTER (new) "
            f"FROM {self._both(name, self._category)} GROUP BY value "
            f"ORDER BY count(*) DESC, CAST(value AS VARCHAR) LIMIT {MOST_CATEGORIES}"
        )
        answer = []
        for side in (0, 1):
            counts = {row[0]: row[1 + side] for row in found if row[1 + side]}
            rest = self._counts[side][name][0] - sum(counts.values())
            answer.append(in_order(counts | ({"(all others)": rest} if rest else {})))
        return answer[0], answer[1]

    def sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        known = self._samples.get((side, most, seed))
        if known is None or not set(names) <= set(known.columns):
            self._tick(f"Drawing rows of the {SIDES[side]} table")
            known = self._samples[side, most, seed] = self._draw(side, names, most, seed)
        return known[names]

    def _draw(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        chosen = pd.DataFrame({"place": chosen_rows(self.rows[side], most, seed, side)})
        columns = [f"{self._plain(name, side)} AS c{i}" for i, name in enumerate(names)]
        numbered = f"SELECT {', '.join(columns)}, row_number() OVER () - 1 AS place"
        self._sql.register("chosen", chosen)
        frame = self._sql.execute(
            f"SELECT * FROM ({numbered} FROM {self._sources[side]}) "
            "WHERE place IN (SELECT place FROM chosen) ORDER BY place"
        ).df()
        self._sql.unregister("chosen")
        frame = frame.drop(columns="place")
        frame.columns = pd.Index(names)
        return frame

    @cached_property
    def _counts(self) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
        """Of each side's columns, how many rows have a value, and about how many are distinct."""
        return self._count(0), self._count(1)

    def _count(self, side: int) -> dict[str, tuple[int, int]]:
        self._tick(f"Counting values of the {SIDES[side]} table")
        counts: dict[str, tuple[int, int]] = {}
        for first in range(0, len(self.shared), AT_ONCE):
            names = self.shared[first : first + AT_ONCE]
            asked = []
            for name in names:
                asked.append(f"count(*) FILTER ({self._present(name, side)})")
                numeric = _kind(self._types[side][name]) == NUMBER
                asked.append(f"approx_count_distinct({_column(name)})" if numeric else "0")
            (row,) = self._fetch(f"SELECT {', '.join(asked)} FROM {self._sources[side]}")
            counts |= dict(zip(names, zip(row[::2], row[1::2], strict=True), strict=True))
        return counts

    def _both(self, name: str, expression: Callable[[str, int], str]) -> str:
        """One column of both tables, without the missing values: ``value`` and ``new``."""
        sides = (
            f"SELECT {expression(name, side)} AS value, {bool(side)} AS new "
            f"FROM {self._sources[side]} WHERE {self._present(name, side)}"
            for side in (0, 1)
        )
        return f"({' UNION ALL '.join(sides)})"

    def _present(self, name: str, side: int) -> str:
        column = _column(name)
        floating = self._types[side][name] in ("FLOAT", "DOUBLE")
        return f"{column} IS NOT NULL" + (f" AND NOT isnan({column})" if floating else "")

    def _number(self, name: str, side: int) -> str:
        column = _column(name)
        if self._types[side][name] == "INTERVAL":
            return f"CAST(epoch({column}) AS DOUBLE)"
        return f"CAST({column} AS DOUBLE)"

    def _category(self, name: str, side: int) -> str:
        column = _column(name)
        if self.kind(name, side) == NUMBER or self._types[side][name] == "BOOLEAN":
            return column
        return f"CAST({column} AS VARCHAR)"

    def _plain(self, name: str, side: int) -> str:
        """A column's values as the classifier gets them."""
        numeric = self.kind(name, side) in (NUMBER, EMPTY)
        return (self._number if numeric else self._category)(name, side)

    def _chunks(self) -> Iterator[Batch]:
        while len(chunk := self._sql.fetch_df_chunk(VECTORS)):
            old, new = (chunk[name].to_numpy(dtype=np.int64) for name in ("old", "new"))
            yield chunk["value"].to_numpy(dtype=np.float64), old, new

    def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self._sql.execute(query).fetchall()


def _column(name: str) -> str:
    return quoted(name, '"')


def _kind(sql_type: str) -> str:
    if sql_type.endswith("]"):
        return "holds list values"
    plain = re.split(r"[( ]", sql_type)[0]
    known = (kind for kind, types in KINDS.items() if plain in types)
    return next(known, f"holds {plain.lower()} values")


@dataclass
class Moments:
    """Mean and deviation of values met in batches (Chan, Golub and LeVeque 1979)."""

    count: int = 0
    mean: float = np.nan
    squares: float = 0.0
    """Sum of the squared distances from the mean."""

    def add(self, values: Floats, counts: Counts) -> None:
        """Take in values, ascending, each as often as ``counts`` says; not the infinite ones."""
        low, high = np.searchsorted(values, -np.inf, "right"), np.searchsorted(values, np.inf)
        values, weights = values[low:high], counts[low:high].astype(np.float64)
        count = int(weights.sum())
        if not count:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = (weights * values).sum() / count  # not @: its threads cost more than they save
            away = mean - self.mean if self.count else np.float64(0)
            total = self.count + count
            self.squares += float((weights * (values - mean) ** 2).sum())
            self.squares += float(away**2 * self.count * count / total)
            self.mean = float(self.mean + away * count / total if self.count else mean)
        self.count = total

    def result(self) -> tuple[float, float]:
        """Mean and standard deviation; NaN where there was no value."""
        return self.mean, float(np.sqrt(self.squares / self.count)) if self.count else np.nan


def _distinct(chunks: Iterator[Batch]) -> Iterator[Batch]:
    """Merge equal values that follow each other, also from one chunk into the next.

    Args:
        chunks: values, ascending, with how many rows of either side each stands for.
    """
    held: Batch | None = None  # the last value: it may go on
    for values, old, new in chunks:
        if held:
            values = np.append(held[0], values)
            old, new = np.append(held[1], old), np.append(held[2], new)
        ends = np.flatnonzero(np.append(values[1:] != values[:-1], True))
        old, new = np.cumsum(old)[ends], np.cumsum(new)[ends]
        if len(ends) > 1:
            yield values[ends[:-1]], old[:-1], new[:-1]
            old, new = old - old[-2], new - new[-2]
        held = values[ends[-1:]], old[-1:], new[-1:]
    if held:
        yield held
