"""The rank tests against brute force, SciPy and their own definitions."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_utils.drift.column_test import ColumnTest
from course_utils.drift.number_tests import RankTest, _compute_tied_p_value, compare_numbers
from course_utils.drift.tables import MemoryTables


def rank(old, new) -> RankTest:
    tables = MemoryTables(pd.DataFrame({"x": old}), pd.DataFrame({"x": new}))
    return RankTest(len(old), len(new), tables.count_numbers("x"))


def compare(old, new) -> dict[str, ColumnTest]:
    return {test.test: test for test in compare_numbers("x", rank(old, new))}


def compute_distance(old, new) -> float:
    """KS D by its definition."""
    return max(abs((old <= x).mean() - (new <= x).mean()) for x in np.append(old, new))


@pytest.mark.parametrize("seed", range(12))
def test_p_value_with_ties_is_the_share_of_all_splits_with_such_a_distance(seed):
    random = np.random.default_rng(seed)
    n, m, kinds = random.integers(2, 7), random.integers(2, 6), random.integers(2, 6)
    old, new = random.integers(0, kinds, n), random.integers(0, kinds, m)
    pool, observed, rows = np.append(old, new), compute_distance(old, new), range(n + m)
    splits = [np.isin(rows, chosen) for chosen in itertools.combinations(rows, n)]
    hits = np.mean([compute_distance(pool[s], pool[~s]) >= observed - 1e-9 for s in splits])
    blocks = np.unique(pool, return_counts=True)[1]
    assert _compute_tied_p_value(observed, n, blocks) == pytest.approx(hits, abs=1e-9)
    found = rank(old, new)
    assert found.distance == pytest.approx(observed, abs=1e-12)
    if len(blocks) < n + m:
        assert found.compute_ks_p_value() == pytest.approx(hits, abs=1e-9)


DRAWS = {
    "normal": lambda random, n: random.normal(size=n),
    "counts": lambda random, n: random.poisson(2, n),
    "infinite ends": lambda random, n: random.choice([-np.inf, 0.0, 1.0, 2.0, np.inf], n),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize(("n", "m"), [(300, 300), (517, 61), (23, 2000)])
def test_distance_is_scipys(draw, n, m):
    random = np.random.default_rng([n, m])
    old, new = draw(random, n), draw(random, m) * 1.5
    found = rank(old, new)
    assert abs(found.distance - stats.ks_2samp(old, new).statistic) <= 1e-12
    shares = (old <= found.where).mean(), (new <= found.where).mean()
    assert found.shares == pytest.approx(shares)
    assert abs(shares[0] - shares[1]) == pytest.approx(found.distance)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (64, 64), (12_000, 15_000), (50_000, 40_000)])
def test_p_value_without_ties_is_scipys(n, m):
    random = np.random.default_rng(n)
    old, new = random.normal(size=n), random.normal(1 / np.sqrt(n), 1, m)
    expected = stats.ks_2samp(old, new, method="asymp").pvalue
    assert 1e-6 < expected < 0.9  # or the comparison says little
    assert rank(old, new).compute_ks_p_value() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.3])
def test_spread_is_tested_as_ansari_and_bradley_do(scale):
    random = np.random.default_rng(8)
    old, new = random.normal(size=300), random.normal(0, scale, 201)
    z, p_value, effect = rank(old, new).compare_spread()
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(stats.ansari(old, new).pvalue, rel=1e-6)
    assert p_value == pytest.approx(stats.ansari(old, new).pvalue, rel=0.1)  # not skewed here
    assert np.sign(z) == np.sign(effect)


@pytest.mark.parametrize("pool", [[1, 1, 1, 2, 2, 3, 5, 5], [0, 0, 0, 0, 0, 1, 1, 4, 9]])
def test_spread_has_mean_0_and_variance_1_over_all_splits(pool):
    """With ties, too, where SciPy takes the mean of scores without ties."""
    values, rows = np.array(pool), range(len(pool))
    splits = [np.isin(rows, chosen) for chosen in itertools.combinations(rows, 4)]
    z = [rank(values[split], values[~split]).compare_spread()[0] for split in splits]
    assert np.mean(z) == pytest.approx(0, abs=1e-12)
    assert np.var(z) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (400, 90), (50, 300)])
def test_effect_of_spread_is_a_difference_of_probabilities(n, m):
    random = np.random.default_rng(n)
    old, new = random.normal(size=n), random.normal(0, 1.6, m)
    away = np.abs(stats.rankdata(np.append(old, new)) - (n + m + 1) / 2)
    farther = np.sign(away[n:, None] - away[None, :n]).mean()
    assert farther > 0.1
    # Ranks i and n + m + 1 - i are equally far from the middle: hence not to the last digit.
    assert rank(old, new).compare_spread()[2] == pytest.approx(farther, abs=2 / (n + m))
    assert rank(new, old).compare_spread()[2] == pytest.approx(-farther, abs=2 / (n + m))


def test_effect_of_spread_stays_on_its_scale_with_ties():
    """All old values in the middle, all new ones outside: farther away in all pairs, not more."""
    spread = compare([0.0] * 200, [-1.0] * 100 + [1.0] * 100)["Ansari–Bradley"]
    assert spread.statistic > 10
    assert spread.effect == pytest.approx(1)
    assert "farther from the middle than before in 100.0% of pairs" in spread.note


def test_spread_of_constants_cannot_be_told():
    assert rank([2.0] * 30, [2.0] * 20).compare_spread() == (0.0, 1.0, 0.0)
    # Two values, equally frequent: all are as far from the middle.
    assert rank([1.0, 2.0] * 10, [1.0, 2.0] * 10).compare_spread() == (0.0, 1.0, 0.0)
    assert list(compare([2.0] * 30, [2.0] * 20)) == ["Kolmogorov–Smirnov"]


@pytest.mark.parametrize(
    ("n", "m", "share"), [(400, 300, 1.0), (300, 300, 0.02), (20_000, 100, 0.0005)]
)
def test_p_values_hold_where_nothing_has_changed(n, m, share):
    """Also of a column that is nearly always 0, beside a long reference: a single other value
    among the current rows is no news where one such row is expected in twenty samples."""
    random, runs = np.random.default_rng(11), 200
    p_values = []
    for _ in range(runs):
        values = np.where(random.random(n + m) < share, random.exponential(size=n + m), 0.0)
        tests = compare(values[:n], values[n:])
        p_values.append({name: test.p_value for name, test in tests.items()})
    for test in ("Kolmogorov–Smirnov", "Ansari–Bradley"):
        found = np.array([p.get(test, 1.0) for p in p_values])
        for level in (0.05, 0.01, 0.001):
            most = stats.binom.isf(0.001, runs, level)
            assert (found <= level).sum() <= most, (test, level)


@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0])
@pytest.mark.parametrize(("n", "m"), [(80, 60), (400, 40)])
def test_margin_of_the_distance_holds(shift, n, m):
    """The true D of two normal distributions is known: 2 Φ(shift / 2) - 1."""
    random, runs, alpha = np.random.default_rng(12), 300, 0.05
    true = 2 * stats.norm.cdf(shift / 2) - 1
    beyond = 0
    for _ in range(runs):
        found = rank(random.normal(size=n), random.normal(shift, 1, m))
        beyond += found.distance - found.compute_ks_margin(alpha) > true
    assert beyond <= stats.binom.isf(0.001, runs, alpha)


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0])
def test_margin_of_the_spread_holds(scale):
    """Of two normal distributions around 0, P(|new| > |old|) = 2 atan(scale) / π."""
    random, runs, alpha = np.random.default_rng(13), 400, 0.05
    true = 4 / math.pi * math.atan(scale) - 1
    beyond = 0
    for _ in range(runs):
        test = compare(random.normal(size=300), random.normal(0, scale, 60))["Ansari–Bradley"]
        beyond += test.effect - test.margin(alpha) > true
    assert beyond <= stats.binom.isf(0.001, runs, alpha)
