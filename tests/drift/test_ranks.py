"""The rank tests against brute force, SciPy and their own definitions."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_utils.drift import ranks
from course_utils.drift.columns import number_tests
from course_utils.drift.frames import Frames
from course_utils.drift.ranks import Ranks, margin


def taken(old, new, *cuts) -> Ranks:
    """Two samples taken in, in batches that begin at the given places of the distinct values."""
    old, new = np.asarray(old, dtype=float), np.asarray(new, dtype=float)
    values = np.unique(np.concatenate([old, new]))
    found = Ranks(len(old), len(new))
    for batch in np.split(values, list(cuts)):
        below = (values < batch[0]).sum() if len(batch) else 0
        before = [(side[:, None] == values[:below]).sum() for side in (old, new)]
        counts = [
            np.searchsorted(np.sort(side), batch, side="right") - gone
            for side, gone in zip((old, new), before, strict=True)
        ]
        found.add(batch, *counts)
    return found


def quickly(old, new) -> Ranks:
    """The same in one batch, as a table in memory gives it."""
    found = Ranks(len(old), len(new))
    for batch in Frames(pd.DataFrame({"x": old}), pd.DataFrame({"x": new})).numbers("x"):
        found.add(*batch)
    return found


def distance(old, new) -> float:
    """KS D by its definition."""
    return max(abs((old <= x).mean() - (new <= x).mean()) for x in np.append(old, new))


@pytest.mark.parametrize("seed", range(30))
def test_p_value_with_ties_is_the_share_of_all_splits_with_such_a_distance(seed):
    random = np.random.default_rng(seed)
    n, m, kinds = random.integers(2, 7), random.integers(2, 6), random.integers(2, 6)
    old, new = random.integers(0, kinds, n), random.integers(0, kinds, m)
    pool, observed, rows = np.append(old, new), distance(old, new), range(n + m)
    splits = [np.isin(rows, chosen) for chosen in itertools.combinations(rows, n)]
    hits = np.mean([distance(pool[s], pool[~s]) >= observed - 1e-9 for s in splits])
    blocks = np.unique(pool, return_counts=True)[1]
    assert ranks._exact_with_ties(observed, n, blocks) == pytest.approx(hits, abs=1e-9)
    found = taken(old, new)
    assert found.distance == pytest.approx(observed, abs=1e-12)
    assert found.ks_p_value() == pytest.approx(hits, abs=1e-9)


DRAWS = {
    "normal": lambda random, n: random.normal(size=n),
    "heavy tails": lambda random, n: random.standard_cauchy(n),
    "rounded": lambda random, n: random.normal(size=n).round(1),
    "counts": lambda random, n: random.poisson(2, n),
    "infinite ends": lambda random, n: random.choice([-np.inf, 0.0, 1.0, 2.0, np.inf], n),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize(("n", "m"), [(300, 300), (517, 61), (23, 2000)])
def test_distance_is_scipys(draw, n, m):
    random = np.random.default_rng([n, m])
    old, new = draw(random, n), draw(random, m) * 1.5
    found = quickly(old, new)
    assert abs(found.distance - stats.ks_2samp(old, new).statistic) <= 1e-12
    shares = (old <= found.where).mean(), (new <= found.where).mean()
    assert found.shares == pytest.approx(shares)
    assert abs(shares[0] - shares[1]) == pytest.approx(found.distance)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (64, 64), (1000, 999)])
def test_p_value_without_ties_is_scipys_exact_one(n, m):
    random = np.random.default_rng(n)
    old, new = random.normal(size=n), random.normal(0.2, 1, m)
    expected = stats.ks_2samp(old, new, method="exact").pvalue
    assert quickly(old, new).ks_p_value() == pytest.approx(expected, rel=1e-9)


def test_p_value_of_large_samples_is_the_limit():
    random = np.random.default_rng(3)
    old, new = random.normal(size=12_000), random.normal(0.01, 1, 15_000)
    expected = stats.ks_2samp(old, new, method="asymp").pvalue
    found = quickly(old, new).ks_p_value()
    assert 0.001 < found < 0.5  # or the comparison says little
    assert found == pytest.approx(expected, rel=0.03)


def test_p_value_does_not_jump_where_it_ceases_to_be_exact(monkeypatch):
    random = np.random.default_rng(4)
    old, new = random.normal(size=3000), random.normal(0.05, 1, 2500)
    exact = quickly(old, new).ks_p_value()
    monkeypatch.setattr(ranks, "EXACT_ROWS", 1000)
    assert quickly(old, new).ks_p_value() == pytest.approx(exact, rel=0.1)


def test_ties_lower_the_p_value():
    random = np.random.default_rng(5)
    old, new = random.poisson(1, 400), random.poisson(1.2, 300)
    assert quickly(old, new).ks_p_value() < 0.8 * stats.ks_2samp(old, new, method="exact").pvalue


def test_p_value_with_many_tied_values_is_the_cautious_one(monkeypatch):
    random = np.random.default_rng(6)
    old, new = random.normal(size=400).round(2), random.normal(0.2, 1, 300).round(2)
    exact = quickly(old, new).ks_p_value()
    monkeypatch.setattr(ranks, "TIED_VALUES", 10)
    assert exact <= quickly(old, new).ks_p_value()


def test_equal_samples_have_no_distance_and_a_p_value_of_one():
    found = taken([1, 2, 2, 3], [1, 2, 2, 3])
    assert found.distance == 0
    assert found.ks_p_value() == pytest.approx(1)
    assert found.spread()[0] == pytest.approx(0)


def test_disjoint_samples_have_the_smallest_p_value_possible():
    found = taken([1, 2, 3, 4, 5], [6, 7, 8, 9])
    assert found.distance == 1
    assert found.ks_p_value() == pytest.approx(2 / math.comb(9, 4))


@pytest.mark.parametrize("cuts", [(1,), (3,), (2, 2, 5), (1, 4, 6)])
def test_batches_change_nothing(cuts):
    random = np.random.default_rng(7)
    old = np.append(random.poisson(2, 40), [-np.inf, np.inf, np.inf])
    new = np.append(random.poisson(3, 30), [np.inf])
    whole, parts = taken(old, new), taken(old, new, *cuts)
    assert (parts.distance, parts.where) == (whole.distance, whole.where)
    assert parts.shares == whole.shares
    assert parts.infinite == whole.infinite == (3, 1)
    assert parts.ks_p_value() == whole.ks_p_value()
    assert parts.spread() == pytest.approx(whole.spread(), rel=1e-12)


def test_only_infinite_values_are_counted_once():
    assert taken([np.inf] * 3, [np.inf] * 2).infinite == (3, 2)
    assert taken([-np.inf] * 3, [np.inf] * 2).infinite == (3, 2)


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.3])
def test_spread_is_tested_as_ansari_and_bradley_do(scale):
    random = np.random.default_rng(8)
    old, new = random.normal(size=300), random.normal(0, scale, 201)
    z, p_value, effect = quickly(old, new).spread()
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(stats.ansari(old, new).pvalue, rel=1e-6)
    assert p_value == pytest.approx(stats.ansari(old, new).pvalue, rel=0.1)  # not skewed here
    assert np.sign(z) == np.sign(effect)


@pytest.mark.parametrize("pool", [[1, 1, 1, 2, 2, 3, 5, 5], [0, 0, 0, 0, 0, 1, 1, 4, 9]])
def test_spread_has_mean_0_and_variance_1_over_all_splits(pool):
    """With ties, too, where SciPy takes the mean of scores without ties."""
    values, rows = np.array(pool), range(len(pool))
    splits = [np.isin(rows, chosen) for chosen in itertools.combinations(rows, 4)]
    z = [taken(values[split], values[~split]).spread()[0] for split in splits]
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
    assert quickly(old, new).spread()[2] == pytest.approx(farther, abs=2 / (n + m))
    assert quickly(new, old).spread()[2] == pytest.approx(-farther, abs=2 / (n + m))


def test_effect_of_spread_stays_on_its_scale_with_ties():
    """All old values in the middle, all new ones outside: farther away in all pairs, not more."""
    found = taken([0.0] * 200, [-1.0] * 100 + [1.0] * 100)
    z, _, effect = found.spread()
    assert z > 10
    assert effect == pytest.approx(1)
    (spread,) = [t for t in number_tests("x", found, 0.0) if t.test == "Ansari–Bradley"]
    assert "100.0% of pairs" in spread.note


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_effect_of_spread_with_many_zeros_is_that_of_pairs(share):
    random = np.random.default_rng(9)
    old = np.where(random.random(800) < share, random.poisson(5, 800), 0)
    new = np.where(random.random(600) < share + 0.2, random.poisson(5, 600), 0)
    away = np.abs(stats.rankdata(np.append(old, new)) - 700.5)
    farther = np.sign(away[800:, None] - away[None, :800]).mean()
    assert quickly(old, new).spread()[2] == pytest.approx(farther, abs=1e-9)


def test_spread_of_constants_cannot_be_told():
    assert taken([2.0] * 30, [2.0] * 20).spread() == (0.0, 1.0, 0.0)
    # Two values, equally frequent: all are as far from the middle.
    assert taken([1.0, 2.0] * 10, [1.0, 2.0] * 10).spread() == (0.0, 1.0, 0.0)
    tests = number_tests("x", taken([2.0] * 30, [2.0] * 20), 0.0)
    assert [test.test for test in tests] == ["Kolmogorov–Smirnov"]


@pytest.mark.parametrize("way", ["farther from", "closer to"])
def test_the_note_names_the_direction(way):
    random = np.random.default_rng(10)
    old, new = random.normal(size=500), random.normal(0, 2, 500)
    samples = (old, new) if way == "farther from" else (new, old)
    notes = {t.test: t.note for t in number_tests("x", quickly(*samples), 0.0)}
    assert way in notes["Ansari–Bradley"]


@pytest.mark.parametrize(
    ("n", "m", "share"), [(400, 300, 1.0), (300, 300, 0.02), (20_000, 100, 0.0005)]
)
def test_p_values_hold_where_nothing_has_changed(n, m, share):
    """Also of a column that is nearly always 0, beside a long reference: a single other value
    among the current rows is no news where one such row is expected in twenty samples."""
    random, runs = np.random.default_rng(11), 300
    p_values = []
    for _ in range(runs):
        values = np.where(random.random(n + m) < share, random.exponential(size=n + m), 0.0)
        tests = number_tests("x", quickly(values[:n], values[n:]), 0.0)
        p_values.append({test.test: test.p_value for test in tests})
    for test in ("Kolmogorov–Smirnov", "Ansari–Bradley"):
        found = np.array([p.get(test, 1.0) for p in p_values])
        for level in (0.05, 0.01, 0.001):
            most = stats.binom.isf(0.001, runs, level)
            assert (found <= level).sum() <= most, (test, level)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 3.0])
@pytest.mark.parametrize(("n", "m"), [(80, 60), (400, 40)])
def test_margin_of_the_distance_holds(shift, n, m):
    """The true D of two normal distributions is known: 2 Φ(shift / 2) - 1."""
    random, runs, alpha = np.random.default_rng(12), 600, 0.05
    true = 2 * stats.norm.cdf(shift / 2) - 1
    beyond = 0
    for _ in range(runs):
        found = quickly(random.normal(size=n), random.normal(shift, 1, m))
        beyond += found.distance - margin(n, m, alpha) > true
    assert beyond <= stats.binom.isf(0.001, runs, alpha)


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0])
def test_margin_of_the_spread_holds(scale):
    """Of two normal distributions around 0, P(|new| > |old|) = 2 atan(scale) / π."""
    random, runs, alpha = np.random.default_rng(13), 400, 0.05
    true = 4 / math.pi * math.atan(scale) - 1
    beyond = 0
    for _ in range(runs):
        samples = random.normal(size=300), random.normal(0, scale, 60)
        (test,) = [
            t for t in number_tests("x", quickly(*samples), 0.0) if t.test == "Ansari–Bradley"
        ]
        beyond += test.effect - test.margin(alpha) > true
    assert beyond <= stats.binom.isf(0.001, runs, alpha)
