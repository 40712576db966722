"""Open DuckDB with limits on memory, threads and files, and with neither network nor extensions.

For tables that may be larger than memory: `drift.compare_files` and batch prediction.
"""

import glob
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

MB_PER_THREAD = 128  # of memory, what a thread needs at least
# What DuckDB says of Ctrl-C, which may also come while it is within a call to Python.
INTERRUPTED = re.compile("Query interrupted|KeyboardInterrupt")
NO_DISK = re.compile(
    r"max_temp_directory_size|no space left|file too large|could not write|disk quota", re.I
)


def quote_sql(text: str | Path, mark: str = "'") -> str:
    """Write a string, or with ``mark='"'`` the name of a column, as SQL does."""
    return mark + str(text).replace(mark, mark + mark) + mark


def quote_file(file: Path) -> str:
    """Write the name of one file as SQL does, so that nothing in it is a pattern."""
    return quote_sql(glob.escape(str(file)))


@contextmanager
def open_session(
    memory_mb: int, folder: Path, *, full_disk: str, little_memory: str, unreadable: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a session that uses so much memory at most, and writes into ``folder`` only.

    Args:
        memory_mb: what DuckDB may hold in memory.
        folder: for what does not fit; it need not exist yet.
        full_disk: what to say where the disk is full. DuckDB's own words follow, as of the others.
        little_memory: what to say where that memory is too little.
        unreadable: what to say where a file cannot be read.

    Raises:
        KeyboardInterrupt: Ctrl-C, for which DuckDB has errors of its own.
        OSError: the disk is full.
        MemoryError: the memory is too little.
        ValueError: whatever else DuckDB complains of.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "threads": max(1, min(os.cpu_count() or 1, memory_mb // MB_PER_THREAD)),
        "temp_directory": str(folder / "spilled"),
        "allow_persistent_secrets": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    try:
        with closing(duckdb.connect(":memory:", config=config)) as sql:
            # In Jupyter without ipywidgets there is no bar, and to switch it off is an error.
            if sql.execute("SELECT current_setting('enable_progress_bar')").fetchall() != [
                (False,)
            ]:
                sql.execute("SET enable_progress_bar = false")
            sql.execute("SET parquet_metadata_cache = true")  # a file is read again and again
            sql.execute("SET lock_configuration = true")
            yield sql
    except (duckdb.Error, RuntimeError) as error:
        if isinstance(error, duckdb.InterruptException) or INTERRUPTED.search(str(error)):
            raise KeyboardInterrupt from error
        if not isinstance(error, duckdb.Error):
            raise
        said = " ".join(str(error).split("\n\n")[0].split("\n")[:3])  # without its advice
        if NO_DISK.search(said):
            raise OSError(f"The disk is full. {full_disk} ({said})") from error
        if isinstance(error, duckdb.OutOfMemoryException):
            raise MemoryError(f"{memory_mb} MB are too little. {little_memory} ({said})") from error
        raise ValueError(f"{unreadable} ({said})") from error
