"""What a record keeps of a table: its columns, its digest, the distribution of each column."""

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from course_utils.drift.distributions import histogram

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
CATEGORIES = 20  # of a column that are counted; the others make one


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """Rows, columns and digest of a table."""
    columns = [{"name": name, "kind": kind(table[name])} for name in table.columns]
    return {"rows": len(table), "columns": columns, "sha256": digest(table)}


def kind(column: pd.Series) -> str:
    """``number`` (truth values are 0 and 1) or ``category``, which is all else."""
    return "number" if types.is_numeric_dtype(column) else "category"


def digest(table: pd.DataFrame) -> str:
    """The SHA-256 of what a table holds, the same however it is stored.

    Taken of, in UTF-8, a line of JSON with the columns' names, then column by column: numbers as
    little-endian float64, with one NaN for what is missing and one zero; all else as a line of
    JSON with the values as text, null for what is missing. So neither the index nor the type that
    a library chose for a column (int64 or float64, object or str) makes a difference; the order
    of rows and columns does.
    """
    found = hashlib.sha256(_line([str(name) for name in table.columns]))
    for name in table.columns:
        column = table[name]
        if kind(column) == "number":
            values = numbers(column) + 0.0  # -0.0 becomes 0.0
            found.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        else:
            found.update(_line([None if missing else text for text, missing in _texts(column)]))
    return found.hexdigest()


def numbers(column: pd.Series) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """A column of numbers as float64, what is missing as NaN."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def distributions(training: pd.DataFrame, testing: pd.DataFrame | None) -> dict[str, Any]:
    """Of each column, how its values lie in both tables, counted in the same bins."""
    sides = {"training": training} | ({} if testing is None else {"testing": testing})
    found = {}
    for name in training.columns:
        columns = {side: table[name] for side, table in sides.items()}
        if all(kind(column) == "number" for column in columns.values()):
            found[str(name)] = _of_numbers({s: numbers(column) for s, column in columns.items()})
        else:
            found[str(name)] = _of_categories(columns)
    return found


def _of_numbers(sides: dict[str, Any]) -> dict[str, Any]:
    bins = histogram(sides["training"], sides.get("testing", np.array([])))
    edges = np.array([0.0, 1.0]) if bins is None else bins.edges
    found: dict[str, Any] = {"kind": "number", "edges": edges.tolist()}
    for side, values in sides.items():
        finite = values[np.isfinite(values)]
        counts = np.histogram(finite, edges)[0]
        found[side] = {
            "count": len(finite),
            "missing": int(np.isnan(values).sum()),
            "infinite": int(np.isinf(values).sum()),
            "outside": len(finite) - int(counts.sum()),
            "counts": counts.tolist(),
            "quantiles": dict.fromkeys(map(str, QUANTILES)),
            **statistics(finite),
        }
        if len(finite):
            found[side]["quantiles"] = dict(
                zip(map(str, QUANTILES), np.quantile(finite, QUANTILES).tolist(), strict=True)
            )
    return found


def statistics(values: Any) -> dict[str, float | None]:
    """Mean, standard deviation, least and greatest; None where they are not finite."""
    if not values.size:
        return dict.fromkeys(("mean", "std", "minimum", "maximum"))
    with np.errstate(over="ignore", invalid="ignore"):
        found = {"mean": values.mean(), "std": values.std()}
    found |= {"minimum": values.min(), "maximum": values.max()}
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def _of_categories(sides: dict[str, pd.Series]) -> dict[str, Any]:
    counted = {
        side: pd.Series([text for text, missing in _texts(column) if not missing], dtype=object)
        for side, column in sides.items()
    }
    frequent = counted["training"].value_counts().index[:CATEGORIES].tolist()
    found: dict[str, Any] = {"kind": "category", "categories": frequent}
    for side, texts in counted.items():
        counts = texts.value_counts()
        shown = [int(counts.get(text, 0)) for text in frequent]
        found[side] = {
            "count": len(texts),
            "missing": len(sides[side]) - len(texts),
            "distinct": len(counts),
            "others": len(texts) - sum(shown),
            "counts": shown,
        }
    return found


def _texts(column: pd.Series) -> list[tuple[str, bool]]:
    return list(zip(map(str, column), column.isna(), strict=True))


def _line(values: list[Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"
