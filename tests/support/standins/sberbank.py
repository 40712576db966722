"""A stand-in for Kaggle's Sberbank files, which nobody may pass on: as wide, with made-up rows.

What the loader looks for has its real name; the other columns are numbered. The values are drawn
at random and mean nothing.
"""

from pathlib import Path

import numpy as np
import pandas as pd

NUMBERS = ["full_sq", "life_sq", *(f"number_{count}" for count in range(285))]
CATEGORIES = {"product_type": ["Investment", "OwnerOccupier"], "sub_area": ["Bibirevo", "Mitino"]}
GAPS = ("life_sq", "product_type")  # columns in which Kaggle's files have gaps


def frame(rows: int, *, first_id: int, first_day: str, price: bool, seed: int) -> pd.DataFrame:
    """A made-up table; a day a row, one value in ten missing where the real one has gaps."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(first_day, periods=rows).strftime("%Y-%m-%d")
    columns: dict[str, object] = {"id": np.arange(first_id, first_id + rows), "timestamp": days}
    columns |= {name: rng.integers(1, 100, rows) for name in NUMBERS}
    columns |= {name: rng.choice(values, rows) for name, values in CATEGORIES.items()}
    if price:
        columns["price_doc"] = rng.integers(1_000_000, 20_000_000, rows)
    table = pd.DataFrame(columns)
    for name in GAPS:
        table[name] = table[name].mask(rng.random(rows) < 0.1)
    return table


def files() -> dict[str, bytes]:
    """What stands in for ``train.csv`` and ``test.csv``: name to content."""
    tables = {
        "train.csv": frame(300, first_id=1, first_day="2011-08-20", price=True, seed=1),
        "test.csv": frame(100, first_id=30474, first_day="2015-07-01", price=False, seed=2),
    }
    return {name: table.to_csv(index=False).encode() for name, table in tables.items()}


def write(folder: Path) -> Path:
    """Put both files into the folder, which is made; returns it."""
    folder.mkdir(parents=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder
