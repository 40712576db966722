"""The contract read off a table, and what it lets through."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from course_utils.inference import FeatureSchema, InvalidExample, describe

CARS = pd.DataFrame({"weight": [1613.0, 5140.0], "year": [70, 82], "mpg": [44.0, 9.0]})
SCHEMA = FeatureSchema.from_frame(CARS, target="mpg")


def faults(example):
    with pytest.raises(InvalidExample) as caught:
        SCHEMA.validate(example)
    return {fault.pointer: fault for fault in caught.value.faults}


def test_both_ends_of_a_range_are_inside_and_the_order_is_the_models():
    for weight, year in ((1613, 70), (5140.0, 82)):
        example = SCHEMA.validate({"year": year, "weight": weight})
        assert list(example.items()) == [("weight", weight), ("year", year)]


def test_integral_float_is_an_integer_as_in_json_schema():
    year = SCHEMA.validate({"weight": 2000, "year": 75.0})["year"]
    assert (year, type(year)) == (75, int)
    assert "/year" in faults({"weight": 2000, "year": 75.5})


NOT_A_WEIGHT = ["2000", True, None, [2000], {"kg": 2000}]
OUT_OF_RANGE = [1612.9, 5140.1, float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("weight", NOT_A_WEIGHT + OUT_OF_RANGE)
def test_only_numbers_in_range_pass(weight):
    assert set(faults({"weight": weight, "year": 75})) == {"/weight"}


def test_a_column_is_judged_as_single_values_are():
    values = [np.nan, np.inf, -np.inf, -1e300, -0.0, 69.999, 70, 75.5, 82, 1613, 5140, 5140.001]
    for feature in SCHEMA.features:
        singly = [feature.accepts(float(value)) for value in values]
        assert feature.accepts_each(np.array(values)).tolist() == singly
        assert any(singly)


def test_every_fault_is_reported_at_once():
    found = faults({"weight": "heavy", "yaer": 75, "a/b~c": 1, "\ud800": 1})
    assert list(found) == ["/weight", "/year", "/yaer", "/a~1b~0c", "/\ud800"]
    assert found["/year"].detail == "missing"
    assert found["/yaer"].detail == "unknown"
    assert found["/weight"].received == '"heavy"'
    assert found["/weight"].allowed == "a number from 1613 to 5140"


def test_json_schema_agrees_with_validate():
    document = SCHEMA.to_json_schema()
    validator = jsonschema.Draft202012Validator(document)
    validator.check_schema(document)
    values = [70, 75.0, 75.5, 82, 83, "75", True, None, 1613, 5140.0, 99999, -1]
    for weight in values:
        for year in values:
            example = {"weight": weight, "year": year}
            try:
                SCHEMA.validate(example)
                passed = True
            except InvalidExample:
                passed = False
            assert validator.is_valid(example) == passed, example


def test_saved_and_loaded_is_the_same_contract(tmp_path):
    SCHEMA.save(tmp_path / "cars.schema.json")
    loaded = FeatureSchema.load(tmp_path / "cars.schema.json")
    assert (loaded.features, loaded.target) == (SCHEMA.features, "mpg")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"properties": {"a": 1}}', "not json"])
def test_loading_something_else_says_so(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is not a saved FeatureSchema"):
        FeatureSchema.load(path)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (CARS.drop(columns="mpg"), "no column 'mpg'"),
        (CARS.head(0), "has missing or infinite"),
        (CARS.assign(name=["a", "b"]), "'name' is not numeric"),
        (CARS.assign(new=[True, False]), "'new' is not numeric"),
        (CARS.assign(weight=[np.nan, 1.0]), "'weight' has missing"),
        (CARS.assign(weight=[np.inf, 1.0]), "'weight' has missing or infinite"),
    ],
)
def test_a_table_that_gives_no_contract_is_refused(frame, message):
    with pytest.raises(ValueError, match=message):
        FeatureSchema.from_frame(frame, target="mpg")


def test_descriptions_are_short_and_valid_text():
    assert describe("x" * 1000) == '"' + "x" * 38 + "…"
    assert describe(10**5000) == "an integer of more than 15 digits"
    assert describe({"a": 1}) == "an object"
    json.dumps(describe("\ud800"))
