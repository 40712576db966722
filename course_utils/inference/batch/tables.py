"""A CSV or Parquet file that passes by in chunks, and the parts that become the output.

DuckDB reads and writes both. A CSV file is copied into a Parquet file of texts first: that finds
what is wrong with its lines before anything is predicted, and a later run need not read up to the
row at which it goes on.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from course_utils.common import atomic_files
from course_utils.common.duckdb_session import (
    NO_DISK,
    connected,
    first_lines,
    literal,
    parquet_names,
    quoted,
)
from course_utils.inference.batch.header import CSV, check_names, check_types, csv_names, new_name
from course_utils.inference.batch.rows import Errors, Numbers, Texts
from course_utils.inference.schema import FeatureSchema

MEMORY = 512  # MiB for DuckDB
STAGED = "input.parquet"


@contextmanager
def opened(file: Path, folder: Path, schema: FeatureSchema) -> Iterator["Table"]:
    """A file of examples, for as long as the ``with`` lasts; nothing is written yet.

    Args:
        file: the ``.csv`` or ``.parquet`` file.
        folder: for what has to be written on the way; it need not exist yet.
        schema: the features to find in it.

    Raises:
        ValueError: it cannot be read, or lacks a column.
        OSError: the disk is full.
        MemoryError: what is read at a time is too large.
    """
    with _said_plainly(file), connected(MEMORY, folder) as sql:
        yield Table(sql, file, folder, schema)


@contextmanager
def _said_plainly(file: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        said = first_lines(error)
        if NO_DISK.search(said):
            raise OSError(
                f"The disk is full. What was finished is kept: make room and start the same "
                f"prediction again. ({said})"
            ) from error
        if isinstance(error, duckdb.OutOfMemoryException):
            raise MemoryError(
                f"{MEMORY} MiB are too little for what is read at a time: choose a smaller "
                f"chunk. ({said})"
            ) from error
        raise ValueError(f"{file.name} could not be read: {said}") from error


class Table:
    """The examples in a file, and what is written of them."""

    def __init__(
        self, sql: duckdb.DuckDBPyConnection, file: Path, folder: Path, schema: FeatureSchema
    ) -> None:
        self.file, self.schema, self._sql, self._folder = file, schema, sql, folder
        self._is_csv = file.suffix.lower() == CSV
        self._source = folder / STAGED if self._is_csv else file
        names = csv_names(file) if self._is_csv else parquet_names(sql, file)
        check_names(file, names, schema)
        self._types = dict.fromkeys(names, "VARCHAR") if self._is_csv else self._parquet_types()
        if not self._is_csv:
            check_types(file, {name: self._types[name] for name in schema.names})
        self._answer = new_name(file, names, schema.target, f"{schema.target}_predicted")
        self._error = new_name(file, names, "error", f"{schema.target}_error")

    def prepare(self) -> int:
        """See that the table can be read from any row on.

        Returns:
            Its number of rows.
        """
        if self._is_csv and not self._source.exists():
            draft = atomic_files.draft_of(self._source)
            self._sql.execute(f"COPY ({self._csv()}) TO {quoted(draft)} (FORMAT parquet)")
            atomic_files.settle(draft, self._source)
        return self._one(f"SELECT count(*) FROM {_parquet([self._source])}")[0]

    def load(self, first: int, rows: int) -> Numbers:
        """Bring some rows into memory; the values of the features, NaN where none is a number."""
        self._sql.execute(
            f"CREATE OR REPLACE TEMP TABLE chunk AS SELECT * FROM {_parquet([self._source])} "
            f"LIMIT {rows} OFFSET {first}"
        )
        found = self._fetch(map(self._number, self.schema.names))
        return {name: np.ma.filled(column, np.nan) for name, column in found.items()}

    def texts(self) -> Texts:
        """The features of the rows in memory as they are written; None where there is nothing."""
        found = self._fetch(f"{_name(name)}::VARCHAR" for name in self.schema.names)
        return {name: np.ma.asarray(column).tolist() for name, column in found.items()}

    def write(self, path: Path, answers: NDArray[np.float32], errors: Errors) -> None:
        """Write the rows in memory with what was made of them; NaN and None are nothing."""
        made = pd.DataFrame({"answer": answers, "error": pd.Series(errors, dtype=object)})
        self._sql.register("made", made)
        self._sql.execute(
            f"COPY (SELECT chunk.*, made.answer AS {_name(self._answer)}, "
            f"made.error::VARCHAR AS {_name(self._error)} FROM chunk POSITIONAL JOIN made) "
            f"TO {quoted(path)} (FORMAT parquet)"
        )
        self._sql.unregister("made")

    def check_parts(self, parts: Sequence[Path], rows: int) -> None:
        """See that what an earlier run has finished can be read, and has so many rows.

        Raises:
            ValueError: it is damaged.
        """
        try:
            found = self._one(f"SELECT count(*) FROM {_parquet(parts)}")[0] if parts else 0
            said = f"{found} rows in the place of {rows}"
        except duckdb.Error as error:
            found, said = -1, first_lines(error)
        if found != rows:
            raise ValueError(
                f"What an earlier run has left in {self._folder} is damaged: start afresh with "
                f"--restart (restart=True). ({said})"
            )

    def refused(self, parts: Sequence[Path]) -> int:
        """How many rows of the parts have no prediction."""
        return self._one(f"SELECT count({_name(self._error)}) FROM {_parquet(parts)}")[0]

    def assemble(self, parts: Sequence[Path], path: Path) -> None:
        """Write all parts, in their order, as one file of the form that its name says."""
        source, is_csv = _parquet(parts), path.suffix.lower() == CSV
        columns = self._as_numbers(source) if self._is_csv and not is_csv else "*"
        form = "csv, HEADER" if is_csv else "parquet"
        query = f"SELECT {columns} FROM {source}"
        self._sql.execute(f"COPY ({query}) TO {quoted(path)} (FORMAT {form})")

    def _as_numbers(self, source: str) -> str:
        """All columns; numbers in the place of a feature's texts where all of them are some."""
        names = self.schema.names
        tests = (f"bool_and({_name(n)} IS NULL OR {self._number(n)} IS NOT NULL)" for n in names)
        found = self._one(f"SELECT {', '.join(tests)} FROM {source}")
        changed = [
            f"{self._number(name)} AS {_name(name)}"
            for name, is_number in zip(names, found, strict=True)
            if is_number
        ]
        return f"* REPLACE ({', '.join(changed)})" if changed else "*"

    def _number(self, name: str) -> str:
        """SQL for a feature's value as a DOUBLE; NULL where it is none."""
        column = _name(name)
        if self._is_csv:  # DuckDB takes 1_000 and +-1 for numbers
            return (
                f"TRY_CAST(CASE WHEN NOT (contains({column}, '_') OR contains({column}, '+-')) "
                f"THEN {column} END AS DOUBLE)"
            )
        if self._types[name] == "FLOAT":  # the number it stands for: 24.8, not 24.799999
            column = f"CAST({column} AS VARCHAR)"
        return f"CAST({column} AS DOUBLE)"

    def _parquet_types(self) -> dict[str, str]:
        query = f"DESCRIBE SELECT * FROM {_parquet([self.file])}"
        return {row[0]: row[1] for row in self._sql.execute(query).fetchall()}

    def _csv(self) -> str:
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in self._types)
        return (
            f"SELECT * FROM read_csv({literal(self.file)}, columns = {{{columns}}}, "
            "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
            "hive_partitioning = false)"
        )

    def _fetch(self, columns: Iterable[str]) -> dict[str, Any]:
        """Columns of the rows in memory, one for each feature."""
        asked = ", ".join(f"{column} AS f{i}" for i, column in enumerate(columns))
        found = self._sql.execute(f"SELECT {asked} FROM chunk").fetchnumpy()
        return dict(zip(self.schema.names, found.values(), strict=True))

    def _one(self, query: str) -> tuple[Any, ...]:
        return self._sql.execute(query).fetchone() or ()


def _parquet(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(map(literal, files))}], hive_partitioning = false)"


def _name(column: str) -> str:
    return quoted(column, '"')
