"""The result of one test, with the size of the change beside the p-value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scipy import stats

ALPHA = 0.05
"""Chance that anything at all is called significant where nothing has changed."""
MAX_LISTED_NAMES = 8


@dataclass(frozen=True)
class ColumnTest:
    """One test of one column, or of all columns together.

    ``effect`` is on one scale for all tests, from 0 to 1: the share of the rows that would have to
    move (KS D, total variation, difference of shares), or ``2 P - 1`` of a rank comparison.
    """

    column: str
    test: str
    statistic: float
    p_value: float
    effect: float
    margin: Callable[[float], float]
    """How far the true effect may fall short of the observed one, at confidence ``1 - alpha``."""
    note: str
    """What changed, in plain words."""
    novel: bool = False
    """A change in kind: the current rows have what the reference never had."""


def make_normal_margin(deviation: float, choices: int = 1) -> Callable[[float], float]:
    """The margin of a normal estimate, for a test that was chosen from so many."""
    return lambda alpha: float(stats.norm.isf(alpha / 2 / choices)) * deviation


def list_names(names: Iterable[str]) -> str:
    """The first 8 names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
    return ", ".join(names[:MAX_LISTED_NAMES]) + more
