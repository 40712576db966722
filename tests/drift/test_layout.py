"""Tables as they come: a clear error, a reported row or a warning, never a library's traceback."""

import datetime
import decimal
import re

import numpy as np
import pandas as pd
import pytest

from course_utils.drift import compare
from course_utils.drift.frames import Frames
from course_utils.drift.layout import arrange, check

ROWS = 100
RANDOM = np.random.default_rng(0)
HALF = np.arange(ROWS) % 2 == 0


def good(rows: int = ROWS, **columns: object) -> pd.DataFrame:
    """Two honest columns, and those given."""
    random = np.random.default_rng([rows, len(columns)])
    frame = pd.DataFrame({"x": random.normal(size=rows), "c": random.choice(list("ab"), rows)})
    return frame.assign(**columns)


def cells(value: object) -> pd.Series:
    return pd.Series([value] * ROWS, dtype=object)


def repeated(*values: object) -> pd.Series:
    """The values in turn, as they are."""
    return pd.Series([values[i % len(values)] for i in range(ROWS)], dtype=object)


def normal(scale: float = 1.0) -> np.ndarray:
    return RANDOM.normal(scale=scale, size=ROWS)


def days(start: str, **options: str) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=ROWS, **options)


def layout(old: pd.DataFrame, new: pd.DataFrame, *keep: str):
    tables = Frames(old, new)
    check(tables)
    return arrange(tables, keep, 0)


REFUSED = {
    "no rows": (good().iloc[:0], good(), "reference table has 0 rows.*at least 20"),
    "one row": (good(), good().iloc[:1], "current table has 1 row;.*at least 20"),
    "nineteen rows": (good(), good(19), "current table has 19 rows"),
    "no columns": (good()[[]], good(), "reference table has no columns"),
    "nothing in common": (good()[["x"]], good()[["c"]], "no column in common: x in the.*, c in"),
    "a name twice": (pd.concat([good(), good()], axis=1), good(), "columns named 'c', 'x'"),
    "1 and '1'": (good().set_axis([1, "1"], axis=1), good(), "columns named '1'"),
}


