"""What a record keeps of a table: its columns, its digest, the distribution of each column."""

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd

from course_utils.common.plots import histogram

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def numbers(table: pd.DataFrame, names: list[str], role: str) -> pd.DataFrame:
    """These columns of a table as float64, what is missing as NaN.

    Raises:
        ValueError: a column is absent, there twice or not of numbers, or there are no rows.
    """
    for name in names:
        if (count := list(table.columns).count(name)) != 1:
            has = f"There are {', '.join(map(str, table.columns))}."
            raise ValueError(f"The {role} data have {count or 'no'} columns {name!r}. {has}")
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


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """Rows, columns and digest of what `numbers` gave."""
    return {"rows": len(table), "columns": list(table.columns), "sha256": digest(table)}


def digest(table: pd.DataFrame) -> str:
    """The SHA-256 of a table of numbers, the same however they are stored.

    Taken of a line of JSON with the columns' names, then column by column the values as
    little-endian float64, with one NaN for what is missing and one zero. So neither the index
    nor the type of a column (int64, float32, Int64) makes a difference; the order of rows and
    columns does.
    """
    found = hashlib.sha256(json.dumps(list(table.columns)).encode() + b"\n")
    for name in table.columns:
        values = table[name].to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # no -0.0
        found.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    return found.hexdigest()


def distributions(training: pd.DataFrame, testing: pd.DataFrame | None) -> dict[str, Any]:
    """Of each column, how its values lie in both tables, counted in the same bins."""
    sides = {"training": training} | ({} if testing is None else {"testing": testing})
    found = {}
    for name in training.columns:
        values = {side: table[name].to_numpy() for side, table in sides.items()}
        bins = histogram(values["training"], values.get("testing", np.array([])))
        edges = np.array([0.0, 1.0]) if bins is None else bins.edges
        found[name] = {"edges": edges.tolist()}
        found[name] |= {side: _distribution(column, edges) for side, column in values.items()}
    return found


def _distribution(values: Any, edges: Any) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    counts = np.histogram(finite, edges)[0]
    quantiles = np.quantile(finite, QUANTILES).tolist() if len(finite) else [None] * len(QUANTILES)
    return {
        "count": len(finite),
        "missing": int(np.isnan(values).sum()),
        "infinite": int(np.isinf(values).sum()),
        "outside": len(finite) - int(counts.sum()),
        "counts": counts.tolist(),
        "quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=True)),
        **statistics(finite),
    }


def statistics(values: Any) -> dict[str, float | None]:
    """Mean, standard deviation, least and greatest; None where they are not finite."""
    if not values.size:
        return dict.fromkeys(("mean", "std", "minimum", "maximum"))
    with np.errstate(over="ignore", invalid="ignore"):
        found = {"mean": values.mean(), "std": values.std()}
    found |= {"minimum": values.min(), "maximum": values.max()}
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}
