"""What is said of a version's tables is true, and tables that do not fit are refused."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from course_utils import registry
from course_utils.inference import FeatureSchema
from course_utils.registry.content import hash_table
from tests.support.records import FILES, TESTING, TRAINING, predict, register
from tests.support.serving import FEATURES
from tests.support.stores import generous


def test_data_are_counted_and_have_a_digest(version: registry.ModelVersion):
    columns = [*FEATURES, "mpg"]  # no name of a car
    assert version.document["data"] == {
        role: {"rows": rows, "columns": columns, "sha256": hash_table(whole[columns])}
        for role, rows, whole in (("training", 300, TRAINING), ("testing", 92, TESTING))
    }


def test_the_digest_of_a_table_is_that_of_the_documented_form():
    small = pd.DataFrame({"a": [1, 2], "ü": [0.5, np.nan]})
    nan = np.array([np.nan], dtype="<f8").tobytes()
    text = b'["a", "\\u00fc"]\n' + np.array([1, 2, 0.5], dtype="<f8").tobytes() + nan
    assert hash_table(small) == hashlib.sha256(text).hexdigest()


def test_distributions_are_those_of_the_columns(version: registry.ModelVersion):
    found = version.document["distributions"]
    assert list(found) == [*FEATURES, "mpg"]
    for name, column in found.items():
        for role, rows in (("training", TRAINING), ("testing", TESTING)):
            values, side = rows[name].to_numpy(float), column[role]
            assert (side["count"], side["missing"]) == (len(values), 0)
            assert (side["mean"], side["std"]) == pytest.approx((values.mean(), values.std()))
            assert (side["minimum"], side["maximum"]) == (values.min(), values.max())


def test_gaps_are_counted_and_scored_around(tmp_path: Path):
    rows = TESTING.astype({"horsepower": float})
    rows.iloc[:5, rows.columns.get_loc("horsepower")] = np.nan
    rows.iloc[5, rows.columns.get_loc("horsepower")] = np.inf
    document = register(tmp_path, testing=rows).document
    side = document["distributions"]["horsepower"]["testing"]
    assert (side["count"], side["missing"]) == (len(rows) - 6, 6)
    assert document["metrics"]["count"] == len(rows) - 6
    rmse = metrics.root_mean_squared_error(rows["mpg"][6:], predict(rows[6:]))
    assert document["metrics"]["computed"]["rmse"] == pytest.approx(rmse)


def test_columns_that_say_nothing_do_no_harm(tmp_path: Path):
    empty = TRAINING[:9].assign(horsepower=np.nan)
    document = register(tmp_path, training=empty, testing=TESTING[:1]).document
    assert document["metrics"]["computed"]["r2"] is None
    assert len(document["golden"]["rows"]) == 1
    column = document["distributions"]["horsepower"]["training"]
    assert (column["missing"], column["mean"]) == (9, None)


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("testing data: The rows lack the column", {"testing": TESTING.drop(columns="weight")}),
        (r"training data: .* year: '\?' in row 1 is no", {"training": TRAINING.assign(year="?")}),
        ("training data have no rows", {"training": TRAINING[:0]}),
        ("testing data have no row without", {"testing": TESTING.assign(weight=np.nan)}),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path: Path, message: str, changed: dict[str, Any]):
    with pytest.raises(ValueError, match=message):
        register(tmp_path, **changed)
    assert list((tmp_path / "mpg").iterdir()) == []


def test_a_model_that_answers_no_numbers_is_refused(tmp_path: Path):
    (broken := tmp_path / "mpg.tflite").write_bytes(generous(float("nan")))
    with pytest.raises(ValueError, match="answer to some of the testing data is not a number"):
        register(tmp_path / "store", files=[broken, FILES[1]])


def test_a_model_that_does_not_fit_its_schema_is_refused(tmp_path: Path):
    schema = tmp_path / "mpg.schema.json"
    FeatureSchema.from_frame(TRAINING[[*FEATURES[:3], "mpg"]], target="mpg").save(schema)
    with pytest.raises(ValueError, match=r"mpg takes examples of shape \(7,\) .* 3 features"):
        register(tmp_path / "store", files=[FILES[0], schema])
    assert registry.list_versions("mpg", store=tmp_path / "store") == []