@pytest.mark.parametrize(("old", "new", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused(old, new, message):
    with pytest.raises(ValueError, match=message):
        compare(old, new)


@pytest.mark.parametrize("table", [{"x": [1]}, [1, 2], None, np.zeros((30, 2)), pd.Series([1.0])])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(TypeError, match=f"reference table is a {type(table).__name__}; give"):
        compare(table, good())
    with pytest.raises(TypeError, match="current table is"):
        compare(good(), table)


LEFT_OUT = {
    "no values": (cells(None), np.nan, "y has no values in either table"),
    "lists": (cells([1, 2]), cells([1]), "y holds a list in a cell"),
    "a dict at the end": (cells("a"), repeated(*["a"] * 99, {}), "y holds a dict in a cell"),
    "sets": (cells({1}), cells({1}), "y holds a set in a cell"),
    "arrays": (cells(np.zeros(2)), cells(np.zeros(2)), "y holds a ndarray in a cell"),
    "frames": (cells(good()), cells(good()), "y holds a DataFrame in a cell"),
    "complex": (1j, 1j, "y holds complex"),
    "complex among others": (repeated(1j, "a"), repeated(1j, "a"), "y holds complex"),
    "bytes": (cells(b"x"), cells(b"x"), "y holds bytes"),
    "intervals": (pd.interval_range(0, ROWS), pd.interval_range(0, ROWS), "y holds interval"),
    "times": (days("2020"), days("2021"), "y holds points in time, would tell"),
    "times with zones": (days("2020", tz="UTC"), days("2021", tz="UTC"), "y holds points in time"),
    "dates": (cells(datetime.date(2020, 1, 1)), cells(datetime.date(2021, 1, 1)), "points in time"),
    "times of day": (cells(datetime.time(9)), cells(datetime.time(8)), "y holds points in time"),
    "periods": (pd.period_range("2020", periods=ROWS),) * 2 + ("y holds points in time",),
    "dates as text": (days("2020").astype(str), days("2021").astype(str), "looks like points in"),
    "times as text": (
        days("2020", freq="min").strftime("%Y-%m-%dT%H:%M"),
        days("2021", freq="min").strftime("%Y-%m-%dT%H:%M"),
        "y looks like points in time",
    ),
    "dates and text": (repeated(datetime.date(2020, 1, 1), "?"), "?", "y mixes dates with other"),
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
    report.to_json()


def maybe(values: list, dtype: str) -> pd.Series:
    return pd.Series(pd.array(values * (ROWS // len(values)), dtype=dtype))


hours = pd.Series(pd.to_timedelta(RANDOM.random(ROWS), unit="h"))
COMPARED = {
    "infinite": (np.where(HALF, np.inf, normal()), np.where(HALF, -np.inf, normal())),
    "only infinite": (np.inf, -np.inf),
    "very large": (normal(3e307), normal(3e307)),
    "very large beside small": (normal(), RANDOM.uniform(1e308, 1.7e308, ROWS)),
    "very small": (normal(1e-310), normal(1e-310)),
    "missing on one side": (np.nan, normal()),
    "missing on the other": (normal(), cells(None)),
    "missing texts": (cells(None), repeated("a", "b")),
    "missing categories": (np.nan, pd.Series(repeated("a", "b"), dtype="category")),
    "missing truths": (pd.NA, HALF),
    "missing durations": (cells(None), hours),
    "constant": (1.0, 1.0),
    "two constants": (1.0, 2.0),
    "a constant that is no binary fraction": (0.1, normal()),
    "numbers and texts": (repeated(1, "a"), repeated(1, "b")),
    "truths": (True, HALF),
    "durations": (hours, hours * 2),
    "durations as objects": (hours.astype(object), hours.astype(object)),
    "durations and gaps": (hours.astype(object).where(HALF, None), hours),
    "decimals": (repeated(*map(decimal.Decimal, "1234567")), repeated(decimal.Decimal(2), 0.5, 7)),
    "large integers": (repeated(*(10**30 + i for i in range(9))), repeated(10**30, 5, 7)),
    "endless integers": (repeated(*(10**400 + i for i in range(9))), repeated(10**400, 5, 7)),
    "nullable integers": (maybe([1, None, 2, 3], "Int64"), maybe([1, None, 2, 7], "Int64")),
    "nullable floats": (maybe([1.5, None, 2, 3], "Float64"), normal()),
    "nullable truths": (maybe([True, None, False, True], "boolean"), HALF),
    "nullable texts": (maybe(["a", None], "string"), repeated("a", "b")),
    "categories": (pd.Categorical(repeated("a", "b")), pd.Categorical(["a"] * ROWS, list("abz"))),
    "sparse": (pd.arrays.SparseArray(np.arange(ROWS) % 4.0), np.arange(ROWS) % 4.0),
    "half floats": (normal().astype("float16"), normal().astype("float32")),
    "tuples": (repeated((1, 2), (1,)), repeated((1, 2), (3,))),
    "frozen sets": (repeated(frozenset("a"), frozenset("b")), cells(frozenset("a"))),
    "signs and line breaks": (repeated("$a$", "<b>", "\n"), repeated("$a$", "", "\0")),
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
    shifts = found["shift"].dropna().abs()
    assert (shifts < 1e12).all()  # in deviations of a column that has any
    report.to_json()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (repeated("1", "2"), np.arange(ROWS) % 5),
        (days("2020"), normal()),
        (repeated("2020-01-01", "2020-01-02"), days("2020")),
    ],
    ids=["texts to numbers", "times to numbers", "texts to times"],
)
def test_a_column_of_another_kind_is_named_before_all_else(old, new):
    report = compare(good(y=old), good(y=new))
    assert report.decision == "watch"
    assert report.reasons[0].startswith("y: was a ")
    assert "y" not in set(report.columns["column"])


def test_columns_on_one_side_only_are_named():
    report = compare(good(gone=1.0), good(new=1.0))
    assert report.decision == "watch"
    assert "gone: missing in the current table" in report.reasons[0]
    assert "new: new in the current table" in report.reasons[1]
    assert {"x", "c"} <= set(report.columns["column"])


def test_the_index_and_names_that_are_no_text_do_not_matter():
    plain = compare(good(), good(80)).columns
    for names in ([1, 2], [("a", 1), ("b", 2)], [np.nan, 2.5]):
        tables = [frame.set_axis(names, axis=1) for frame in (good(), good(80))]
        found = compare(*tables).columns
        assert found["p_value"].tolist() == plain["p_value"].tolist()
        assert set(found["column"]) == {*map(str, names), "(all together)"}
    levels = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    compare(good().set_axis(levels, axis=1), good().set_axis(levels, axis=1))
    same = good().set_axis([0] * ROWS)
    assert compare(same, good(80)).columns["p_value"].tolist() == plain["p_value"].tolist()


@pytest.mark.parametrize("name", ["id", "customer_id", "ID", "user-uid", "customerId", "row index"])
def test_numbers_named_as_identifiers_are_left_out(name):
    random = np.random.default_rng(0)
    old, new = (good(**{name: random.integers(0, 10**9, ROWS)}) for _ in range(2))
    found = layout(old, new)
    assert name not in found.features
    assert f"{name} looks like an identifier" in found.warnings[0]
    assert f'keep=("{name}",)' in found.warnings[0]
    assert name in layout(old, new, name).numbers


@pytest.mark.parametrize(
    "name", ["paid", "fluid", "humid", "bid", "identity", "keyboard", "indexed"]
)
def test_words_that_merely_sound_like_it_are_features(name):
    random = np.random.default_rng(0)
    old, new = (good(**{name: random.integers(0, 10**9, ROWS)}) for _ in range(2))
    assert name in layout(old, new).numbers


def test_texts_named_as_identifiers_need_fewer_different_values():
    texts = [f"u{max(i, 7)}" for i in range(ROWS)]  # 93 %
    assert "user_id" not in layout(good(user_id=texts), good(user_id=texts)).features
    assert "name" in layout(good(name=texts), good(name=texts)).categories


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


def test_a_counter_is_found_whichever_table_is_older():
    later = np.arange(ROWS) * 1.5 + 1e6
    for old, new in ((np.arange(ROWS), later), (later, np.arange(ROWS))):
        assert "y" not in layout(good(y=old), good(y=new)).features


def test_keep_brings_back_what_was_left_out():
    old, new = good(y=np.arange(ROWS)), good(y=np.arange(ROWS) + ROWS)
    without = compare(old, new)
    assert without.decision == "keep"
    report = compare(old, new, keep=("y",))
    assert report.decision == "retrain"
    assert "y" in report.significant
    assert not report.warnings


def test_keep_must_name_columns_of_both():
    with pytest.raises(ValueError, match="keep names 'z', which is not a column of both"):
        compare(good(), good(z=1), keep=("z",))


def test_one_name_to_keep_may_stand_alone():
    """A string is a sequence, too, of letters."""
    old, new = good(row=np.arange(ROWS)), good(row=np.arange(ROWS) + ROWS)
    assert "row" in compare(old, new, keep="row").significant


def test_times_cannot_be_kept():
    report = compare(good(y=days("2020")), good(y=days("2021")), keep=("y",))
    assert "y holds points in time, cannot be compared, and was left out." in report.warnings


def test_numbers_of_two_values_are_categories():
    found = layout(good(y=HALF * 3.0), good(y=HALF * 3.0))
    assert found.categories == ["c", "y"]
    assert layout(good(y=HALF * 3.0), good(y=HALF * 3.0), "y").numbers == ["x", "y"]


def test_nothing_to_compare_is_not_nothing_changed():
    """Where all columns are left out, a verdict would rest on nothing."""
    with pytest.raises(ValueError, match=r"No column could be compared.*day holds points in time"):
        compare(pd.DataFrame({"day": days("2020")}), pd.DataFrame({"day": days("2021")}))


def test_a_form_that_has_changed_is_reported_where_nothing_else_can_be():
    report = compare(pd.DataFrame({"x": range(30)}), pd.DataFrame({"x": ["a", "b"] * 15}))
    assert report.decision == "watch"
    assert "was a number column and is now a category column" in str(report)
    assert "Nothing has changed" not in str(report)
    assert np.isnan(report.auc)
    assert report.to_dict()["auc"] is None
    assert len(report.columns) == len(report.ranking) == 0
    report.to_json()


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": None}, {"max_rows": 100.5}])
def test_senseless_arguments_are_named_in_the_error(arguments):
    with pytest.raises((TypeError, ValueError), match=next(iter(arguments))):
        compare(good(), good(200), **arguments)


def test_a_classifier_that_cannot_score_is_refused():
    from sklearn.linear_model import LinearRegression

    for estimator in (LinearRegression(), "forest"):
        with pytest.raises((TypeError, ValueError), match=r"estimator.*classifier"):
            compare(good(), good(), estimator=estimator)


@pytest.mark.thorough
def test_ten_thousand_columns():
    random = np.random.default_rng(0)
    names = [f"x{i}" for i in range(10_000)]
    old, new = (pd.DataFrame(random.normal(size=(30, 10_000)), columns=names) for _ in range(2))
    new["x1234"] += 9
    report = compare(old, new)
    assert report.columns["column"].nunique() == 10_001
    assert report.columns.iloc[0]["column"] == "x1234"
    assert set(report.significant) <= {"x1234", "(all together)"}
    assert report.decision != "keep"
    assert len(str(report)) < 1000
