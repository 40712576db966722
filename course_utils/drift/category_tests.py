"""Tests of a column of categories: which shares have changed.

What they compare are counts of shape ``(2, k)``: how often each of ``k`` categories occurs in the
reference, and how often in the current rows, the missing values left out.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
from scipy import stats

from course_utils.drift.column_test import ColumnTest, list_names, make_normal_margin
from course_utils.drift.tables import Counts

MIN_EXPECTED_ROWS = 5  # a side, from which on a category is tested by itself
MIN_CHI_SQUARED_ROWS = 20  # what the chi-squared distribution's tail needs
Pair = tuple[int, int]  # of the reference rows, of the current rows


def compare_missing(column: str, missing: Pair, rows: Pair) -> ColumnTest:
    """Rows without a value as a change of their own."""
    old, new = _write_shares(missing, rows)
    note = f"missing in {old} of the rows, now in {new}"
    return compare_share(column, "missing values", missing, rows, note)


def compare_categories(
    column: str, reference: Mapping[Hashable, int], current: Mapping[Hashable, int], seed: int
) -> list[ColumnTest]:
    """The whole distribution, the category that changed most, and what was never seen.

    Chi-squared is blind to a rare category among frequent ones, so Fisher's exact test looks at
    the one that changed most, its p-value multiplied by the number of categories it was chosen
    from. Where categories are too rare to be tested one by one, those unseen are counted.
    """
    found = dict.fromkeys([*reference, *current])
    counts = np.array([[side.get(name, 0) for name in found] for side in (reference, current)])
    names = [str(name) for name in found]
    tests = []
    _, frequent = pool_rare(names, counts, MIN_CHI_SQUARED_ROWS)
    pooled_names, pooled = pool_rare(names, counts, MIN_EXPECTED_ROWS)
    if frequent.shape[1] > 2:  # of two, Fisher's test says the same exactly
        tests.append(compare_distributions(column, frequent))
    if pooled.shape[1] > 1:
        tests.append(_compare_most_changed(column, pooled_names, pooled))
    if pooled is not counts:
        tests.append(_compare_unseen(column, counts, seed))
    return tests


def pool_rare(names: list[str], counts: Counts, expected: int) -> tuple[list[str], Counts]:
    """Make one of all categories that have fewer than ``expected`` rows a side."""
    both = counts.sum(axis=0)
    order = np.argsort(both, kind="stable")
    smaller = both[order] * counts.sum(axis=1).min() / both.sum()  # to expect of the smaller side
    rare = int((smaller < expected).sum())
    if rare and smaller[:rare].sum() < expected:
        rare += 1  # together still too rare: the next joins them
    if rare < 2:
        return names, counts
    few, rest = order[:rare], np.sort(order[rare:])
    pooled = np.column_stack([counts[:, rest], counts[:, few].sum(axis=1)])
    return [*(names[i] for i in rest), "(rare ones)"], pooled


def compare_distributions(column: str, counts: Counts) -> ColumnTest:
    """Chi-squared; the size is the total variation, half the sum of the shares' differences."""
    n, m = counts.sum(axis=1)
    size = float(np.abs(counts[0] / n - counts[1] / m).sum() / 2)
    share = counts.sum(axis=0) / (n + m)
    # The observed total variation exceeds the true one on average by at most the mean error of the
    # shares. McDiarmid's inequality bounds how far it scatters around that.
    error = np.sqrt(share * (1 - share) * (1 / n + 1 / m)).sum() / 2

    def margin(alpha: float) -> float:
        return float(error + math.sqrt(-math.log(alpha) / 2 * (1 / n + 1 / m)))

    found = stats.chi2_contingency(counts, correction=False)
    note = f"{size:.1%} of the rows would have to change their category"
    statistic, p_value = float(found.statistic), float(found.pvalue)
    return ColumnTest(column, "chi-squared", statistic, p_value, size, margin, note)


def compare_share(
    column: str, test: str, found: Pair, rows: Pair, note: str, choices: int = 1
) -> ColumnTest:
    """Fisher's exact test of the share of the rows that have some property.

    Args:
        column: the column's name.
        test: the test's name.
        found: how many rows of either side have the property.
        rows: of how many.
        note: what changed, in plain words.
        choices: from how many properties this one was chosen, because it changed most.
    """
    (a, b), (n, m) = found, rows
    p_value = float(stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue)
    change = b / m - a / n
    p, q = (a + 1) / (n + 2), (b + 1) / (m + 2)  # Agresti and Caffo 2000
    deviation = math.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2))
    margin, p_value = make_normal_margin(deviation, choices), min(1.0, p_value * choices)
    return ColumnTest(column, test, change, p_value, abs(change), margin, note, not a)


def _compare_most_changed(column: str, names: list[str], counts: Counts) -> ColumnTest:
    """Compare the category whose share changed most for its frequency."""
    n, m = counts.sum(axis=1).tolist()
    share = counts.sum(axis=0) / (n + m)
    gaps = np.abs(counts[0] / n - counts[1] / m)
    at = np.argmax(gaps / np.sqrt(np.maximum(share * (1 - share), 1 / (n + m) ** 2)))
    found = int(counts[0, at]), int(counts[1, at])
    old, new = _write_shares(found, (n, m))
    note = f"{names[at]!r}: {old} of the rows, now {new}"
    if len(names) == 2:
        return compare_share(column, "Fisher’s exact", found, (n, m), note)
    return compare_share(column, "one category", found, (n, m), note, len(names))


def _compare_unseen(column: str, counts: Counts, seed: int) -> ColumnTest:
    """Compare how many rows have a category that one half of the reference has not.

    Rare categories are always met for the first time. How often that is to be expected, the
    reference itself tells, dealt into two halves: it is the share of the other half.
    """
    random = np.random.default_rng([seed, 3])
    n, m = counts.sum(axis=1).tolist()
    half = random.multivariate_hypergeometric(counts[0], n // 2, method="marginals")
    other, unseen = counts[0] - half, half == 0
    found, rows = (int(other[unseen].sum()), int(counts[1, unseen].sum())), (n - n // 2, m)
    old, new = _write_shares(found, rows)
    note = f"{new} of the rows have a category that half of the reference has not; "
    note += f"of its other half {old}"
    test = compare_share(column, "unseen categories", found, rows, note)
    # Fewer of them are no change in kind.
    return replace(test, effect=max(0.0, test.statistic), novel=True)


def _write_shares(found: Pair, rows: Pair) -> tuple[str, str]:
    return f"{found[0] / rows[0]:.1%}", f"{found[1] / rows[1]:.1%}"


def name_changed_categories(
    column: str, reference: Mapping[Hashable, int], current: Mapping[Hashable, int]
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
