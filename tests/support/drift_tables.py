"""Pairs of tables of which it is known what has changed: nothing, or one thing.

The tests look at a few of them, `benchmarks/drift.py` at thousands.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

SHARES = [0.4, 0.25, 0.15, 0.1, 0.08, 0.02]
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


def _shift(frame: pd.DataFrame, random: Random) -> None:
    frame["number_5"] += 0.25


def _variance(frame: pd.DataFrame, random: Random) -> None:
    frame["number_5"] *= 1.3


def _missing(frame: pd.DataFrame, random: Random) -> None:
    frame["number_5"] = frame["number_5"].mask(random.random(len(frame)) < 0.1)


def _unseen(frame: pd.DataFrame, random: Random) -> None:
    frame["category_2"] = frame["category_2"].mask(random.random(len(frame)) < 0.02, "new")


def _flip(frame: pd.DataFrame, random: Random) -> None:
    frame["number_1"] = -frame["number_1"]


def _rare(frame: pd.DataFrame, random: Random) -> None:
    shares = [share * 0.96 / 0.98 for share in SHARES[:-1]] + [0.04]
    frame["category_2"] = random.choice(list("abcdef"), len(frame), p=shares)


CHANGES: dict[str, tuple[Callable[[pd.DataFrame, Random], None], int, str]] = {
    "mean shifted by 0.25 σ": (_shift, 2000, "number_5"),
    "deviation × 1.3": (_variance, 2000, "number_5"),
    "0 to 10 % missing": (_missing, 2000, "number_5"),
    "an unseen category, 2 %": (_unseen, 2000, "category_2"),
    "correlation 0.8 to -0.8": (_flip, 2000, "(all together)"),
    "rare category 2 to 4 %": (_rare, 5000, "category_2"),
}
"""What is changed, rows a side, and where the report has to say so."""


def changed(change: str, seed: int) -> Pair:
    """Two tables of 20 columns, between which one thing has changed."""
    apply, rows, _ = CHANGES[change]
    random = np.random.default_rng([seed, len(change)])
    reference, current = twenty(random, rows), twenty(random, rows)
    apply(current, random)
    return reference, current
