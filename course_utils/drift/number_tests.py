"""Tests of a column of numbers: Kolmogorov–Smirnov and Ansari–Bradley.

They need only how often each value occurs in either sample, ascending by value. So a table too
large for memory can pass by in batches, and ties are exact.
"""

import math
from collections.abc import Iterable

import numpy as np
from scipy import stats

from course_utils.drift.column_test import ColumnTest, make_normal_margin
from course_utils.drift.tables import Batch, Counts, Floats

MAX_KSTWO_ROWS = 10_000  # from here on kstwo takes seconds, and its limit is as good
MAX_EXACT_ROWS = 10_000  # of the larger sample, up to which ties are exact
MAX_TIED_VALUES = 1_000  # distinct values, up to which ties are exact
MAX_KEPT_VALUES = 200_000  # distinct values up to which all counts are kept until the end


class RankTest:
    """Compares two samples of numbers by their ranks.

    Args:
        n: reference values, missing ones left out.
        m: current values, likewise.
        batches: the distinct values, ascending, with how often either sample has each.
    """

    distance = 0.0
    """The largest gap between the two empirical distribution functions (KS D)."""
    where = math.nan
    """The value at which that gap is found."""
    shares = 0.0, 0.0
    """How much of either sample lies at or below that value."""

    def __init__(self, n: int, m: int, batches: Iterable[Batch]) -> None:
        self.n, self.m = n, m
        self._away = np.zeros(4)
        self._kept: list[tuple[Counts, Counts]] | None = []
        seen = 0, 0
        for values, old, new in batches:
            up_to = old.cumsum() + seen[0], new.cumsum() + seen[1]
            seen = int(up_to[0][-1]), int(up_to[1][-1])
            self._find_gap(values, up_to[0] / n, up_to[1] / m)
            self._add_distances(old, new, up_to[0] + up_to[1])
            self._keep(old, new)

    def _find_gap(self, values: Floats, old: Floats, new: Floats) -> None:
        gaps = np.abs(old - new)
        at = int(np.argmax(gaps))
        if gaps[at] > self.distance:
            self.distance, self.where = float(gaps[at]), float(values[at])
            self.shares = float(old[at]), float(new[at])

    def _add_distances(self, old: Counts, new: Counts, up_to: Counts) -> None:
        """Sum the mid-ranks' distances from the middle, their squares and their cubes."""
        both = old + new
        away = np.abs(up_to - both / 2 - (self.n + self.m) / 2)
        first = both * away
        second = first * away
        self._away += [(old * away).sum(), (new * away).sum(), second.sum(), (second * away).sum()]

    def _keep(self, old: Counts, new: Counts) -> None:
        if self._kept is not None:
            self._kept.append((old, new))
            if sum(len(counts) for counts, _ in self._kept) > MAX_KEPT_VALUES:
                self._kept = None

    def compute_ks_p_value(self) -> float:
        """Two-sided p-value of D, as `ks_2samp(method="asymp")` has it; with ties exact.

        Ties lower it, of which SciPy takes no notice: of counts (Poisson of mean 2) it calls 0.9 %
        of healthy columns changed at a level of 5 %, this one 4.9 %.
        """
        n, m = self.n, self.m
        rows = n * m / (n + m)
        if rows > MAX_KSTWO_ROWS:
            return float(stats.kstwobign.sf(self.distance * math.sqrt(rows)))
        p_value = float(stats.kstwo.sf(self.distance, round(rows)))
        if 0 < p_value < 1e-9 or max(n, m) > MAX_EXACT_ROWS:  # nobody asks how far below
            return p_value
        old, new = self._join_counts()
        if len(old) >= min(MAX_TIED_VALUES, n + m):
            return p_value
        return _compute_tied_p_value(self.distance, n, old + new)

    def compute_ks_margin(self, alpha: float) -> float:
        """How far D may lie from the true one (the first term of Kolmogorov's tail)."""
        return math.sqrt(-math.log(alpha / 2) / 2 * (1 / self.n + 1 / self.m))

    def compare_spread(self) -> tuple[float, float, float]:
        """Ansari–Bradley's test of spread: ``(z, p_value, effect)``; (0, 1, 0) of a constant.

        `scipy.stats.ansari` is wrong where there are ties. Its normal p-value is, too, where one
        sample is small and most values are equal: of 100 rows beside 20,000, one in 2,000 not 0,
        it calls 5 % of healthy columns changed even at a level of 0.001. So the third moment
        counts here.

        ``effect`` is how much likelier a current value lies farther from the common middle than a
        reference value, ``2 P - 1``, from -1 to 1.
        """
        n, m, total = self.n, self.m, self.n + self.m
        old, new, squares, cubes = self._away
        mean = (old + new) / total
        variance = n * m * (squares / total - mean**2) / (total - 1)
        if variance <= 1e-9 * squares:
            return 0.0, 1.0, 0.0
        # Central moments of a sum drawn without replacement.
        third = n * m * (n - m) / ((total - 1) * (total - 2))
        third *= cubes / total - 3 * mean * squares / total + 2 * mean**3
        z = float((new - m * mean) / math.sqrt(variance))
        tail = stats.pearson3.sf if z > 0 else stats.pearson3.cdf
        return z, float(min(1.0, 2 * tail(z, third / variance**1.5))), self._compute_spread_effect()

    def _compute_spread_effect(self) -> float:
        """The effect of `compare_spread`; ties are exact up to 200,000 distinct values."""
        n, m, total = self.n, self.m, self.n + self.m
        if self._kept is None:
            old, new = self._away[:2]
            return float(np.clip(4 * (new / m - old / n) / total, -1, 1))
        old, new = self._join_counts()
        both = old + new
        _, at = np.unique(np.abs(both.cumsum() - both / 2 - total / 2), return_inverse=True)
        old, new = np.bincount(at, old), np.bincount(at, new)
        return float(2 * (new @ (old.cumsum() - old / 2)) / n / m - 1)

    def _join_counts(self) -> tuple[Counts, Counts]:
        """How often each value occurs in either sample."""
        old, new = (np.concatenate(side) for side in zip(*self._kept or (), strict=True))
        return old, new


def compare_numbers(column: str, ranks: RankTest) -> list[ColumnTest]:
    """Kolmogorov–Smirnov for any change, Ansari–Bradley for the spread, which KS is weak on."""
    old, new = ranks.shares
    size, p_value, ks_margin = ranks.distance, ranks.compute_ks_p_value(), ranks.compute_ks_margin
    note = f"{old:.1%} of the rows were at or below {ranks.where + 0.0:.4g}, now {new:.1%}"
    tests = [ColumnTest(column, "Kolmogorov–Smirnov", size, p_value, size, ks_margin, note)]
    z, p_value, spread = ranks.compare_spread()
    if z:
        size, margin = abs(spread), make_normal_margin(abs(spread / z))
        way = "farther from" if spread > 0 else "closer to"
        note = f"a value now lies {way} the middle than before in {(1 + size) / 2:.1%} of pairs"
        tests.append(ColumnTest(column, "Ansari–Bradley", z, p_value, size, margin, note))
    return tests


def _compute_tied_p_value(distance: float, n: int, blocks: Counts) -> float:
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
