"""A CSV or Parquet file that is read in chunks, and the files of predictions that belong to it.

DuckDB reads and writes both. A CSV file is copied into a Parquet file of texts first: that finds
what is wrong with its lines before anything is predicted, and DuckDB can then begin at any row.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from course_utils.common import check_csv
from course_utils.common.atomic_files import open_draft
from course_utils.common.duckdb_session import open_session, quote_file, quote_sql
from course_utils.inference.schema import FeatureSchema

CSV, PARQUET = ".csv", ".parquet"
MEMORY_MB = 512  # for DuckDB
Errors = list[str | None]  # for each row what is wrong with it; None where nothing is


@contextmanager
def open_table(file: Path, folder: Path, schema: FeatureSchema) -> Iterator["Table"]:
    """A file of examples, for as long as the ``with`` lasts; nothing is written yet.

    Args:
        file: the ``.csv`` or ``.parquet`` file.
        folder: for the copy of a CSV file and the predictions; it need not exist yet.
        schema: the features to find in it.

    Raises:
        ValueError: it cannot be read, or lacks a column.
        OSError: the disk is full.
        MemoryError: what is read at a time is too large.
    """
    with open_session(
        MEMORY_MB,
        folder,
        full_disk="What was finished is kept: make room and start the same prediction again.",
        little_memory="It has to hold what is read at a time: choose a smaller chunk.",
        unreadable=f"{file.name} could not be read.",
    ) as sql:
        yield Table(sql, file, folder, schema)


class Table:
    """The examples in a file, and the predictions that have been made of them."""

    def __init__(
        self, sql: duckdb.DuckDBPyConnection, file: Path, folder: Path, schema: FeatureSchema
    ) -> None:
        self._sql, self._file, self._features = sql, file, schema.names
        self._is_csv = file.suffix.lower() == CSV
        self._source = folder / "input.parquet" if self._is_csv else file
        if self._is_csv:
            self._types = dict.fromkeys(_read_csv_names(file), "VARCHAR")
        else:
            columns = sql.execute(f"DESCRIBE FROM {_scan_parquet([file])}").fetchall()
            self._types = {name: kind for name, kind, *_ in columns}
        if missing := [name for name in self._features if name not in self._types]:
            raise ValueError(
                f"{file.name} has no column {', '.join(missing)}. It has {', '.join(self._types)}."
            )
        # The columns that are added, as SQL writes them.
        target = schema.target
        self._prediction = _quote_name(self._choose_name(target, f"{target}_predicted"))
        self._error = _quote_name(self._choose_name("error", f"{target}_error"))

    def prepare(self) -> int:
        """See that the table can be read from any row on, and return its number of rows."""
        if self._is_csv and not self._source.exists():
            columns = ", ".join(f"{quote_sql(name)}: 'VARCHAR'" for name in self._types)
            lines = (
                f"read_csv({quote_file(self._file)}, columns = {{{columns}}}, auto_detect = false, "
                "header = true, delim = ',', quote = '\"', escape = '\"', "
                "hive_partitioning = false)"
            )
            with open_draft(self._source) as draft:
                self._copy(f"SELECT * FROM {lines}", draft)
        return self._count(f"count(*) FROM {_scan_parquet([self._source])}")

    def read_numbers(self, first: int, rows: int) -> dict[str, NDArray[np.float64]]:
        """The features of some rows; NaN where a value is missing or no number."""
        casts = (f"{self._cast_to_number(name)} AS f{i}" for i, name in enumerate(self._features))
        source = _scan_parquet([self._source])
        query = f"SELECT {', '.join(casts)} FROM {source} LIMIT {rows} OFFSET {first}"
        columns = self._sql.execute(query).fetchnumpy().values()
        filled = (np.ma.filled(column, np.nan) for column in columns)
        return dict(zip(self._features, filled, strict=True))

    def write_predictions(
        self, part: Path, predictions: NDArray[np.float32], errors: Errors
    ) -> None:
        """Write the predictions of one chunk; NaN becomes an empty cell, as None does."""
        made = pd.DataFrame({"prediction": predictions, "error": pd.Series(errors, dtype=object)})
        self._sql.register("made", made)
        columns = f"prediction AS {self._prediction}, error::VARCHAR AS {self._error}"
        with open_draft(part) as draft:
            self._copy(f"SELECT {columns} FROM made", draft)

    def count_refused(self, parts: Sequence[Path]) -> int:
        """How many rows of some files of predictions have an error."""
        return self._count(f"count({self._error}) FROM {_scan_parquet(parts)}")

    def assemble(self, parts: Sequence[Path], path: Path) -> None:
        """Write all rows with their predictions as a file of the kind that its name says."""
        columns = "input.*"
        if self._is_csv and path.suffix.lower() == PARQUET:
            numbers = (
                f"{self._cast_to_number(name)} AS {_quote_name(name)}" for name in self._features
            )
            columns += f" REPLACE ({', '.join(numbers)})"
        # By their names: the parts that version 0.1.0 left hold the columns of the input as well.
        made = f"SELECT {self._prediction}, {self._error} FROM {_scan_parquet(parts)}"
        source = _scan_parquet([self._source])
        query = f"SELECT {columns}, made.* FROM {source} AS input POSITIONAL JOIN ({made}) AS made"
        self._copy(query, path)

    def _cast_to_number(self, name: str) -> str:
        """SQL for a feature's value as a DOUBLE; NULL where it is no number."""
        if self._types[name] in ("DOUBLE", "BIGINT", "INTEGER"):
            return f"{_quote_name(name)}::DOUBLE"
        # Of a FLOAT it is the number that is meant: 24.8, not 24.799999.
        text = f"{_quote_name(name)}::VARCHAR"
        # DuckDB takes 1_000 and +-1 for numbers.
        odd = f"(contains({text}, '_') OR contains({text}, '+-'))"
        return f"TRY_CAST(CASE WHEN NOT {odd} THEN {text} END AS DOUBLE)"

    def _choose_name(self, name: str, other: str) -> str:
        """The first of the names, or the second with underscores, that no column has.

        DuckDB compares names without regard to capitals.
        """
        taken = {column.lower() for column in self._types}
        while name.lower() in taken:
            name, other = other, f"{other}_"
        return name

    def _count(self, query: str) -> int:
        return int(self._sql.execute(f"SELECT {query}").fetchall()[0][0])

    def _copy(self, query: str, path: Path) -> None:
        form = "csv, HEADER" if path.suffix.lower() == CSV else "parquet"
        # DuckDB would write to a draft of its own beside ours, and leave it behind when killed.
        options = f"FORMAT {form}, USE_TMP_FILE false"
        self._sql.execute(f"COPY ({query}) TO {quote_sql(path)} ({options})")


def _scan_parquet(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(map(quote_file, files))}], hive_partitioning = false)"


def _quote_name(column: str) -> str:
    return quote_sql(column, '"')


def _read_csv_names(file: Path) -> list[str]:
    """The names in the first line of a CSV file.

    Raises:
        ValueError: there is no such line, a name is missing, two columns have the same, or it is
            a file of another kind.
    """
    check_csv(file)
    line = {"header": None, "nrows": 1, "dtype": str, "keep_default_na": False}
    try:
        names = pd.read_csv(file, skip_blank_lines=False, **line).iloc[0].tolist()
    except ValueError as error:  # pandas' own are such, and that of bytes which are no text
        raise ValueError(
            f'{file.name} is not a CSV file in UTF-8 (in Excel: "CSV UTF-8") with a line of names: '
            f"{error}"
        ) from None
    if "" in names:
        raise ValueError(
            f"{file.name} has a column without a name (pandas: use `to_csv(..., index=False)`)."
        )
    lower = [name.lower() for name in names]
    if twice := [name for name in names if lower.count(name.lower()) > 1]:
        raise ValueError(
            f"{file.name} has the same column more than once (capitals do not count): "
            f"{', '.join(twice)}. Rename or drop one."
        )
    return names
