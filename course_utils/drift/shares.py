"""Two samples of categories, and which shares have changed."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

EXPECTED = 5  # rows a side from which on a category is looked at by itself
ENOUGH = 20  # that the chi-squared distribution's tail needs where the sides differ in size
Counts = NDArray[np.int64]


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
        return cls(
            [str(name) for name in names],
            np.array([reference.get(name, 0) for name in names], dtype=np.int64),
            np.array([current.get(name, 0) for name in names], dtype=np.int64),
        )

    @property
    def unseen(self) -> list[str]:
        """Categories that only the current sample has, the most frequent first."""
        return self._only(self.current, self.reference)

    @property
    def vanished(self) -> list[str]:
        """Categories of the reference that at least 5 current rows should have, and none has."""
        expected = self.reference * (self.current.sum() / self.reference.sum())
        return self._only(np.where(expected >= EXPECTED, self.reference, 0), self.current)

    def _only(self, here: Counts, there: Counts) -> list[str]:
        found = np.flatnonzero((here > 0) & (there == 0))
        return [self.names[i] for i in found[np.argsort(-here[found], kind="stable")]]

    def pooled(self, expected: int = EXPECTED) -> "Shares":
        """The same with all categories of fewer than ``expected`` rows a side made one."""
        n, m = int(self.reference.sum()), int(self.current.sum())
        both = self.reference + self.current
        order = np.argsort(both, kind="stable")
        rare = both[order] * min(n, m) / (n + m) < expected
        pool = int(rare.sum())
        if pool and both[order[:pool]].sum() * min(n, m) / (n + m) < expected:
            pool += 1  # together still too rare: the next joins them
        if pool < 2:
            return self
        few, rest = order[:pool], np.sort(order[pool:])
        return Shares(
            [*(self.names[i] for i in rest), "(rare ones)"],
            np.append(self.reference[rest], self.reference[few].sum()),
            np.append(self.current[rest], self.current[few].sum()),
        )

    def unseen_by_half(self, seed: int) -> "Share":
        """Rows with a category that one half of the reference has not: of the other, of current.

        Rare categories are always met for the first time; how often that is to be expected, the
        reference itself tells, dealt into two halves.
        """
        random = np.random.default_rng([seed, 3])
        n = int(self.reference.sum())
        half = random.multivariate_hypergeometric(self.reference, n // 2, method="marginals")
        rest, unseen = self.reference - half, half == 0
        return Share(
            int(rest[unseen].sum()),
            n - n // 2,
            int(self.current[unseen].sum()),
            int(self.current.sum()),
        )

    def chi_squared(self) -> tuple[float, float]:
        """Pearson's test of homogeneity: ``(statistic, p_value)``; (0, 1) for one category."""
        if len(self.names) < 2:
            return 0.0, 1.0
        answer = stats.chi2_contingency([self.reference, self.current], correction=False)
        return float(answer.statistic), float(answer.pvalue)

    def total_variation(self) -> float:
        """Half the sum of the shares' differences: how many of the rows would have to move."""
        differences = self.reference / self.reference.sum() - self.current / self.current.sum()
        return float(np.abs(differences).sum() / 2)

    def total_variation_margin(self, alpha: float) -> float:
        """How far the observed total variation may exceed the true one, at ``1 - alpha``.

        It exceeds it on average by at most the mean error of the shares, and its own scatter is
        bounded by McDiarmid's inequality.
        """
        n, m = int(self.reference.sum()), int(self.current.sum())
        share = (self.reference + self.current) / (n + m)
        mean = np.sqrt(share * (1 - share) * (1 / n + 1 / m)).sum() / 2
        return float(mean + math.sqrt(-math.log(alpha) / 2 * (1 / n + 1 / m)))

    def most_changed(self) -> int:
        """The category whose share changed most for its frequency."""
        n, m = int(self.reference.sum()), int(self.current.sum())
        share = (self.reference + self.current) / (n + m)
        gaps = np.abs(self.reference / n - self.current / m)
        return int(np.argmax(gaps / np.sqrt(np.maximum(share * (1 - share), 1 / (n + m) ** 2))))


@dataclass(frozen=True)
class Share:
    """How many of ``n`` reference rows and of ``m`` current rows have some property."""

    reference: int
    n: int
    current: int
    m: int

    def p_value(self) -> float:
        """Fisher's exact test, two-sided."""
        a, b = self.reference, self.current
        return float(stats.fisher_exact([[a, self.n - a], [b, self.m - b]]).pvalue)

    def change(self) -> float:
        """Difference of the two shares, current less reference."""
        return self.current / self.m - self.reference / self.n

    def margin(self, alpha: float) -> float:
        """How far the observed change may lie from the true one (Agresti and Caffo 2000)."""
        p, q = (self.reference + 1) / (self.n + 2), (self.current + 1) / (self.m + 2)
        scatter = p * (1 - p) / (self.n + 2) + q * (1 - q) / (self.m + 2)
        return float(stats.norm.isf(alpha / 2) * math.sqrt(scatter))
