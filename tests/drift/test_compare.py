"""The whole comparison: what it finds, what it leaves in peace, what it says."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_utils.datasets import load_auto_mpg
from course_utils.drift import compare, layout
from tests.support.drift_tables import CHANGES, changed, continuous, mixed, unchanged


def draw_table(rows: int, seed: object, **columns: object) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": random.normal(size=rows), "y": random.normal(size=rows)})
    return frame.assign(**columns)


def find_row(report, column: str, test: str) -> pd.Series:
    return report.columns.set_index(["column", "test"]).loc[(column, test)]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [continuous, mixed])
def test_false_alarms_are_rare_and_never_change_the_verdict(kind):
    """At the nominal 5 %, more than 5 of 20 happen once in a thousand times; `make bench` counts
    thousands of tables."""
    runs = 20
    reports = [compare(*unchanged(kind, 20, seed), seed=seed) for seed in range(runs)]
    alarms = [report.significant for report in reports if report.significant]
    assert len(alarms) <= stats.binom.isf(0.001, runs, 0.05), alarms
    assert {report.decision for report in reports} == {"keep"}


@pytest.mark.parametrize("change", CHANGES)
def test_every_kind_of_change_is_named(change):
    report = compare(*changed(change, 0), seed=0)
    assert CHANGES[change][2] in report.significant
    others = set(report.significant) - {CHANGES[change][2], "(all together)"}
    assert len(others) <= 1, others


def test_a_tiny_shift_of_a_large_table_is_significant_but_negligible():
    old, new = draw_table(200_000, 0), draw_table(200_000, 1)
    new["x"] += 0.02
    report = compare(old, new)
    assert report.decision == "keep"
    found = find_row(report, "x", "Kolmogorov–Smirnov")
    assert found["p_adjusted"] < 1e-4
    assert found["verdict"] == "negligible"
    assert found["effect"] < 0.02
    assert "Significant, but too small to act on: x." in report.reasons


def make_intervals(random: np.random.Generator) -> list[pd.Interval]:
    return [pd.Interval(left, left + 2) for left in random.integers(0, 4, 500)]  # they overlap


@pytest.mark.parametrize(
    "make",
    [
        lambda random: pd.cut(random.normal(size=500), [-9, -1, 0, 1, 9]),
        lambda random: pd.cut(random.normal(size=500), [-1, 0, 1]),  # with missing values
        lambda random: pd.Categorical(make_intervals(random)),
        lambda random: pd.arrays.IntervalArray(make_intervals(random)),
        lambda random: pd.Series(make_intervals(random), dtype=object),
        lambda random: [(int(part), "x") for part in random.integers(0, 4, 500)],
        lambda random: pd.Categorical(pd.to_timedelta(random.integers(0, 4, 500), unit="h")),
    ],
)
def test_categories_need_not_be_texts(make):
    old, new = (pd.DataFrame({"q": make(np.random.default_rng(seed))}) for seed in (0, 1))
    report = compare(old, new)
    assert report.decision == "keep"
    assert not report.warnings
    report = compare(old, new[new["q"] == new["q"].iloc[0]])
    assert report.decision == "retrain"


def test_missing_values_are_a_change_of_their_own():
    random = np.random.default_rng(0)
    old, new = draw_table(1000, 0), draw_table(1000, 1)
    new["x"] = new["x"].mask(random.random(1000) < 0.3)
    report = compare(old, new)
    missing = find_row(report, "x", "missing values")
    assert missing["effect"] == pytest.approx(new["x"].isna().mean())
    assert missing["verdict"] == "watch"
    # What is there has not changed, and says so.
    assert find_row(report, "x", "Kolmogorov–Smirnov")["verdict"] == "no change"
    assert any(r.startswith("x: missing in 0.0% of the rows, now in ") for r in report.reasons)


def test_rare_categories_that_chance_leaves_out_are_no_change():
    """Half of the 1,000 customers are met only once, so that either table has its own ones."""
    random = np.random.default_rng(0)
    old, new = (
        draw_table(rows, rows, customer=random.zipf(1.3, rows).clip(max=10**6).astype(str))
        for rows in (1000, 900)
    )
    report = compare(old, new)
    assert report.decision == "keep"
    assert report.significant == []


@pytest.mark.parametrize("kinds", [30, 400])
def test_a_table_of_nothing_but_unseen_categories_is_not_kept(kinds):
    """However many there are, and though each of them is too rare for a test of its own."""
    random = np.random.default_rng(kinds)
    old, new = (
        draw_table(400, kinds, u=[f"{side}{i}" for i in random.integers(0, kinds, 400)])
        for side in ("old", "new")
    )
    report = compare(old, new)
    assert report.decision != "keep"
    assert "u" in report.significant
    assert report.warnings


def test_neither_the_order_of_rows_nor_that_of_columns_matters():
    """But for the classifier, for which others are drawn."""
    old, new = unchanged(mixed, 10, 3)
    names = np.random.default_rng(0).permutation(old.columns)
    tables = [frame.sample(frac=1, random_state=0) for frame in (old, new)]
    reports = [compare(old, new), compare(tables[0][names], tables[1][names[::-1]])]
    kept = ["column", "test", "statistic", "p_value", "effect", "note"]
    plain, shuffled = (
        report.columns.query("test != 'classifier'")[kept].sort_values(kept, ignore_index=True)
        for report in reports
    )
    pd.testing.assert_frame_equal(shuffled, plain, rtol=1e-9)


def test_a_seed_repeats_exactly():
    old, new = changed("correlation 0.8 to -0.8", 0)
    once, again = (compare(old, new, seed=5).to_dict() for _ in range(2))
    assert once == again
    assert compare(old, new, seed=6).to_dict() != once


def test_the_classifier_is_given_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layout, "MAX_SAMPLE_ROWS", 600)
    old, new = draw_table(3000, 0), draw_table(500, 1)
    report = compare(old, new)
    assert tuple(map(len, report.samples)) == (600, 500)
    assert sum(report.classifier.rows) == pytest.approx(550, abs=40)
    assert report.rows == (3000, 500)


def test_a_turned_correlation_is_named_with_its_columns():
    report = compare(*changed("correlation 0.8 to -0.8", 0))
    assert report.decision == "retrain"
    assert report.significant == ["(all together)"]
    assert set(report.ranking["column"][:2]) == {"number_0", "number_1"}
    assert "mostly by number_" in report.reasons[0]
    assert report.classifier.interval[0] < report.auc < report.classifier.interval[1]


def test_json_is_strict_and_says_what_the_report_says():
    old, new = changed("an unseen category, 2 %", 0)
    old["empty"], new["empty"] = np.nan, None
    new["far"] = old["far"] = np.where(np.arange(len(old)) % 9, np.arange(len(old)) % 7, np.inf)
    report = compare(old, new)
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    for name in ("decision", "reasons", "warnings", "auc"):
        assert found[name] == getattr(report, name)
    assert found["rows"] == {"reference": len(old), "current": len(new)}
    assert found["auc_interval"] == list(report.classifier.interval)
    assert found["bounds"] == {"alpha": 0.05, "auc": 0.75, "watch": 0.1, "novel": 0.01}
    pd.testing.assert_frame_equal(pd.DataFrame(found["columns"]), report.columns)
    assert [row["column"] for row in found["ranking"]] == report.ranking["column"].tolist()
    assert any("categories that the reference has not: 'new'" in said for said in report.warnings)


def test_another_way_to_write_the_year_is_named_and_said():
    cars = load_auto_mpg().drop(columns=["name", "mpg"]).dropna()
    report = compare(cars.assign(gone=1), cars.assign(year=cars["year"] + 1900))
    assert set(report.significant) == {"year", "(all together)"}
    assert report.ranking["column"][0] == "year"
    lines = str(report).split("\n")
    assert lines[0] == "retrain (392 reference rows, 392 current rows)"
    assert lines[1] == "  - gone: missing in the current table. Mend the data before the model."
    assert [line.strip(" -!") for line in lines[1:]] == report.reasons + report.warnings
