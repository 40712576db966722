"""Tests of a column of categories: which shares have changed."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from course_utils.drift.column_test import ColumnTest, list_names, make_normal_margin
from course_utils.drift.tables import Counts

MIN_EXPECTED_ROWS = 5  # a side, from which on a category is tested by itself
MIN_CHI_SQUARED_ROWS = 20  # what the chi-squared distribution's tail needs


@dataclass(frozen=True)
class Share:
    """How many of ``n`` reference rows and of ``m`` current rows have some property."""

    reference: int
    n: int
    current: int
    m: int

    @property
    def change(self) -> float:
        """Difference of the two shares, current less reference."""
        return self.current / self.m - self.reference / self.n

    @property
    def deviation(self) -> float:
        """Standard deviation of ``change`` (Agresti and Caffo 2000)."""
        p, q = (self.reference + 1) / (self.n + 2), (self.current + 1) / (self.m + 2)
        return math.sqrt(p * (1 - p) / (self.n + 2) + q * (1 - q) / (self.m + 2))

    @property
    def percents(self) -> tuple[str, str]:
        """Both shares, to be read."""
        return f"{self.reference / self.n:.1%}", f"{self.current / self.m:.1%}"


@dataclass(frozen=True)
class Shares:
    """How often each category occurs in either sample, the missing values left out."""

    names: list[str]
    reference: Counts
    current: Counts

    @classmethod
    def count(cls, reference: Mapping[Hashable, int], current: Mapping[Hashable, int]) -> "Shares":
        """Put the two samples' counts side by side, in the order of first mention."""
        names = dict.fromkeys([*reference, *current])
        old, new = (
            np.array([side.get(name, 0) for name in names], dtype=np.int64)
            for side in (reference, current)
        )
        return cls([str(name) for name in names], old, new)

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of either sample."""
        return int(self.reference.sum()), int(self.current.sum())

    def pool(self, expected: int) -> "Shares":
        """The same with all categories of fewer than ``expected`` rows a side made one."""
        n, m = self.rows
        both = self.reference + self.current
        order = np.argsort(both, kind="stable")
        smaller = both[order] * min(n, m) / (n + m)  # rows to expect of the smaller side
        rare = int((smaller < expected).sum())
        if rare and smaller[:rare].sum() < expected:
            rare += 1  # together still too rare: the next joins them
        if rare < 2:
            return self
        few, rest = order[:rare], np.sort(order[rare:])
        return Shares(
            [*(self.names[i] for i in rest), "(rare ones)"],
            np.append(self.reference[rest], self.reference[few].sum()),
            np.append(self.current[rest], self.current[few].sum()),
        )

    def find_most_changed(self) -> int:
        """The category whose share changed most for its frequency."""
        n, m = self.rows
        share = (self.reference + self.current) / (n + m)
        gaps = np.abs(self.reference / n - self.current / m)
        return int(np.argmax(gaps / np.sqrt(np.maximum(share * (1 - share), 1 / (n + m) ** 2))))

    def count_unseen(self, seed: int) -> Share:
        """Rows with a category that one half of the reference has not: of the other, of current.

        Rare categories are always met for the first time. How often that is to be expected, the
        reference itself tells, dealt into two halves.
        """
        random = np.random.default_rng([seed, 3])
        n, m = self.rows
        half = random.multivariate_hypergeometric(self.reference, n // 2, method="marginals")
        other, unseen = self.reference - half, half == 0
        return Share(int(other[unseen].sum()), n - n // 2, int(self.current[unseen].sum()), m)

    def compute_total_variation(self) -> float:
        """Half the sum of the shares' differences: how many of the rows would have to move."""
        n, m = self.rows
        return float(np.abs(self.reference / n - self.current / m).sum() / 2)

    def compute_total_variation_margin(self, alpha: float) -> float:
        """How far the observed total variation may exceed the true one, at ``1 - alpha``.

        It exceeds it on average by at most the mean error of the shares, and its own scatter is
        bounded by McDiarmid's inequality.
        """
        n, m = self.rows
        share = (self.reference + self.current) / (n + m)
        mean = np.sqrt(share * (1 - share) * (1 / n + 1 / m)).sum() / 2
        return float(mean + math.sqrt(-math.log(alpha) / 2 * (1 / n + 1 / m)))


