"""Two tables in Parquet files, larger than memory perhaps, as the tests read them.

DuckDB counts the values of one column at a time, on disk where memory does not suffice, and the
counts pass by in batches, so that nothing is approximate. The classifier gets the very rows that
it would get of the same tables in memory, and both reports agree.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from course_utils.common.duckdb_session import open_session, quote_file, quote_sql
from course_utils.drift.tables import (
    CATEGORY,
    EMPTY,
    NUMBER,
    SIDES,
    TIME,
    Batch,
    draw_rows,
    sort_by_frequency,
)

MIN_MEMORY_MB = 128
MAX_CATEGORIES = 100_000
OTHERS = "(all others)"  # the category of those beyond
BATCH_VECTORS = 32  # of 2,048 rows
KINDS = {  # by DuckDB's types
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint", "hugeint", "decimal"), NUMBER),
    **dict.fromkeys(("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"), NUMBER),
    **dict.fromkeys(("float", "double"), NUMBER),
    **dict.fromkeys(("boolean", "varchar", "enum", "uuid"), CATEGORY),
    **dict.fromkeys(("date", "time", "time with time zone", "time_ns", "timestamp"), TIME),
    **dict.fromkeys(("timestamp_s", "timestamp_ms", "timestamp_ns"), TIME),
    "timestamp with time zone": TIME,
}


@contextmanager
def open_files(
    reference: str | Path, current: str | Path, memory_mb: int
) -> Iterator["FileTables"]:
    """Two tables on disk as `Tables`, for as long as the ``with`` lasts.

    Arguments, temporary files and errors: see `drift.compare_files`.
    """
    if memory_mb < MIN_MEMORY_MB:  # DuckDB takes a negative number for no limit
        raise ValueError(f"memory_mb is {memory_mb}; give at least {MIN_MEMORY_MB}.")
    paths = [Path(path).expanduser() for path in (reference, current)]
    with (
        TemporaryDirectory(prefix="drift-", ignore_cleanup_errors=True) as folder,
        open_session(
            memory_mb,
            Path(folder),
            full_disk=f"What does not fit into memory goes to {gettempdir()}. Make room there, set "
            "the environment variable TMPDIR to a folder on a larger disk, or allow more memory.",
            little_memory=f"Allow more, for example memory_mb={2 * memory_mb}.",
            unreadable="The tables could not be read. Give Parquet files; of a CSV file, "
            "duckdb.sql(\"COPY (FROM 'old.csv') TO 'old.parquet'\") makes one.",
        ) as sql,
    ):
        yield FileTables(sql, paths)


class FileTables:
    """`Tables` of two tables that DuckDB reads, each from a Parquet file or all of a pattern."""

    def __init__(self, sql: duckdb.DuckDBPyConnection, paths: list[Path]) -> None:
        self._sql = sql
        names = [quote_file(path) if path.exists() else quote_sql(path) for path in paths]
        self._sources = [
            f"read_parquet({name}, union_by_name = true, hive_partitioning = false)"
            for name in names
        ]
        tables = [sql.sql(f"SELECT * FROM {source}") for source in self._sources]
        self._types = [
            {name: kind.id for name, kind in zip(table.columns, table.dtypes, strict=True)}
            for table in tables
        ]
        rows = [self._fetch(f"SELECT count(*) FROM {source}")[0][0] for source in self._sources]
        self.rows = (rows[0], rows[1])
        self.names = (list(self._types[0]), list(self._types[1]))
        self._present = cache(self._count_present)  # asked for more than once

    def find_kind(self, name: str, side: int) -> str:
        sql_type = self._types[side][name]
        kind = KINDS.get(sql_type, f"holds {sql_type} values")
        return kind if self._present(name, side) else EMPTY

    def count_missing(self, name: str) -> tuple[int, int]:
        return self.rows[0] - self._present(name, 0), self.rows[1] - self._present(name, 1)

    def count_numbers(self, name: str) -> Iterator[Batch]:
        self._sql.execute(f"{self._count_values(name, 'DOUBLE')} ORDER BY value")
        while len(chunk := self._sql.fetch_df_chunk(BATCH_VECTORS)):
            old, new = (chunk[side].to_numpy(dtype=np.int64) for side in SIDES)
            yield chunk["value"].to_numpy(dtype=np.float64), old, new

    def count_categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        """Beyond the 100,000 most frequent ones, all others are one."""
        found = self._fetch(
            f"{self._count_values(name)} ORDER BY count(*) DESC, CAST(value AS VARCHAR) "
            f"LIMIT {MAX_CATEGORIES}"
        )
        sides = []
        for side in (0, 1):
            counts = {row[0]: row[1 + side] for row in found}
            others = self._present(name, side) - sum(counts.values())
            sides.append(sort_by_frequency(counts | {OTHERS: counts.get(OTHERS, 0) + others}))
        return sides[0], sides[1]

    def draw_sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        columns = []
        for i, name in enumerate(names):
            numeric = self.find_kind(name, side) in (NUMBER, EMPTY)
            columns.append(f"{self._write_value(name, side, 'DOUBLE' if numeric else '')} AS c{i}")
        numbered = f"SELECT {', '.join(columns)}, row_number() OVER () - 1 AS place"
        places = pd.DataFrame({"place": draw_rows(self.rows[side], most, seed, side)})
        self._sql.register("chosen", places)
        frame = self._sql.execute(
            f"SELECT * FROM ({numbered} FROM {self._sources[side]}) "
            "WHERE place IN (SELECT place FROM chosen) ORDER BY place"
        ).df()
        return frame.drop(columns="place").set_axis(pd.Index(names), axis=1)

    def _count_present(self, name: str, side: int) -> int:
        value = self._write_value(name, side)
        return self._fetch(f"SELECT count({value}) FROM {self._sources[side]}")[0][0]

    def _count_values(self, name: str, sql_type: str = "") -> str:
        """Query for the ``value`` of a column and how often either side has it."""
        both = " UNION ALL ".join(
            f"SELECT {self._write_value(name, i, sql_type)} AS value, {i} AS side FROM {source}"
            for i, source in enumerate(self._sources)
        )
        counts = ", ".join(f"count(*) FILTER (side = {i}) AS {SIDES[i]}" for i in (0, 1))
        return f"SELECT value, {counts} FROM ({both}) WHERE value IS NOT NULL GROUP BY value"

    def _write_value(self, name: str, side: int, cast_to: str = "") -> str:
        """A column's values: NaN is missing, categories are text."""
        column, sql_type = quote_sql(name, '"'), self._types[side][name]
        if sql_type in ("float", "double"):
            column = f"nullif({column}, 'NaN'::{sql_type})"
        elif KINDS.get(sql_type) == CATEGORY and sql_type != "boolean":
            column = f"CAST({column} AS VARCHAR)"
        return f"CAST({column} AS {cast_to})" if cast_to else column

    def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self._sql.execute(query).fetchall()
