"""What a record says of its tables is true, and tables that do not fit are refused."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from course_utils import registry
from course_utils.registry.content import hash_table, read_numbers
from tests.support.records import (
    FEATURES,
    FILES,
    TESTING,
    TRAINING,
    find_faults,
    predict,
    register,
    table,
)


def test_data_are_counted_and_have_a_digest(record: registry.Record):
    columns = [*FEATURES, "mpg"]  # no name of a car
    assert record.document["data"] == {
        role: {"rows": rows, "columns": columns, "sha256": hash_table(whole[columns])}
        for role, rows, whole in (("training", 300, TRAINING), ("testing", 92, TESTING))
    }


def test_the_digest_of_a_table_is_that_of_the_documented_form():
    small = pd.DataFrame({"a": [1, 2], "ü": [0.5, np.nan]})
    nan = np.array([np.nan], dtype="<f8").tobytes()
    text = b'["a", "\\u00fc"]\n' + np.array([1, 2, 0.5], dtype="<f8").tobytes() + nan
    assert hash_table(small) == hashlib.sha256(text).hexdigest()


def test_the_digest_is_of_what_a_table_holds_and_not_of_how():
    small = pd.DataFrame({"a": [1, 2, 0], "b": [0.5, np.nan, -1]})
    same = [
        small.set_axis([7, 8, 9]),
        small.astype({"a": "Int64", "b": "Float64"}),
        small.astype({"b": "float32"}),
        small.assign(a=[1.0, 2.0, -0.0]),
        small.assign(b=small["b"].where(small["b"].notna(), -np.array(np.nan))),
    ]
    assert {hash_table(each) for each in same} == {hash_table(small)}
    others = [
        small[["b", "a"]],
        small[::-1],
        small.rename(columns={"a": "c"}),
        small.assign(b=[np.nextafter(0.5, 1), np.nan, -1]),
        small[:2],
    ]
    assert len({hash_table(each) for each in [small, *others]}) == 1 + len(others)


def test_distributions_are_those_of_the_columns(record: registry.Record):
    found = record.document["distributions"]
    assert list(found) == [*FEATURES, "mpg"]
    for name, column in found.items():
        for role, rows in (("training", TRAINING), ("testing", TESTING)):
            values, side = rows[name].to_numpy(float), column[role]
            assert (side["count"], side["missing"]) == (len(values), 0)
            for share, value in side["quantiles"].items():
                assert value == pytest.approx(np.quantile(values, float(share)))
            assert (side["mean"], side["std"]) == pytest.approx((values.mean(), values.std()))
            assert (side["minimum"], side["maximum"]) == (values.min(), values.max())


def test_gaps_are_counted_and_scored_around(tmp_path: Path):
    rows = TESTING.astype({"horsepower": float})
    rows.iloc[:5, rows.columns.get_loc("horsepower")] = np.nan
    rows.iloc[5, rows.columns.get_loc("horsepower")] = np.inf
    document = register(tmp_path, testing=rows).document
    assert find_faults(document) == []
    side = document["distributions"]["horsepower"]["testing"]
    assert (side["count"], side["missing"]) == (len(rows) - 6, 6)
    assert document["metrics"]["count"] == len(rows) - 6
    rmse = metrics.root_mean_squared_error(rows["mpg"][6:], predict(rows[6:]))
    assert document["metrics"]["computed"]["rmse"] == pytest.approx(rmse)


def test_columns_that_say_nothing_do_no_harm(tmp_path: Path):
    empty = table(9, horsepower=[np.nan] * 9)
    document = register(tmp_path, training=empty, testing=table(1, origin=[1])).document
    assert find_faults(document) == []
    assert document["metrics"]["computed"]["r2"] is None
    assert len(document["golden"]["rows"]) == 1
    column = document["distributions"]["horsepower"]["training"]
    assert (column["missing"], column["mean"]) == (9, None)


def test_data_that_do_not_fit_are_refused(tmp_path: Path):
    def refused(message: str, **told: Any) -> None:
        with pytest.raises(ValueError, match=message):
            register(tmp_path, **told)
        assert registry.names(store=tmp_path) == []

    plain = TRAINING[[*FEATURES, "mpg"]]
    refused("have no columns 'price'", target="price", files=FILES[:1], training=plain)
    refused(r"mpg\.schema\.json is for 'mpg', not for 'year'", target="year")
    refused("testing data have no columns 'weight'", testing=TESTING.drop(columns="weight"))
    twice = pd.concat([TRAINING, TRAINING[["weight"]]], axis=1)
    refused("training data have 2 columns 'weight'", training=twice)
    refused("'name' of the training data is not of numbers", files=FILES[:1])
    refused("training data have no rows", training=TRAINING[:0])
    refused("testing data have no row without", testing=TESTING.assign(weight=np.nan))
    few = TRAINING[[*FEATURES[:3], "mpg"]]
    refused(r"takes \(7,\) .* takes the 3 features", files=FILES[:1], training=few, testing=few)
    huge = TESTING.assign(weight=1e39)  # more than float32 holds
    refused("testing data have no row without", testing=huge)
    refused("rmse is computed here: give your own metric another", metrics={"rmse": 0.01})
    for metric in (True, "0.9", [[1, 2], [3, 4]]):
        refused("metrics.given.own", metrics={"own": metric})


def test_numbers_of_any_size_can_be_drawn(tmp_path: Path):
    rows = TESTING.assign(weight=3e38, year=[1e300, *[-1e300] * 91])  # the year is left out
    document = register(tmp_path, training=rows, testing=TESTING.assign(weight=3e38)).document
    assert find_faults(document) == []


def test_numbers_come_from_any_type_of_column():
    mixed = pd.DataFrame(
        {"a": pd.array([1, None], dtype="Int64"), "b": [True, False], "c": ["x", "y"]}
    )
    found = read_numbers(mixed, ["b", "a"], "training")
    assert found.dtypes.tolist() == [np.float64, np.float64]
    assert found["b"].tolist() == [1, 0]
    assert found["a"].isna().tolist() == [False, True]
