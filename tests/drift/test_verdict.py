"""Holm's adjustment, the bounds, and what follows from both."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_utils.drift.columns import ColumnTest
from course_utils.drift.joint import Joint
from course_utils.drift.verdict import Bounds, decide, holm, judge, reasons


def found(column="x", *, p=1e-9, effect=0.2, margin=0.05, novel=False) -> ColumnTest:
    return ColumnTest(
        column, "a test", 0.0, p, effect, lambda alpha: margin, "it moved", None, novel
    )


def joint(auc: float, deviation: float = 0.01, p: float = 1e-9, **ranking: float) -> Joint:
    return Joint(auc, deviation, p, pd.DataFrame(), (500, 500), ranking)


def verdicts(*tests: ColumnTest, **bounds: float) -> list[str]:
    return [judged.verdict for judged in judge(list(tests), None, Bounds(**bounds))]


def said(tests: list[ColumnTest], both: Joint | None = None, **gone: str) -> list[str]:
    bounds = Bounds()
    return reasons(tests, both, judge(tests, both, bounds), bounds, gone)


def test_holm_by_hand():
    """Ascending .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04, and never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.3]) == pytest.approx([0.3])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(20))
def test_holm_is_bonferroni_on_every_set_that_holds_a_hypothesis(seed):
    """The closed test: rejected is what every intersection rejects that it is part of."""
    random = np.random.default_rng(seed)
    p_values = (random.random(random.integers(1, 8)) ** 3).round(2).tolist()
    every = range(len(p_values))
    expected = [
        max(
            min(1.0, len(chosen) * min(p_values[j] for j in chosen))
            for size in range(1, len(p_values) + 1)
            for chosen in itertools.combinations(every, size)
            if i in chosen
        )
        for i in every
    ]
    adjusted = holm(p_values)
    assert adjusted == pytest.approx(expected)
    bonferroni = [min(1.0, p * len(p_values)) for p in p_values]
    assert all(p <= a <= b for p, a, b in zip(p_values, adjusted, bonferroni, strict=True))


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_holm_keeps_the_rate_of_any_false_alarm(correlation):
    random, runs = np.random.default_rng(0), 2000
    shared, own = random.normal(size=(runs, 1)), random.normal(size=(runs, 10))
    z = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    z[:, 0] += 4  # one real change
    alarms = sum(min(holm(p)[1:]) <= 0.05 for p in (2 * stats.norm.sf(np.abs(z))).tolist())
    assert alarms <= stats.binom.isf(0.001, runs, 0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "alpha is 0.0; it must lie between 0 and 0.5"),
        ({"alpha": 2}, "alpha is 2;"),
        ({"alpha": float("nan")}, "alpha is nan;"),
        ({"auc": 0.5}, "auc_bound is 0.5; it must lie between 0.5 and 1"),
        ({"auc": 75}, "auc_bound is 75;"),
        ({"watch": -0.1}, "watch is -0.1;"),
        ({"novel": 0.0}, "novel is 0.0; it must lie between 0 and 0.1"),
        ({"novel": 0.2}, "novel is 0.2;"),
    ],
)
def test_bounds_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Bounds(**arguments)


def test_significance_and_size_are_both_needed():
    assert verdicts(found(p=0.2, effect=0.9)) == ["no change"]
    assert verdicts(found(effect=0.09)) == ["negligible"]
    assert verdicts(found(effect=0.14)) == ["size unsure"]  # 0.09 for sure
    assert verdicts(found(effect=0.16)) == ["watch"]
    assert verdicts(found(effect=0.54)) == ["watch"]
    assert verdicts(found(effect=0.56)) == ["retrain"]


def test_bounds_move_the_verdict():
    assert verdicts(found(effect=0.16), auc=0.55, watch=0.05) == ["retrain"]
    assert verdicts(found(effect=0.16), watch=0.2) == ["negligible"]
    assert verdicts(found(p=0.02), alpha=0.01) == ["no change"]


def test_a_change_in_kind_is_watched_from_smaller_sizes_on():
    assert verdicts(found(effect=0.07, novel=True)) == ["watch"]
    assert verdicts(found(effect=0.055, novel=True)) == ["size unsure"]
    assert verdicts(found(effect=0.07, novel=True), novel=0.1) == ["negligible"]


