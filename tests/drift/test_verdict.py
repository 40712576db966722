"""Holm's adjustment, the bounds, and what follows from both."""

import pandas as pd
import pytest

from course_utils.drift.classifier import DomainClassifier
from course_utils.drift.column_test import ColumnTest
from course_utils.drift.verdict import adjust_p_values, decide, explain, judge


def found(column="x", *, p=1e-9, effect=0.2, margin=0.05, novel=False) -> ColumnTest:
    return ColumnTest(column, "a test", 0.0, p, effect, lambda alpha: margin, "it moved", novel)


def classifier(auc: float, p: float = 1e-9) -> DomainClassifier:
    return DomainClassifier(auc, 0.01, p, pd.DataFrame(), (500, 500))


GUESSING = classifier(0.5, p=0.9)


def judged(tests: list[ColumnTest], both: DomainClassifier = GUESSING) -> pd.DataFrame:
    return judge([*tests, both.as_test()])


def verdict(**of_test: object) -> str:
    return judge([found(**of_test)])["verdict"].item()


def said(tests: list[ColumnTest], both: DomainClassifier = GUESSING, **ranking: float) -> list[str]:
    table = pd.DataFrame({"column": list(ranking), "auc_lost": list(ranking.values())})
    return explain(judged(tests, both), both, table, {})


def test_holm_by_hand():
    """Ascending .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04, and never falling."""
    assert adjust_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_p_values([0.6, 0.7]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("of_test", "expected"),
    [
        ({"p": 0.2, "effect": 0.9}, "no change"),
        ({"effect": 0.09}, "negligible"),
        ({"effect": 0.14}, "size unsure"),  # 0.09 for sure
        ({"effect": 0.16}, "watch"),
        ({"effect": 0.54}, "watch"),
        ({"effect": 0.56}, "retrain"),
        ({"effect": 0.07, "novel": True}, "watch"),
        ({"effect": 0.055, "novel": True}, "size unsure"),
    ],
)
def test_significance_and_size_are_both_needed(of_test, expected):
    assert verdict(**of_test) == expected


def test_p_values_are_adjusted_over_all_tests_and_sizes_hold_all_at_once():
    """The margin is asked at alpha over the number of tests."""
    asked = []
    test = ColumnTest("x", "a test", 0.0, 0.01, 0.2, lambda a: asked.append(a) or 0.3, "")
    others = [found(p=0.9) for _ in range(3)]
    rows = judged([test, *others], classifier(0.5, p=0.8))
    assert rows["p_adjusted"][0] == pytest.approx(0.05)
    assert rows["effect_low"][0] == 0  # never below
    assert asked == [pytest.approx(0.01)]


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
    assert judged([], classifier(auc))["verdict"].tolist() == [verdict]


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
    assert decide(pd.DataFrame({"verdict": found_}), form_changed) == decision


def test_reasons_name_column_change_and_size():
    (reason,) = said([found("weight", effect=0.3)])
    assert reason == "weight: it moved (a test: at least 0.25)."


def test_reasons_tell_too_small_from_unsure():
    assert said([found("a", effect=0.09), found("b", effect=0.14), found("c", p=1)]) == [
        "Significant, but how large is unsure until there are more rows: b.",
        "Significant, but too small to act on: a.",
    ]


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
    (reason,) = said([], classifier(0.8), a=0.1, b=0.05, c=0.01, d=0.0)
    assert "0.80 (0.78 to 0.82; 0.5 is guessing, 0.75 the bound)" in reason
    assert "mostly by a, b, c." in reason
    assert "too little to act on" in said([], classifier(0.51))[0]
    assert "more rows would tell" in said([], classifier(0.56))[0]


def test_reasons_are_given_where_nothing_has_changed():
    (reason,) = said([found(p=1.0), found(p=0.5)])
    assert "Nothing has changed" in reason
    assert "3 tests" in reason
