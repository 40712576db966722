"""What is known of tables, of the network, and of what the model was registered with."""

import contextlib
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.common import hash_file
from course_utils.environment import quiet_native_stderr
from course_utils.registry.models import FILE, Model


def read_table(table: pd.DataFrame, model: Model, role: str) -> pd.DataFrame:
    """The model's columns of a table: numbers as float64, what is missing as NaN; classes as text.

    Infinite values count as missing.

    Args:
        table: with more columns, perhaps.
        model: that the table is for.
        role: of the table, ``training`` or ``testing``, for messages.

    Raises:
        ValueError: a column is missing or holds what it must not, there are no rows, or a photo is
            not there.
    """
    columns = [*model.features, model.target]
    finite = table.replace([np.inf, -np.inf], np.nan)
    try:
        found = model.check(finite, gaps=tuple(columns))[columns]
    except ValueError as error:
        raise ValueError(f"The {role} data: {error}") from None
    if found.empty:
        raise ValueError(f"The {role} data have no rows.")
    return found.astype(dict.fromkeys(found.select_dtypes("number"), float))


def hash_table(table: pd.DataFrame) -> str:
    """The SHA-256 of what `read_table` gave.

    Taken of a line of JSON with the columns' names, then column by column: numbers as little-endian
    float64, classes as a line of JSON, photos as the digests of their files. So neither the index
    nor the type that a column had (int64, float32, Int64) makes a difference; the order of rows and
    columns does.
    """
    found = hashlib.sha256(json.dumps(list(table.columns)).encode() + b"\n")
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name]):
            found.update(table[name].to_numpy("<f8").tobytes())
        else:
            texts = (
                table[name].map(lambda file: hash_file(Path(file))) if name == FILE else table[name]
            )
            found.update(json.dumps(texts.tolist(), ensure_ascii=False).encode() + b"\n")
    return found.hexdigest()


def describe_column(column: pd.Series) -> dict[str, Any]:
    """The distribution of a column's values, or how often each class is there."""
    if not pd.api.types.is_numeric_dtype(column):
        return {"count": len(column), "missing": 0, "classes": column.value_counts().to_dict()}
    values = column.dropna()
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


def describe_environment() -> dict[str, Any]:
    """Python, system, and each installed package with its version."""
    found = importlib.metadata.distributions()
    packages = {package.name: package.version for package in found if package.name}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": dict(sorted(packages.items(), key=lambda pair: pair[0].lower())),
    }