def test_p_values_are_adjusted_over_columns_and_classifier():
    tests = [found(p=0.01), *(found(p=0.9) for _ in range(3))]
    bounds = Bounds()
    assert judge(tests, None, bounds)[0].p_adjusted == pytest.approx(0.04)
    with_joint = judge(tests, joint(0.5, p=0.8), bounds)
    assert with_joint[0].p_adjusted == pytest.approx(0.05)
    assert len(with_joint) == 5
    assert judge([], None, bounds) == []


def test_sizes_hold_all_at_once():
    """The margin is asked at alpha over the number of tests."""
    asked = []
    test = ColumnTest("x", "a test", 0.0, 1e-9, 0.2, lambda a: asked.append(a) or 0.1, "")
    judge([test, found(), found()], joint(0.5), Bounds(alpha=0.04))
    assert asked == [pytest.approx(0.01)]


def test_the_sure_size_is_never_negative():
    (judged,) = judge([found(effect=0.1, margin=0.3)], None, Bounds())
    assert judged.effect_low == 0


@pytest.mark.parametrize(
    ("auc", "verdict"),
    [
        (0.51, "negligible"),
        (0.56, "size unsure"),
        (0.6, "watch"),
        (0.76, "watch"),
        (0.8, "retrain"),
    ],
)
def test_the_classifier_is_judged_by_the_lower_end_of_its_interval(auc, verdict):
    assert judge([], joint(auc), Bounds())[-1].verdict == verdict


def test_a_column_that_guarantees_the_bound_of_the_classifier_says_the_same():
    """A threshold on a column with KS D = d has an AUC of at least (1 + d) / 2."""
    assert Bounds(auc=0.75).retrain == pytest.approx(0.5)
    assert Bounds(auc=0.9).retrain == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("found_", "form_changed", "decision"),
    [
        ([], False, "keep"),
        (["no change", "negligible", "size unsure"], False, "keep"),
        (["no change"], True, "watch"),
        (["watch", "negligible"], False, "watch"),
        (["watch", "retrain"], True, "retrain"),
    ],
)
def test_the_gravest_verdict_decides(found_, form_changed, decision):
    assert decide(found_, form_changed) == decision


def test_reasons_name_column_change_and_size():
    (reason,) = said([found("weight", effect=0.3)])
    assert reason == "weight: it moved (a test: at least 0.25)."


def test_reasons_tell_too_small_from_unsure():
    said_ = said([found("a", effect=0.09), found("b", effect=0.14), found("c", p=1)])
    assert [("a" in s.split(": ")[1], "b" in s.split(": ")[1]) for s in said_] == [
        (False, True),
        (True, False),
    ]
    assert "how large is unsure" in said_[0]
    assert "too small to act on" in said_[1]


def test_a_column_is_named_once_by_its_gravest_test():
    said_ = said([found("a", effect=0.09), found("a", effect=0.3), found("a", effect=0.7)])
    assert len(said_) == 1
    assert "at least 0.65" in said_[0]


def test_reasons_stay_short_with_many_columns():
    tests = [found(f"c{i:02}", effect=0.3 + i / 1000) for i in range(30)]
    tests += [found(f"s{i:02}", effect=0.09) for i in range(30)]
    said_ = said(tests)
    assert len(said_) <= 7
    assert "c29" in said_[0]
    assert "22 more" in said_[-1]


def test_reasons_of_the_classifier():
    (reason,) = said([], joint(0.8, a=0.1, b=0.05, c=0.01, d=0.0))
    assert "0.80 (0.78 to 0.82; 0.5 is guessing, 0.75 the bound)" in reason
    assert "mostly by a, b, c." in reason
    assert "too little to act on" in said([], joint(0.51))[0]
    assert "more rows would tell" in said([], joint(0.56))[0]


def test_only_columns_that_betray_something_are_named():
    (reason,) = said([], joint(0.8, a=0.3, b=0.0, c=-0.01))
    assert "mostly by a." in reason


def test_reasons_begin_with_what_is_wrong_with_the_data():
    said_ = said([found("a", effect=0.3)], joint(0.8, a=0.1), price="missing in the current table")
    assert said_[0].startswith("price: missing in the current table.")


def test_reasons_are_given_where_nothing_has_changed():
    (reason,) = said([found(p=1.0), found(p=0.5)], joint(0.5, p=0.5))
    assert "Nothing has changed" in reason
    assert "3 tests" in reason
