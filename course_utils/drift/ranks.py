"""Two samples of numbers, met value by value in ascending order.

Everything here needs only how often each value occurs in either sample, so that ties are exact and
a table too large for memory can pass by in batches.
"""

import math
import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

EXACT_ROWS = 10_000  # of the larger sample; beyond, the limit distribution is as good
TIED_VALUES = 1_000  # distinct values up to which ties are worth a p-value of their own
KEPT_VALUES = 200_000  # distinct values up to which they are kept until the end
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass
class Ranks:
    """What the rank tests need of a column, gathered in one pass.

    Args:
        n: reference values, missing ones left out.
        m: current values, likewise.
    """

    n: int
    m: int
    distance: float = 0.0
    """The largest gap between the two empirical distribution functions (KS D)."""
    where: float = math.nan
    """The value at which that gap is found."""
    shares: tuple[float, float] = (0.0, 0.0)
    """How much of either sample lies at or below that value."""
    infinite: tuple[int, int] = (0, 0)
    """Rows of either sample that are plus or minus infinity."""
    distinct: int = 0
    """Values that differ."""
    _counts: list[tuple[Counts, Counts]] = field(default_factory=list)
    _seen: tuple[int, int] = (0, 0)
    _folded: Floats = field(default_factory=lambda: np.zeros(4))

    def add(self, values: Floats, reference: Counts, current: Counts) -> None:
        """Take in the next values, ascending; of each side, how many rows lie at or below each.

        The counts begin anew with every batch.
        """
        if not len(values):
            return
        old, new = reference + self._seen[0], current + self._seen[1]
        gaps = old / self.n - new / self.m
        at = int(np.argmax(np.abs(gaps, out=gaps)))
        if gaps[at] > self.distance:
            self.distance, self.where = float(gaps[at]), float(values[at])
            self.shares = (float(old[at] / self.n), float(new[at] / self.m))
        self._fold(reference, current)
        self._count_infinite(values, reference, current)
        self.distinct += len(values)
        if self.distinct <= KEPT_VALUES:
            self._counts.append((np.diff(reference, prepend=0), np.diff(current, prepend=0)))
        else:
            self._counts.clear()
        self._seen = (int(old[-1]), int(new[-1]))

    def _count_infinite(self, values: Floats, reference: Counts, current: Counts) -> None:
        for at in {0, len(values) - 1}:  # ascending, they can be nowhere else
            if math.isinf(values[at]):
                before = (reference[at - 1], current[at - 1]) if at else (0, 0)
                self.infinite = (
                    self.infinite[0] + int(reference[at] - before[0]),
                    self.infinite[1] + int(current[at] - before[1]),
                )

    def _fold(self, reference: Counts, current: Counts) -> None:
        """Sum the distances of the mid-ranks from the middle, their squares and their cubes."""
        away = (reference + current).astype(np.float64)
        both = np.diff(away, prepend=0.0)
        away -= both / 2
        away += sum(self._seen) - (self.n + self.m) / 2
        np.abs(away, out=away)
        # Not `@`, which would keep all processors busy for nothing.
        new = (np.diff(current.astype(np.float64), prepend=0.0) * away).sum()
        both *= away
        total = both.sum()
        both *= away
        squares = both.sum()
        both *= away
        self._folded += [total - new, new, squares, both.sum()]

    def ks_p_value(self) -> float:
        """Two-sided p-value of D: exact up to 10,000 rows a side, with ties too; else asymptotic.

        Beyond, ties make it err towards "no change".
        """
        n, m = self.n, self.m
        if max(n, m) > EXACT_ROWS:
            rate = n * m / (n + m)
            if rate > EXACT_ROWS:
                return float(stats.kstwobign.sf(self.distance * math.sqrt(rate)))
            return float(stats.kstwo.sf(self.distance, round(rate)))
        reference, current = self._kept()
        rank = np.arange(len(reference))
        samples = np.repeat(rank, reference), np.repeat(rank, current)
        with warnings.catch_warnings():  # where it cannot be exact, asymptotic is as good
            warnings.simplefilter("ignore", RuntimeWarning)
            p_value = float(stats.ks_2samp(*samples, method="exact").pvalue)
        # Ties only ever lower it; below 1e-9 nobody asks by how much.
        if p_value > 1e-9 and len(rank) < min(TIED_VALUES, n + m):
            return min(p_value, _exact_with_ties(self.distance, n, reference + current))
        return p_value

    def _kept(self) -> list[Counts]:
        """How often each value occurs in either sample."""
        return [np.concatenate(side) for side in zip(*self._counts, strict=True)]

    def spread(self) -> tuple[float, float, float]:
        """Ansari–Bradley's test of spread: ``(z, p_value, effect)``.

        ``effect`` is how much likelier a current value lies farther from the common middle than a
        reference value, ``2 P - 1``, from -1 to 1. ``z`` has mean 0 and variance 1 where the two
        samples are of one distribution, ties included; the p-value heeds its skewness, which is
        large where one sample is small and most values are equal. ``(0, 1, 0)`` where it cannot
        tell.
        """
        n, m, total = self.n, self.m, self.n + self.m
        old, new, squares, cubes = self._folded
        mean = (old + new) / total
        variance = n * m * (squares / total - mean**2) / (total - 1)
        if variance <= 1e-9 * squares:
            return 0.0, 1.0, 0.0
        # Central moments of a sum drawn without replacement.
        third = n * m * (n - m) / ((total - 1) * (total - 2))
        third *= cubes / total - 3 * mean * squares / total + 2 * mean**3
        z = float((new - m * mean) / math.sqrt(variance))
        tail = stats.pearson3.sf if z > 0 else stats.pearson3.cdf
        return z, float(min(1.0, 2 * tail(z, third / variance**1.5))), self._farther()

    def _farther(self) -> float:
        """The effect of `spread`: exact, but for more than 200,000 distinct values."""
        n, m, total = self.n, self.m, self.n + self.m
        if not self._counts:
            old, new = self._folded[:2]
            return float(np.clip(4 * (new / m - old / n) / total, -1, 1))
        reference, current = self._kept()
        both = reference + current
        away = np.abs(np.cumsum(both) - both / 2 - total / 2)
        _, at = np.unique(away, return_inverse=True)
        old, new = np.bincount(at, reference), np.bincount(at, current)
        return float(2 * (new @ (np.cumsum(old) - old / 2)) / n / m - 1)


