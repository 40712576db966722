"""Tables as they come: a clear error, a reported row or a warning, never a library's traceback."""

import decimal
import json
import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from course_utils.drift import compare
from course_utils.drift.layout import arrange
from course_utils.drift.tables import MemoryTables

ROWS = 100
RANDOM = np.random.default_rng(0)
HALF = np.arange(ROWS) % 2 == 0


def good(rows: int = ROWS, **columns: object) -> pd.DataFrame:
    """Two honest columns, and those given."""
    random = np.random.default_rng([rows, len(columns)])
    frame = pd.DataFrame({"x": random.normal(size=rows), "c": random.choice(list("ab"), rows)})
    return frame.assign(**columns)


def repeated(*values: object) -> pd.Series:
    """The values in turn, as they are."""
    return pd.Series([values[i % len(values)] for i in range(ROWS)], dtype=object)


def normal() -> np.ndarray:
    return RANDOM.normal(size=ROWS)


def days(start: str) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=ROWS)


def layout(old: pd.DataFrame, new: pd.DataFrame, *keep: str):
    return arrange(MemoryTables(old, new), keep, 0)


REFUSED = {
    "no rows": (good().iloc[:0], good(), "reference table has 0 rows.*at least 20"),
    "one row": (good(), good().iloc[:1], "current table has 1 row;.*at least 20"),
    "nothing in common": (
        good()[["x"]],
        good()[["c"]],
        r"No column could be compared\. x missing in the current table\. c new in",
    ),
    "a clock and nothing else": (
        pd.DataFrame({"day": days("2020")}),
        pd.DataFrame({"day": days("2021")}),
        "No column could be compared.*day holds points in time",
    ),
    "a name twice": (pd.concat([good(), good()], axis=1), good(), "columns named 'c', 'x'"),
    "1 and '1'": (good().set_axis([1, "1"], axis=1), good(), "columns named '1'"),
}


