"""The tests of categories against definitions worked out by hand or by brute force."""

import math

import numpy as np
import pytest
from scipy import stats

from course_utils.drift.columns import category_tests, come_and_gone, share_test
from course_utils.drift.shares import EXPECTED, Share, Shares


def shares(reference: list[int], current: list[int]) -> Shares:
    return Shares.count(
        *(
            {f"c{i}": count for i, count in enumerate(side) if count}
            for side in (reference, current)
        )
    )


def by_test(found: Shares) -> dict:
    return {test.test: test for test in category_tests("c", found, 0)}


def test_counts_stand_side_by_side():
    found = Shares.count({"b": 3, "a": 2}, {"a": 5, "z": 1})
    assert found.names == ["b", "a", "z"]
    assert found.reference.tolist() == [3, 2, 0]
    assert found.current.tolist() == [0, 5, 1]


def test_categories_that_come_and_go_the_most_frequent_first():
    found = Shares.count({"a": 500, "b": 20, "c": 300, "rare": 1}, {"a": 400, "x": 1, "y": 7})
    assert found.unseen == ["y", "x"]
    assert found.vanished == ["c", "b"]  # that one rare row is missing among 408 is no news
    assert come_and_gone("kind", Shares.count({"a": 9}, {"a": 3})) == []
    said = " ".join(come_and_gone("kind", found))
    assert said.index("kind has") < said.index("'y'") < said.index("'x'") < said.index("'c'")
    assert "rare" not in said


def test_only_the_first_few_categories_are_named():
    (said,) = come_and_gone("kind", shares([50] + [0] * 12, [50] + [3] * 12))
    assert said.count("'c") == 5
    assert "7 more" in said


def test_frequent_categories_are_left_as_they_are():
    found = shares([40, 30, 20], [30, 40, 10])
    assert found.pooled() is found


def test_one_rare_category_is_joined_by_the_next():
    """3 rows are too few for themselves, and nothing else is rare."""
    pooled = shares([50, 30, 2], [50, 30, 1]).pooled()
    assert pooled.names == ["c0", "(rare ones)"]
    assert pooled.reference.tolist() == [50, 32]
    assert pooled.current.tolist() == [50, 31]


def test_rare_categories_that_are_enough_together_stand_alone():
    pooled = shares([50, 4, 3, 4], [50, 3, 4, 3]).pooled()
    assert pooled.names == ["c0", "(rare ones)"]
    assert pooled.reference.tolist() == [50, 11]
    assert pooled.current.tolist() == [50, 10]


def test_where_all_are_rare_one_is_left():
    pooled = shares([2, 2, 2, 1], [1, 2, 3, 1]).pooled()
    assert pooled.names == ["(rare ones)"]
    assert pooled.chi_squared() == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(40))
def test_pooling_keeps_the_rows_and_leaves_none_too_rare(seed):
    random = np.random.default_rng(seed)
    kinds = random.integers(1, 40)
    weights = random.dirichlet(np.full(kinds, 0.3))
    rows = random.integers(20, 500, 2)
    found = shares(*(random.multinomial(n, weights).tolist() for n in rows))
    pooled = found.pooled()
    assert [pooled.reference.sum(), pooled.current.sum()] == rows.tolist()
    if len(pooled.names) > 1:
        both = pooled.reference + pooled.current
        assert (both * rows.min() / rows.sum() >= EXPECTED).all()
    # Only the two sides together decide, or the p-value would not hold.
    swapped = Shares(found.names, found.current, found.reference).pooled()
    assert swapped.names == pooled.names


def test_chi_squared_by_hand():
    """Expected 30, 20 and 50 on either side: 2 (100/30 + 25/20 + 25/50) = 10.1667, two degrees."""
    statistic, p_value = shares([40, 15, 45], [20, 25, 55]).chi_squared()
    assert statistic == pytest.approx(2 * (100 / 30 + 25 / 20 + 25 / 50))
    assert p_value == pytest.approx(math.exp(-statistic / 2))


def test_chi_squared_is_scipys_for_unequal_sides():
    old, new = [400, 250, 70], [90, 70, 30]
    expected = stats.chi2_contingency([old, new], correction=False)
    assert shares(old, new).chi_squared() == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize("seed", range(20))
def test_fisher_sums_all_tables_that_are_no_likelier(seed):
    random = np.random.default_rng(seed)
    n, m = random.integers(3, 30, 2).tolist()
    share = Share(int(random.integers(0, n + 1)), n, int(random.integers(0, m + 1)), m)
    total = share.reference + share.current
    ways = [
        math.comb(n, a) * math.comb(m, total - a)
        for a in range(max(0, total - m), min(n, total) + 1)
    ]
    seen = math.comb(n, share.reference) * math.comb(m, share.current)
    expected = sum(w for w in ways if w <= seen * (1 + 1e-9)) / sum(ways)
    assert share.p_value() == pytest.approx(expected, rel=1e-9)


