"""DuckDB on a short lead: files found, opened within a bound on memory, and gone afterwards.

It writes into one temporary folder only (see `common.duckdb_session`). What goes wrong is said in
words that name the table and the remedy.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import duckdb

from course_utils.common.duckdb_session import (
    FEWEST_MEBIBYTES,
    FOLD,
    NO_DISK,
    connected,
    first_lines,
    literal,
    parquet_names,
    quoted,
)

SIDES = ("reference", "current")
UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
SUFFIXES = (".parquet", ".pq", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
CSV_BUFFER = 8 * 2**20
ROW_GROUP_CELLS = 2_000_000  # of a CSV file's copy: what its writer has to hold
# What pandas.read_csv takes for a missing value.
NO_VALUE = (
    *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NaN", "nan", "-NaN", "-nan"),
    *("NULL", "null", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
Tick = Callable[[str], None]


def mebibytes(memory: int | float | str) -> int:
    """An amount of memory in MiB: a number is one already, a text has a unit, as in ``"1GB"``.

    Raises:
        ValueError: it is none, or less than 128 MiB.
    """
    amount = memory if isinstance(memory, int | float) else None
    if isinstance(memory, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?B)\s*", memory, re.I)
        if match and match[2].upper() in UNITS:
            amount = float(match[1]) * UNITS[match[2].upper()] / 2**20
    if amount is None or not FEWEST_MEBIBYTES <= amount < 2**40:
        raise ValueError(
            f"memory is {memory!r}; give a number of MiB, at least {FEWEST_MEBIBYTES}, or a text "
            'such as "500MB" or "4GB".'
        )
    return int(amount)


def find(side: str, path: str | Path) -> list[Path]:
    """The files that a path, or a pattern such as ``"2011/*.csv"``, stands for, sorted by name.

    Raises:
        FileNotFoundError: there are none.
        ValueError: they are of kinds that cannot be read, or of several.
    """
    whole = Path(path).expanduser()
    if whole.is_dir():
        raise ValueError(
            f"The {side} table is the folder {path}; say which of its files, for example "
            f'"{Path(path, "*.parquet").as_posix()}".'
        )
    pattern = str(whole.relative_to(whole.anchor))
    found = [whole] if whole.exists() else Path(whole.anchor).glob(pattern)
    files = sorted(file for file in found if file.is_file())
    if not files:
        raise FileNotFoundError(f"The {side} table: there is no file {path}.")
    for file in files:
        if not file.name.lower().endswith(SUFFIXES):
            raise ValueError(
                f"The {side} table: {file.name} is none of the files that can be read "
                f"({', '.join(SUFFIXES)}). Save it as one of them."
            )
        with file.open("rb"):
            pass  # Python says more plainly than DuckDB where it may not be read
    if len({_is_csv(file) for file in files}) > 1:
        raise ValueError(f"The {side} table: {path} stands for CSV and Parquet files. Choose.")
    return files


@contextmanager
def engine(mebibytes: int) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A connection, and the temporary folder that it may use; both are gone afterwards.

    Raises:
        MemoryError: ``mebibytes`` are too few for what was asked of it.
        OSError: the disk is full.
        ValueError: whatever else DuckDB complains of.
    """
    with (
        TemporaryDirectory(prefix="drift-", ignore_cleanup_errors=True) as folder,
        _said_plainly(mebibytes),
        connected(mebibytes, Path(folder)) as sql,
    ):
        yield sql, Path(folder)


@contextmanager
def _said_plainly(mebibytes: int) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        said = first_lines(error)
        if NO_DISK.search(said):
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


def source(sql: duckdb.DuckDBPyConnection, side: int, files: list[Path], folder: Path) -> str:
    """What stands after FROM for a table in files: single columns can be read of it.

    A CSV file would be read whole for each column, so it is copied into a Parquet file first.

    Raises:
        ValueError: the files cannot be read; their names of columns cannot be told apart.
    """
    try:
        for file in files:
            _check_names(SIDES[side], file, _header(sql, file))
        if not _is_csv(files[0]):
            return _parquet(files)
        columns = sql.execute(f"DESCRIBE SELECT * FROM {_csv(files)}").fetchall()
        _check_csv(SIDES[side], [name for name, *_ in columns])
        copy = folder / f"{SIDES[side]}.parquet"
        rows = min(122_880, max(2_048, ROW_GROUP_CELLS // len(columns)))
        whole = _csv(files, "sample_size = -1")  # types are chosen so that they fit every row
        options = f"FORMAT parquet, ROW_GROUP_SIZE {rows}"
        sql.execute(f"COPY (SELECT * FROM {whole}) TO {quoted(copy)} ({options})")
        return _parquet([copy])
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise ValueError(
            f"The {SIDES[side]} table could not be read: {first_lines(error)}"
        ) from error


def _is_csv(file: Path) -> bool:
    return "parquet" not in file.suffix.lower() and file.suffix.lower() != ".pq"


def _listed(files: list[Path]) -> str:
    return "[" + ", ".join(map(literal, files)) + "]"


def _parquet(files: list[Path]) -> str:
    union = ", union_by_name = true" if len(files) > 1 else ""
    return f"read_parquet({_listed(files)}, hive_partitioning = false{union})"


def _csv(files: list[Path], *options: str) -> str:
    options = (
        "header = true",
        "union_by_name = true",
        "hive_partitioning = false",
        f"buffer_size = {CSV_BUFFER}",
        f"nullstr = [{', '.join(map(quoted, NO_VALUE))}]",
        *options,
    )
    return f"read_csv({_listed(files)}, {', '.join(options)})"


def _header(sql: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """The names of a file's columns as they stand in it."""
    if _is_csv(file):
        options = "header = false, all_varchar = true"
        first = f"SELECT * FROM read_csv({literal(file)}, {options}) LIMIT 1"
        return [str(cell) for cell in sql.execute(first).fetchone() or () if cell is not None]
    return parquet_names(sql, file)


def _check_names(side: str, file: Path, names: list[str]) -> None:
    folded = Counter(name.translate(FOLD) for name in names)
    twice = [name for name in names if folded[name.translate(FOLD)] > 1]
    if twice:
        raise ValueError(
            f"The {side} table: {file.name} has columns named {', '.join(map(repr, twice))}, which "
            "cannot be told apart (capitals do not count). Rename or drop some of them."
        )


def _check_csv(side: str, names: list[str]) -> None:
    if len(names) == 1 and re.search(r"[,;\t|]", names[0]):
        raise ValueError(
            f"The {side} table was read as one column named {names[0]!r}. Perhaps its lines have "
            "different numbers of cells; mend it, or save it as Parquet."
        )
