"""Open DuckDB with limits: so much memory, no network, no extensions, one folder to write into.

For tables that may be larger than memory: `drift.compare_files` and batch prediction.
"""

import glob
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

MIN_MEMORY_MIB = 128
NO_DISK = re.compile(
    r"max_temp_directory_size|no space left|file too large|could not write|disk quota", re.I
)


def quoted(text: str | Path, mark: str = "'") -> str:
    """A string, or with ``mark='"'`` a name, as SQL writes it."""
    return mark + str(text).replace(mark, mark + mark) + mark


def literal(file: Path) -> str:
    """The name of one file, in which nothing is a pattern, as SQL writes it."""
    return quoted(glob.escape(str(file)))


@contextmanager
def connected(mebibytes: int, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that asks no network, loads no extension and writes into ``folder`` only.

    Raises:
        KeyboardInterrupt: Ctrl-C, which DuckDB calls otherwise.
        duckdb.Error: what it complains of.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{mebibytes}MiB",
        "threads": max(1, min(os.cpu_count() or 1, mebibytes // MIN_MEMORY_MIB)),
        "temp_directory": str(folder / "spilled"),
        "extension_directory": str(folder),
        "secret_directory": str(folder),
        "allow_persistent_secrets": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    try:
        with closing(duckdb.connect(":memory:", config=config)) as sql:
            sql.execute(f"SET home_directory = {quoted(folder)}")
            # In Jupyter without ipywidgets there is no bar, and to switch it off is an error.
            if sql.execute("SELECT current_setting('enable_progress_bar')").fetchall() != [
                (False,)
            ]:
                sql.execute("SET enable_progress_bar = false")
            sql.execute("SET parquet_metadata_cache = true")  # a file is read again and again
            sql.execute("SET lock_configuration = true")
            yield sql
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


def read_parquet_names(sql: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """The names of a Parquet file's columns as they stand in it, also where one comes twice.

    Raises:
        duckdb.Error: it cannot be read.
    """
    query = f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({literal(file)})"
    names, nested = [], 0  # nested: how many of the next entries lie inside a column
    for name, children in sql.execute(query).fetchall()[1:]:  # without the root; depth first
        if not nested:
            names.append(name)
        nested = max(nested - 1, 0) + children
    return names


def fold(name: str) -> str:
    """A column's name as DuckDB compares it: the capitals of ASCII do not count."""
    return name.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def first_lines(error: duckdb.Error) -> str:
    """What DuckDB complains of, without its advice."""
    return " ".join(str(error).split("\n\n")[0].split("\n")[:3])
