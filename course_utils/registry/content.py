"""What is known of tables, of the network, and of what the model was registered with."""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.environment import quiet_native_stderr


def read_numbers(table: pd.DataFrame, names: list[str], role: str) -> pd.DataFrame:
    """These columns of a table as float64, what is missing as NaN.

    Raises:
        ValueError: a column is absent or not of numbers, or there are no rows.
    """
    for name in names:
        if name not in table:
            has = f"There are {', '.join(map(str, table.columns))}."
            raise ValueError(f"The {role} data have no column {name!r}. {has}")
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise ValueError(
                f"Column {name!r} of the {role} data is not of numbers: encode it or drop it."
            )
    if table.empty:
        raise ValueError(f"The {role} data have no rows.")
    # Column by column: of mixed types, pandas would go by way of objects.
    return pd.DataFrame(
        {name: table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names}
    )


def hash_table(table: pd.DataFrame) -> str:
    """The SHA-256 of what `read_numbers` gave.

    Taken of a line of JSON with the columns' names, then column by column the values as
    little-endian float64. So neither the index nor the type that a column had (int64, float32,
    Int64) makes a difference; the order of rows and columns does.
    """
    found = hashlib.sha256(json.dumps(list(table.columns)).encode() + b"\n")
    for name in table.columns:
        found.update(table[name].to_numpy("<f8").tobytes())
    return found.hexdigest()


def describe_column(column: "pd.Series[float]") -> dict[str, Any]:
    """The distribution of a column's finite values."""
    values = column[np.isfinite(column)]
    return {
        "count": len(values),
        "missing": len(column) - len(values),
        "mean": values.mean(),
        "std": values.std(ddof=0),
        "minimum": values.min(),
        "maximum": values.max(),
    }


def count_parameters(file: Path) -> int:
    """The learned numbers of a network in a LiteRT file."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet_native_stderr():
        interpreter = Interpreter(str(file), num_threads=1)
    count = 0
    for details in interpreter.get_tensor_details():
        # Before `allocate_tensors` nothing but what the file holds has a value.
        with contextlib.suppress(ValueError):
            count += interpreter.get_tensor(details["index"]).size
    return count


@functools.cache
def describe_environment() -> dict[str, Any]:
    """Python, system, and each installed package with its version."""
    packages = {}
    for package in importlib.metadata.distributions():
        with contextlib.suppress(FileNotFoundError):  # of a package that is half removed
            if package.name:
                packages[package.name] = package.version
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": dict(sorted(packages.items(), key=lambda pair: pair[0].lower())),
    }