def margin(n: int, m: int, alpha: float) -> float:
    """How far an observed D may lie from the true one, at confidence ``1 - alpha``.

    The Kolmogorov distribution's tail at its first term (Massart 1990 for one sample).
    """
    return math.sqrt(-math.log(alpha / 2) / 2 * (1 / n + 1 / m))


def _exact_with_ties(distance: float, n: int, blocks: Counts) -> float:
    """P(D >= distance) over all ways to deal the pooled values into samples of ``n`` and the rest.

    Schröer and Trenkler (1995): D looks at the gap only where a run of equal values ends, so a
    path of the counts must stay inside the band there, and nowhere else.

    Args:
        distance: the observed D.
        n: size of the first sample.
        blocks: how often each value occurs in both together, ascending by value.
    """
    total = int(blocks.sum())
    m, share = total - n, n / total
    inside, first, seen = np.ones(1), 0, 0  # P(path so far, first + i of the first sample seen)
    steps = {
        size: stats.binom.pmf(np.arange(size + 1), size, share)
        for size in np.unique(blocks).tolist()
    }
    for size in blocks.tolist():
        seen += size
        # The band at this point: |k / n - (seen - k) / m| < distance.
        middle, half = seen * share, distance * n * m / total - 1e-7
        low, high = max(0, math.ceil(middle - half)), min(n, seen, math.floor(middle + half))
        if low > high:
            return 1.0
        # Only steps that lead from one band into the next matter.
        step_low, step_high = max(0, low - first - len(inside) + 1), min(size, high - first)
        paths = np.convolve(inside, steps[size][step_low : step_high + 1])
        start = first + step_low
        inside, first = paths[max(0, low - start) : high - start + 1], max(low, start)
    return float(np.clip(1 - inside[n - first] / stats.binom.pmf(n, total, share), 0, 1))