@pytest.mark.parametrize(("old", "new", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused(old, new, message):
    with pytest.raises(ValueError, match=message):
        compare(old, new)


LEFT_OUT = {
    "no values": (repeated(None), np.nan, "y has no values in either table"),
    "lists among numbers": (repeated([1, 2], 3), repeated([1], 4), "y holds lists or other values"),
    "lists": (repeated([1, 2]), repeated([1]), "y holds lists or other values that cannot be"),
    "bytes": (repeated(b"x"), repeated(b"x"), "y holds bytes"),
    "times": (days("2020"), days("2021"), "y holds points in time, would tell"),
    "dates": (repeated(date(2020, 1, 1)), repeated(date(2021, 1, 1)), "points in time"),
    "dates as text": (days("2020").astype(str), days("2021").astype(str), "looks like points in"),
    "free text": ([f"u{i}" for i in range(ROWS)], [f"v{i}" for i in range(ROWS)], "or free text"),
    "a counter": (np.arange(ROWS), np.arange(ROWS) + ROWS, "y looks like a clock or a counter"),
    "row numbers": (RANDOM.permutation(ROWS),) * 2 + ("y looks like a row number",),
}


@pytest.mark.parametrize(("old", "new", "warning"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_says_nothing_of_drift_is_left_out_with_a_warning(old, new, warning):
    report = compare(good(y=old), good(y=new))
    assert [w for w in report.warnings if re.search(warning, w)]
    assert "y" not in set(report.columns["column"])
    assert "y" not in report.samples[0]
    assert {"x", "c"} <= set(report.columns["column"])
    assert report.decision == "keep"
    assert warning.split(".*")[0] in str(report)


def maybe(values: list, dtype: str) -> pd.Series:
    return pd.Series(pd.array(values * (ROWS // len(values)), dtype=dtype))


COMPARED = {
    "infinite": (np.where(HALF, np.inf, normal()), np.where(HALF, -np.inf, normal())),
    "missing on one side": (np.nan, normal()),
    "missing texts": (repeated(None), repeated("a", "b")),
    "constant": (1.0, 1.0),
    "numbers and texts": (repeated(1, "a"), repeated(1, "b")),
    "truths": (True, HALF),
    "decimals": (repeated(*map(decimal.Decimal, "1234567")), repeated(decimal.Decimal(2), None)),
    "nullable integers": (maybe([1, None, 2, 3], "Int64"), maybe([1, None, 2, 7], "Int64")),
    "nullable truths": (maybe([True, None, False, True], "boolean"), HALF),
    "categories": (pd.Categorical(repeated("a", "b")), pd.Categorical(["a"] * ROWS, list("abz"))),
    "sparse": (pd.arrays.SparseArray(np.arange(ROWS) % 4.0), np.arange(ROWS) % 4.0),
    "tuples": (repeated((1, 2), (1,)), repeated((1, 2), (3,))),
    "signs and line breaks": (repeated("$a$", "<b>", "\n"), repeated("$a$", "")),
}


@pytest.mark.parametrize(("old", "new"), COMPARED.values(), ids=COMPARED)
def test_odd_columns_are_compared_or_left_out_with_a_word(old, new):
    report = compare(good(y=old), good(y=new))
    constant = np.isscalar(old) and np.isscalar(new) and old == new
    said = [warning for warning in report.warnings if warning.startswith("y ")]
    assert constant or said or "y" in set(report.columns["column"])
    found = report.columns
    assert found[["p_value", "p_adjusted", "effect", "effect_low"]].notna().all(axis=None)
    for name in ("p_value", "p_adjusted", "effect", "effect_low"):
        assert found[name].between(0, 1).all(), found[["column", "test", name]]
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (repeated("1", "2"), normal()),
        (days("2020"), normal()),
        (repeated("2020-01-01", "2020-01-02"), days("2020")),
    ],
)
def test_a_column_of_another_kind_is_named_before_all_else(old, new):
    report = compare(good(y=old), good(y=new))
    assert report.decision == "watch"
    assert report.reasons[0].startswith("y: was a ")
    assert "y" not in set(report.columns["column"])


@pytest.mark.parametrize("name", ["id", "ID", "user-uid", "customerId"])
def test_numbers_named_as_identifiers_are_left_out(name):
    random = np.random.default_rng(0)
    old, new = (good(**{name: random.integers(0, 10**9, ROWS)}) for _ in range(2))
    found = layout(old, new)
    assert name not in found.features
    assert f"{name} looks like an identifier" in found.warnings[0]
    assert f'keep=("{name}",)' in found.warnings[0]
    assert name in layout(old, new, name).numbers
    assert "paid" in layout(good(paid=old[name]), good(paid=new[name])).numbers


@pytest.mark.parametrize(
    "column",
    [
        np.arange(ROWS) // 10,  # years in order, ten different ones
        np.sort(normal()),  # in order, but of the same range
        RANDOM.permutation(ROWS) * 3,  # whole and different, but not dense
        RANDOM.permutation(ROWS) / 7,
        np.where(np.arange(ROWS) < 10, np.arange(ROWS), np.nan),  # too few to judge
    ],
    ids=["few years", "sorted", "not dense", "not whole", "too few"],
)
def test_features_are_not_mistaken_for_counters(column):
    assert "y" in layout(good(y=column), good(y=column)).numbers


def test_keep_brings_back_what_was_left_out():
    old, new = good(y=np.arange(ROWS)), good(y=np.arange(ROWS) + ROWS)
    without = compare(old, new)
    assert without.decision == "keep"
    report = compare(old, new, keep=("y",))
    assert report.decision == "retrain"
    assert "y" in report.significant
    assert not report.warnings


def test_numbers_of_two_values_are_categories():
    found = layout(good(y=HALF * 3.0), good(y=HALF * 3.0))
    assert found.categories == ["c", "y"]
