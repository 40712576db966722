"""Pairs of tables of which it is known what has changed: nothing, or one thing.

The tests look at a few of them, `benchmarks/drift.py` at thousands.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

SHARES = [0.4, 0.25, 0.15, 0.1, 0.08, 0.02]
RARER = [share * 0.96 / 0.98 for share in SHARES[:-1]] + [0.04]  # all but the last
Random = np.random.Generator
Pair = tuple[pd.DataFrame, pd.DataFrame]


def continuous(random: Random, rows: int, at: int) -> pd.Series:
    """A number column without ties: normal, heavy in its tails, skewed."""
    draw = (random.standard_normal, partial(random.standard_t, 2), partial(random.gamma, 0.5))
    return pd.Series(draw[at % 3](size=rows))


def mixed(random: Random, rows: int, at: int) -> pd.Series:
    """Counts, rounded numbers, two values, few and many categories; every other with gaps."""
    draw: tuple[Callable[[], np.ndarray], ...] = (
        lambda: random.poisson(2, rows).astype(float),
        lambda: random.normal(size=rows).round(1),
        lambda: (random.random(rows) < 0.1).astype(float),
        lambda: random.choice(list("abcdef"), rows, p=SHARES),
        lambda: random.zipf(1.7, rows).clip(max=500).astype(str),
    )
    column = pd.Series(draw[at % len(draw)]())
    return column.mask(random.random(rows) < 0.05) if at % 2 else column


def unchanged(kind: Callable[..., pd.Series], columns: int, seed: int) -> Pair:
    """500 and 400 rows of one distribution; a table of one column has each kind in turn."""
    random = np.random.default_rng(seed)
    first = seed % 30 if columns == 1 else 0

    def draw(rows: int) -> pd.DataFrame:
        return pd.DataFrame({f"x{i}": kind(random, rows, i + first) for i in range(columns)})

    return draw(500), draw(400)


def twenty(random: Random, rows: int) -> pd.DataFrame:
    """15 normal columns, the first two correlated, and 5 of categories."""
    numbers = random.standard_normal((rows, 15))
    numbers[:, 1] = 0.8 * numbers[:, 0] + 0.6 * numbers[:, 1]
    frame = pd.DataFrame(numbers, columns=[f"number_{i}" for i in range(15)])
    for i in range(5):
        frame[f"category_{i}"] = random.choice(list("abcdef"), rows, p=SHARES)
    return frame


CHANGES: dict[str, tuple[Callable[[pd.DataFrame, Random], dict[str, Any]], int, str]] = {
    "mean shifted by 0.25 σ": (lambda t, _: {"number_5": t.number_5 + 0.25}, 2000, "number_5"),
    "deviation × 1.3": (lambda t, _: {"number_5": t.number_5 * 1.3}, 2000, "number_5"),
    "0 to 10 % missing": (
        lambda t, random: {"number_5": t.number_5.mask(random.random(len(t)) < 0.1)},
        2000,
        "number_5",
    ),
    "an unseen category, 2 %": (
        lambda t, random: {"category_2": t.category_2.mask(random.random(len(t)) < 0.02, "new")},
        2000,
        "category_2",
    ),
    "correlation 0.8 to -0.8": (lambda t, _: {"number_1": -t.number_1}, 2000, "(all together)"),
    "rare category 2 to 4 %": (
        lambda t, random: {"category_2": random.choice(list("abcdef"), len(t), p=RARER)},
        5000,
        "category_2",
    ),
}
"""The changed column of a table, rows a side, and where the report has to say so."""


def changed(change: str, seed: int) -> Pair:
    """Two tables of 20 columns, between which one thing has changed."""
    change_column, rows, _ = CHANGES[change]
    random = np.random.default_rng([seed, len(change)])
    reference, current = twenty(random, rows), twenty(random, rows)
    return reference, current.assign(**change_column(current, random))
