"""What a record says of its tables is true, and tables that do not fit are refused."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from course_utils import registry
from course_utils.registry.data import digest, numbers
from tests.support.record_checks import predicted, valid
from tests.support.records import FEATURES, FILES, TESTING, TRAINING, register, table


def test_data_are_counted_and_have_a_digest(record: registry.Record):
    data = record.document["data"]
    assert data["training"]["rows"] == 300
    assert data["testing"]["rows"] == 92
    assert data["training"]["columns"] == [*FEATURES, "mpg"]  # no name of a car
    assert data["training"]["sha256"] == digest(TRAINING[[*FEATURES, "mpg"]])
    assert data["testing"]["sha256"] == digest(TESTING[[*FEATURES, "mpg"]])


def test_the_digest_is_that_of_the_documented_form():
    small = pd.DataFrame({"a": [1, 2], "ü": [0.5, np.nan]})
    nan = np.array([np.nan], dtype="<f8").tobytes()
    text = b'["a", "\\u00fc"]\n' + np.array([1, 2, 0.5], dtype="<f8").tobytes() + nan
    assert digest(small) == hashlib.sha256(text).hexdigest()


def test_the_digest_is_of_what_a_table_holds_and_not_of_how():
    small = pd.DataFrame({"a": [1, 2, 0], "b": [0.5, np.nan, -1]})
    same = [
        small.set_axis([7, 8, 9]),
        small.astype({"a": "float64"}),
        small.astype({"a": "Int64", "b": "Float64"}),
        small.astype({"b": "float32"}),
        small.assign(a=[1.0, 2.0, -0.0]),
        small.assign(b=small["b"].where(small["b"].notna(), -np.array(np.nan))),
    ]
    assert {digest(each) for each in same} == {digest(small)}
    others = [
        small[["b", "a"]],
        small[::-1],
        small.rename(columns={"a": "c"}),
        small.assign(b=[0.5, 0, -1]),
        small.assign(b=[np.nextafter(0.5, 1), np.nan, -1]),
        small[:2],
        small[["a"]],
    ]
    assert len({digest(each) for each in [small, *others]}) == 1 + len(others)


def test_distributions_are_those_of_the_columns(record: registry.Record):
    found = record.document["distributions"]
    assert list(found) == [*FEATURES, "mpg"]
    for name, column in found.items():
        for role, rows in (("training", TRAINING), ("testing", TESTING)):
            values, side = rows[name].to_numpy(float), column[role]
            assert side["count"] == len(values)
            assert side["missing"] == side["infinite"] == 0
            assert sum(side["counts"]) + side["outside"] == len(values)
            inside, _ = np.histogram(values, column["edges"])
            assert side["counts"] == inside.tolist()
            for share, value in side["quantiles"].items():
                assert value == pytest.approx(np.quantile(values, float(share)))
            assert side["mean"] == pytest.approx(values.mean())
            assert side["std"] == pytest.approx(values.std())
            assert (side["minimum"], side["maximum"]) == (values.min(), values.max())


def test_gaps_are_counted_and_scored_around(tmp_path: Path):
    rows = TESTING.copy()
    rows["horsepower"] = rows["horsepower"].astype(float)
    rows.iloc[:5, rows.columns.get_loc("horsepower")] = np.nan
    rows.iloc[5, rows.columns.get_loc("horsepower")] = np.inf
    document = register(tmp_path, testing=rows).document
    assert valid(document) == []
    side = document["distributions"]["horsepower"]["testing"]
    assert (side["count"], side["missing"], side["infinite"]) == (len(rows) - 6, 5, 1)
    assert document["metrics"]["count"] == len(rows) - 6
    rmse = metrics.root_mean_squared_error(rows["mpg"][6:], predicted(rows[6:]))
    assert document["metrics"]["computed"]["rmse"] == pytest.approx(rmse)


def test_columns_that_say_nothing_do_no_harm(tmp_path: Path):
    document = register(tmp_path, testing=table(1, origin=[1])).document
    assert valid(document) == []
    assert document["metrics"]["computed"]["r2"] is None
    assert len(document["golden"]["rows"]) == 1
    empty = table(9, horsepower=[np.nan] * 9)
    document = register(tmp_path, training=empty, testing=TESTING).document
    assert valid(document) == []
    column = document["distributions"]["horsepower"]
    assert column["training"]["missing"] == 9
    assert column["training"]["mean"] is None


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
    refused("testing data have no rows", testing=TESTING[:0])
    refused("testing data have no row without", testing=TESTING.assign(weight=np.nan))
    few = TRAINING[[*FEATURES[:3], "mpg"]]
    refused(r"takes \(7,\) .* takes the 3 features", files=FILES[:1], training=few, testing=few)
    refused("rmse is computed here: give your own metric another", metrics={"rmse": 0.01})
    refused(r"The metric confusion is '\[\[1, 2\]", metrics={"confusion": [[1, 2], [3, 4]]})
    refused("The metric passed is 'True'; it has to be a number", metrics={"passed": True})
    huge = TESTING.assign(weight=1e39)  # more than float32 holds
    refused("testing data have no row without", testing=huge)


def test_numbers_of_any_size_can_be_drawn(tmp_path: Path):
    rows = TESTING.assign(weight=3e38, year=[1e300, *[-1e300] * 91])  # the year is left out
    document = register(tmp_path, training=rows, testing=TESTING.assign(weight=3e38)).document
    assert valid(document) == []


def test_numbers_come_from_any_type_of_column():
    mixed = pd.DataFrame(
        {"a": pd.array([1, None], dtype="Int64"), "b": [True, False], "c": ["x", "y"]}
    )
    found = numbers(mixed, ["b", "a"], "training")
    assert found.dtypes.tolist() == [np.float64, np.float64]
    assert found["b"].tolist() == [1, 0]
    assert found["a"].isna().tolist() == [False, True]
