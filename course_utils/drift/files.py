"""Two tables in Parquet files, larger than memory perhaps, as the tests read them.

DuckDB counts the values of one column at a time, on disk where memory does not suffice, and the
counts pass by in batches, so that nothing is approximate. The classifier gets the very rows that
it would get of the same tables in memory, and both reports agree.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from course_utils.common import duckdb_session
from course_utils.common.duckdb_session import fold, literal, quoted, read_parquet_names
from course_utils.drift.tables import (
    CATEGORY,
    EMPTY,
    NUMBER,
    SIDES,
    TIME,
    Batch,
    by_frequency,
    draw_rows,
)

MAX_CATEGORIES = 100_000
OTHERS = "(all others)"  # the category of those beyond
BATCH_VECTORS = 32  # of 2,048 rows
UNIT_BYTES = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
KINDS = {
    NUMBER: (
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "INTERVAL"),
    ),
    CATEGORY: ("BOOLEAN", "VARCHAR", "ENUM", "UUID", "JSON"),
    TIME: ("DATE", "TIME", "TIME_NS", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
}


def parse_memory(memory: int | str) -> int:
    """An amount of memory in MiB: a number is one already, a text has a unit, as in ``"1GB"``.

    Raises:
        ValueError: it is none, or less than 128 MiB.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MGT]I?B)", str(memory).strip().upper())
    amount = float(match[1]) * UNIT_BYTES[match[2]] / 2**20 if match else memory
    least = duckdb_session.MIN_MEMORY_MIB
    if not isinstance(amount, int | float) or not least <= amount < 2**40:
        raise ValueError(
            f"memory is {memory!r}; give a number of MiB, at least {least}, or a text such as "
            '"500MB" or "4GB".'
        )
    return int(amount)


def find_files(side: str, path: str | Path) -> list[Path]:
    """The files that a path, or a pattern such as ``"2011/*.parquet"``, stands for, by name.

    Raises:
        FileNotFoundError: there are none.
        ValueError: they are no Parquet files.
    """
    whole = Path(path).expanduser()
    pattern = str(whole.relative_to(whole.anchor))
    found = [whole] if whole.exists() else Path(whole.anchor).glob(pattern)
    files = sorted(found)
    if not files:
        raise FileNotFoundError(f"The {side} table: there is no file {path}.")
    for file in files:
        if file.is_dir() or file.suffix.lower() not in (".parquet", ".pq"):
            raise ValueError(
                f"The {side} table: {file} is no Parquet file. Of a folder, name the files, for "
                'example "2011/*.parquet". Save a CSV file as Parquet first, for example with '
                "duckdb.sql(\"COPY (FROM 'old.csv') TO 'old.parquet'\")."
            )
        with file.open("rb"):  # or the error says who may not read it
            pass
    return files


@contextmanager
def open_files(
    reference: str | Path, current: str | Path, memory: int | str
) -> Iterator["FileTables"]:
    """Two tables on disk as `Tables`, for as long as the ``with`` lasts.

    Arguments, temporary files and errors: see `drift.compare_files`.
    """
    mebibytes = parse_memory(memory)
    paths = zip(SIDES, (reference, current), strict=True)
    files = [find_files(side, path) for side, path in paths]
    try:
        with (
            TemporaryDirectory(prefix="drift-", ignore_cleanup_errors=True) as folder,
            duckdb_session.connected(mebibytes, Path(folder)) as sql,
        ):
            yield FileTables(sql, files)
    except duckdb.Error as error:
        said = duckdb_session.first_lines(error)
        if duckdb_session.NO_DISK.search(said):
            raise OSError(
                f"The disk is full: what does not fit into memory goes to {gettempdir()}. Make "
                "room there, set the environment variable TMPDIR to a folder on a larger disk, or "
                f"allow more memory. ({said})"
            ) from error
        if isinstance(error, duckdb.OutOfMemoryException):
            raise MemoryError(
                f"{mebibytes} MiB are too little to compare these tables. Allow more, for example "
                f"memory={2 * mebibytes}. ({said})"
            ) from error
        raise ValueError(f"The tables could not be read: {said}") from error