def test_change_is_current_less_reference():
    assert Share(10, 100, 10, 50).change() == pytest.approx(0.1)
    assert Share(10, 50, 10, 100).change() == pytest.approx(-0.1)


@pytest.mark.parametrize(("p", "q"), [(0.0, 0.02), (0.02, 0.02), (0.1, 0.15), (0.5, 0.5), (0.3, 1)])
@pytest.mark.parametrize(("n", "m"), [(200, 150), (5000, 60)])
def test_margin_of_a_share_holds(p, q, n, m):
    random, runs, alpha = np.random.default_rng(0), 2000, 0.05
    pairs = zip(random.binomial(n, p, runs), random.binomial(m, q, runs), strict=True)
    found = [Share(int(a), n, int(b), m) for a, b in pairs]
    beyond = [abs(s.change()) - s.margin(alpha) > abs(q - p) for s in found]
    assert sum(beyond) <= stats.binom.isf(0.001, runs, alpha)
    assert np.mean([s.margin(alpha) for s in found]) < 0.2  # and says something


def test_total_variation_by_hand():
    found = shares([50, 30, 20], [40, 20, 40])
    assert found.total_variation() == pytest.approx((0.1 + 0.1 + 0.2) / 2)
    assert shares([50, 0], [0, 20]).total_variation() == pytest.approx(1)
    assert shares([50, 20], [5, 2]).total_variation() == pytest.approx(0)


@pytest.mark.parametrize("kinds", [3, 30])
@pytest.mark.parametrize("moved", [0.0, 0.1, 0.6])
@pytest.mark.parametrize(("n", "m"), [(500, 400), (5000, 150)])
def test_margin_of_the_total_variation_holds(kinds, moved, n, m):
    """Rows move from the first half of the categories to the rest; their share is the distance."""
    random, runs, alpha = np.random.default_rng(1), 500, 0.05
    old = np.full(kinds, 1 / kinds)
    half = kinds // 2
    new = old.copy()
    moved = min(moved, half / kinds)
    new[:half] -= moved / half
    new[half:] += moved / (kinds - half)
    new = np.maximum(new, 0)
    beyond = 0
    for _ in range(runs):
        found = Shares(["c"] * kinds, random.multinomial(n, old), random.multinomial(m, new))
        beyond += found.total_variation() - found.total_variation_margin(alpha) > moved
    assert beyond <= stats.binom.isf(0.001, runs, alpha)


def test_most_changed_is_judged_by_its_frequency():
    """2 to 4 % is more than 48 to 51 %."""
    assert shares([480, 500, 20], [510, 450, 40]).most_changed() == 2


def test_two_categories_make_one_test():
    (test,) = category_tests("c", shares([90, 10], [70, 30]), 0)
    assert test.test == "Fisher’s exact"
    assert test.p_value == pytest.approx(stats.fisher_exact([[90, 10], [70, 30]]).pvalue)
    assert test.effect == pytest.approx(0.2)


def test_one_category_makes_none():
    assert category_tests("c", shares([90], [70]), 0) == []


def test_the_choice_of_the_category_is_paid_for():
    tests = by_test(shares([480, 500, 20], [510, 450, 40]))
    fisher = stats.fisher_exact([[980, 20], [960, 40]]).pvalue
    single = tests["one category"]
    assert single.p_value == pytest.approx(3 * fisher)
    assert single.margin(0.05) == pytest.approx(Share(20, 1000, 40, 1000).margin(0.05 / 3))
    assert single.note == "'c2': 2.0% of the rows, now 4.0%"
    assert not single.novel
    assert tests["chi-squared"].effect == pytest.approx(0.05)


def test_an_unseen_category_is_a_change_in_kind():
    single = by_test(shares([500, 500, 0], [480, 480, 40]))["one category"]
    assert single.novel
    assert "'c2': 0.0% of the rows, now 4.0%" in single.note
    assert not by_test(shares([480, 480, 40], [500, 500, 0]))["one category"].novel


def test_rows_that_have_it_nowhere_are_not_tested():
    assert share_test("x", "missing", Share(0, 50, 0, 60)) == []
    (test,) = share_test("x", "missing", Share(0, 50, 6, 60))
    assert test.novel
    assert test.note == "missing in 0.0% of the rows, now in 10.0%"
    (back,) = share_test("x", "missing", Share(6, 60, 0, 50))
    assert back.statistic == pytest.approx(-0.1)
    assert back.effect == pytest.approx(0.1)
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
    names = [f"c{i}" for i in range(len(weights))]
    tests = [by_test(Shares(names, *pair)) for pair in zip(*draws, strict=True)]
    for test in {name for found in tests for name in found}:
        p_values = np.array([found[test].p_value for found in tests if test in found])
        for level in (0.05, 0.01, 0.001):
            most = stats.binom.isf(0.001, len(p_values), level)
            assert (p_values <= level).sum() <= most, (test, level)
