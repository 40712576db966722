"""The tests of categories against definitions worked out by hand or by brute force."""

import numpy as np
import pytest
from scipy import stats

from course_utils.drift.category_tests import (
    MIN_EXPECTED_ROWS,
    compare_categories,
    compare_distributions,
    compare_missing,
    compare_share,
    name_changed_categories,
    pool_rare,
)


def compare_by_test(*sides) -> dict:
    named = [{f"c{i}": n for i, n in enumerate(side) if n} for side in sides]
    return {test.test: test for test in compare_categories("c", *named, 0)}


def test_categories_that_come_and_go_are_named_the_most_frequent_first():
    """That one rare row is missing among 408 is no news."""
    old, new = {"a": 500, "c": 300, "b": 20, "rare": 1}, {"a": 400, "y": 7, "x": 1}
    assert name_changed_categories("kind", old, new) == [
        "kind has categories that the reference has not: 'y', 'x'.",
        "kind has no longer the categories: 'c', 'b'.",
    ]
    assert name_changed_categories("kind", {"a": 9}, {"a": 3}) == []
    (said,) = name_changed_categories("kind", {"a": 50}, {"a": 50} | dict.fromkeys("bcdefghijk", 1))
    assert "'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i' and 2 more" in said


@pytest.mark.parametrize("seed", range(5))
def test_pooling_keeps_the_rows_and_leaves_none_too_rare(seed):
    random = np.random.default_rng(seed)
    kinds = random.integers(1, 40)
    weights = random.dirichlet(np.full(kinds, 0.3))
    rows = random.integers(20, 500, 2)
    counts = np.array([random.multinomial(n, weights) for n in rows])
    given = [f"c{i}" for i in range(kinds)]
    names, pooled = pool_rare(given, counts, MIN_EXPECTED_ROWS)
    assert pooled.sum(axis=1).tolist() == rows.tolist()
    if len(names) > 1:
        assert (pooled.sum(axis=0) * rows.min() / rows.sum() >= MIN_EXPECTED_ROWS).all()
    # Only the two sides together decide, or the p-value would not hold.
    assert pool_rare(given, counts[::-1], MIN_EXPECTED_ROWS)[0] == names


@pytest.mark.parametrize("kinds", [3, 30])
@pytest.mark.parametrize("moved", [0.0, 0.1, 0.6])
@pytest.mark.parametrize(("n", "m"), [(500, 400), (5000, 150)])
def test_margin_of_the_total_variation_holds(kinds, moved, n, m):
    """Rows move from the first half of the categories to the rest; their share is the distance."""
    random, runs, alpha = np.random.default_rng(1), 500, 0.05
    old, half = np.full(kinds, 1 / kinds), kinds // 2
    moved, beyond = min(moved, half / kinds), 0
    new = old + np.repeat([-moved / half, moved / (kinds - half)], [half, kinds - half])
    new = np.maximum(new, 0)
    for _ in range(runs):
        counts = np.array([random.multinomial(n, old), random.multinomial(m, new)])
        test = compare_distributions("c", counts)
        beyond += test.effect - test.margin(alpha) > moved
    assert beyond <= stats.binom.isf(0.001, runs, alpha)


def test_two_categories_make_one_test():
    ((name, test),) = compare_by_test([90, 10], [70, 30]).items()
    assert name == "Fisher’s exact"
    assert test.p_value == pytest.approx(stats.fisher_exact([[90, 10], [70, 30]]).pvalue)
    assert test.effect == pytest.approx(0.2)


def test_the_choice_of_the_category_is_paid_for():
    counts = [480, 500, 20], [510, 450, 40]
    tests = compare_by_test(*counts)
    fisher = stats.fisher_exact([[980, 20], [960, 40]]).pvalue
    single = tests["one category"]
    assert single.p_value == pytest.approx(3 * fisher)
    alone = compare_share("c", "c2", (20, 40), (1000, 1000), "")
    assert single.margin(0.05) == pytest.approx(alone.margin(0.05 / 3))
    assert single.note == "'c2': 2.0% of the rows, now 4.0%"
    assert not single.novel
    assert tests["chi-squared"].effect == pytest.approx(0.05)
    expected = stats.chi2_contingency(counts, correction=False).pvalue
    assert tests["chi-squared"].p_value == pytest.approx(expected)


def test_only_missing_values_that_are_new_are_a_change_in_kind():
    test = compare_missing("x", (0, 6), (50, 60))
    assert test.novel
    assert test.note == "missing in 0.0% of the rows, now in 10.0%"
    back = compare_missing("x", (6, 0), (60, 50))
    assert (back.statistic, back.effect) == pytest.approx((-0.1, 0.1))
    assert not back.novel


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("n", "m", "weights"),
    [
        (400, 300, [0.4, 0.3, 0.2, 0.06, 0.04]),
        (300, 300, [0.9] + [0.005] * 20),
        (20_000, 100, [0.5, 0.45, 0.05]),
    ],
)
def test_p_values_hold_where_nothing_has_changed(n, m, weights):
    random, runs = np.random.default_rng(2), 1000
    draws = [random.multinomial(size, weights, runs) for size in (n, m)]
    tests = [compare_by_test(*pair) for pair in zip(*draws, strict=True)]
    for test in {name for found in tests for name in found}:
        p_values = np.array([found[test].p_value for found in tests if test in found])
        for level in (0.05, 0.01, 0.001):
            most = stats.binom.isf(0.001, len(p_values), level)
            assert (p_values <= level).sum() <= most, (test, level)


@pytest.mark.parametrize(("p", "q"), [(0.0, 0.02), (0.1, 0.15), (0.3, 1)])
def test_margin_of_a_share_holds(p, q):
    n, m, runs, alpha = 5000, 60, 2000, 0.05
    random = np.random.default_rng(0)
    beyond = 0
    for found in zip(random.binomial(n, p, runs), random.binomial(m, q, runs), strict=True):
        test = compare_share("c", "share", found, (n, m), "")
        beyond += test.effect - test.margin(alpha) > abs(q - p)
    assert beyond <= stats.binom.isf(0.001, runs, alpha)