class FileTables:
    """`Tables` of two tables that DuckDB reads, each from one or more Parquet files."""

    def __init__(self, sql: duckdb.DuckDBPyConnection, files: list[list[Path]]) -> None:
        self._sql = sql
        self._sources = [
            f"read_parquet([{', '.join(map(literal, side))}], union_by_name = true, "
            "hive_partitioning = false)"
            for side in files
        ]
        self._types = [
            {row[0]: row[1] for row in self._fetch(f"DESCRIBE SELECT * FROM {source}")}
            for source in self._sources
        ]
        rows = [self._fetch(f"SELECT count(*) FROM {source}")[0][0] for source in self._sources]
        self.rows = (rows[0], rows[1])
        self.names = (list(self._types[0]), list(self._types[1]))
        for side, names in zip(SIDES, files, strict=True):
            self._check_capitals(side, names[0])
        self._present = cache(self._count_present)  # asked for more than once
        self._sample = cache(self._draw_sample)

    def _check_capitals(self, side: str, file: Path) -> None:
        """Refuse names that DuckDB takes for one; it would give the second another name."""
        folded = Counter(map(fold, read_parquet_names(self._sql, file)))
        if twice := sorted(name for name, count in folded.items() if count > 1):
            raise ValueError(
                f"The {side} table has several columns named {', '.join(map(repr, twice))}; "
                "capitals alone do not tell columns of a file apart. Rename or drop them, so that "
                "it is clear which is compared with which."
            )

    def kind(self, name: str, side: int) -> str:
        return _kind(self._types[side][name]) if self._present(name, side) else EMPTY

    def missing(self, name: str) -> tuple[int, int]:
        return self.rows[0] - self._present(name, 0), self.rows[1] - self._present(name, 1)

    def numbers(self, name: str) -> Iterator[Batch]:
        self._sql.execute(f"{self._count_values(name, 'DOUBLE')} ORDER BY value")
        while len(chunk := self._sql.fetch_df_chunk(BATCH_VECTORS)):
            old, new = (chunk[side].to_numpy(dtype=np.int64) for side in SIDES)
            yield chunk["value"].to_numpy(dtype=np.float64), old, new

    def categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        """Beyond the 100,000 most frequent ones, all others are one."""
        found = self._fetch(
            f"{self._count_values(name)} ORDER BY count(*) DESC, CAST(value AS VARCHAR) "
            f"LIMIT {MAX_CATEGORIES}"
        )
        sides = []
        for side in (0, 1):
            counts = {row[0]: row[1 + side] for row in found}
            others = self._present(name, side) - sum(counts.values())
            counts[OTHERS] = counts.get(OTHERS, 0) + others
            sides.append(by_frequency(counts))
        return sides[0], sides[1]

    def sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        return self._sample(side, tuple(names), most, seed)

    def _draw_sample(self, side: int, names: tuple[str, ...], most: int, seed: int) -> pd.DataFrame:
        columns = []
        for i, name in enumerate(names):
            numeric = self.kind(name, side) in (NUMBER, EMPTY)
            columns.append(f"{self._value(name, side, 'DOUBLE' if numeric else '')} AS c{i}")
        numbered = f"SELECT {', '.join(columns)}, row_number() OVER () - 1 AS place"
        places = pd.DataFrame({"place": draw_rows(self.rows[side], most, seed, side)})
        self._sql.register("chosen", places)
        frame = self._sql.execute(
            f"SELECT * FROM ({numbered} FROM {self._sources[side]}) "
            "WHERE place IN (SELECT place FROM chosen) ORDER BY place"
        ).df()
        self._sql.unregister("chosen")
        return frame.drop(columns="place").set_axis(pd.Index(names), axis=1)

    def _count_present(self, name: str, side: int) -> int:
        value = self._value(name, side)
        return self._fetch(f"SELECT count({value}) FROM {self._sources[side]}")[0][0]

    def _count_values(self, name: str, sql_type: str = "") -> str:
        """Query for the ``value`` of a column and how often either side has it."""
        both = " UNION ALL ".join(
            f"SELECT {self._value(name, i, sql_type)} AS value, {i} AS side FROM {source}"
            for i, source in enumerate(self._sources)
        )
        counts = ", ".join(f"count(*) FILTER (side = {i}) AS {SIDES[i]}" for i in (0, 1))
        return f"SELECT value, {counts} FROM ({both}) WHERE value IS NOT NULL GROUP BY value"

    def _value(self, name: str, side: int, cast_to: str = "") -> str:
        """A column's values: NaN is missing, durations are seconds, categories are text."""
        column, sql_type = quoted(name, '"'), self._types[side][name]
        if sql_type in ("FLOAT", "DOUBLE"):
            column = f"nullif({column}, 'NaN'::{sql_type})"
        elif sql_type == "INTERVAL":
            column = f"epoch({column})"
        elif _kind(sql_type) == CATEGORY and sql_type != "BOOLEAN":
            column = f"CAST({column} AS VARCHAR)"
        return f"CAST({column} AS {cast_to})" if cast_to else column

    def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self._sql.execute(query).fetchall()


def _kind(sql_type: str) -> str:
    if sql_type.endswith("]"):
        return "holds list values"
    plain = re.split(r"[( ]", sql_type)[0]
    known = (kind for kind, types in KINDS.items() if plain in types)
    return next(known, f"holds {plain.lower()} values")