def compare_missing(column: str, share: Share) -> ColumnTest:
    """Rows without a value as a change of their own."""
    old, new = share.percents
    note = f"missing in {old} of the rows, now in {new}"
    return _compare_shares(column, "missing values", share, note, novel=not share.reference)


def compare_categories(column: str, shares: Shares, seed: int) -> list[ColumnTest]:
    """The whole distribution, the category that changed most, and what was never seen.

    Chi-squared is blind to a rare category among frequent ones, so Fisher's exact test looks at
    the one that changed most, its p-value multiplied by the number of categories it was chosen
    from. Where categories are too rare to be tested one by one, those unseen are counted.
    """
    tests = []
    frequent, pooled = shares.pool(MIN_CHI_SQUARED_ROWS), shares.pool(MIN_EXPECTED_ROWS)
    if len(frequent.names) > 2:  # of two, Fisher's test says the same exactly
        tests.append(_compare_distributions(column, frequent))
    if len(pooled.names) > 1:
        tests.append(_compare_most_changed(column, pooled))
    if pooled is not shares:
        tests.append(_compare_unseen(column, shares.count_unseen(seed)))
    return tests


def _compare_shares(
    column: str, test: str, share: Share, note: str, *, novel: bool, choices: int = 1
) -> ColumnTest:
    """Fisher's exact test of a share that was chosen from so many."""
    a, b = share.reference, share.current
    p_value = float(stats.fisher_exact([[a, share.n - a], [b, share.m - b]]).pvalue)
    change, margin = share.change, make_normal_margin(share.deviation, choices)
    p_value = min(1.0, p_value * choices)
    return ColumnTest(column, test, change, p_value, abs(change), margin, note, novel)


def _compare_distributions(column: str, pooled: Shares) -> ColumnTest:
    found = stats.chi2_contingency([pooled.reference, pooled.current], correction=False)
    size, margin = pooled.compute_total_variation(), pooled.compute_total_variation_margin
    note = f"{size:.1%} of the rows would have to change their category"
    statistic, p_value = float(found.statistic), float(found.pvalue)
    return ColumnTest(column, "chi-squared", statistic, p_value, size, margin, note)


def _compare_most_changed(column: str, pooled: Shares) -> ColumnTest:
    (n, m), at = pooled.rows, pooled.find_most_changed()
    share = Share(int(pooled.reference[at]), n, int(pooled.current[at]), m)
    choices = len(pooled.names) if len(pooled.names) > 2 else 1
    test = "one category" if choices > 1 else "Fisher’s exact"
    old, new = share.percents
    note = f"{pooled.names[at]!r}: {old} of the rows, now {new}"
    return _compare_shares(column, test, share, note, novel=share.reference == 0, choices=choices)


def _compare_unseen(column: str, share: Share) -> ColumnTest:
    old, new = share.percents
    note = f"{new} of the rows have a category that half of the reference has not; "
    note += f"of its other half {old}"
    test = _compare_shares(column, "unseen categories", share, note, novel=True)
    return replace(test, effect=max(0.0, share.change))  # fewer of them are no change in kind


def name_changed_categories(
    column: str, reference: dict[Hashable, int], current: dict[Hashable, int]
) -> list[str]:
    """Warnings that name the categories a model has never seen, and those no longer there.

    The latter only where at least 5 current rows should have them.
    """
    ratio = sum(current.values()) / sum(reference.values())
    expected = [name for name, count in reference.items() if count * ratio >= MIN_EXPECTED_ROWS]
    changes = {
        "has categories that the reference has not": [n for n in current if n not in reference],
        "has no longer the categories": [n for n in expected if n not in current],
    }
    return [
        f"{column} {what}: {list_names(repr(str(name)) for name in names)}."
        for what, names in changes.items()
        if names
    ]
