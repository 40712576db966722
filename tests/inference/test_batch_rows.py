"""Whole columns are checked by the rules for one example, on rows made to break them."""

import re

import numpy as np
import pytest

from course_utils.inference import FeatureSchema, InvalidExample
from tests.support.batch_files import (
    SCHEMA,
    predict,
    read_csv,
    read_parquet,
    some,
    write_csv,
    write_parquet,
)
from tests.support.serving import FEATURES

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.I | re.A)
HOSTILE = (
    *("", " ", "8", " 8 ", "8.0", "8.5", "8e0", "0.8e1", ".8e1", "80e-1", "+8", "--8", "+-8"),
    *("08", "8_0", "8,0", "0x8", "1e400", "-1e400", "1e-400", "-0", "-0.0", "0", "-1", "99999"),
    *("nan", "NaN", "-nan", "inf", "-inf", "Infinity", "true", "True", "heavy", "NULL", "None"),
    *("８", "8\xa0", "8 8", "1e", "e1", ".", "-", "'8'", "=8", "70", "70.0", "82", "82.0000001"),
    *("2.9999999999999999", "3", "3.0000000000000001", "8.0000000000000009", "9007199254740993"),
    *("46", "45.999999999999", "230", "230.00000000001", "1613", "5140", "24.8", "24.800000001"),
    "9" * 400,
)


def meant(cell: str):
    """The value that a cell of a CSV file stands for."""
    text = cell.strip(" ")
    if not NUMBER.fullmatch(text):
        return cell
    return int(text) if re.fullmatch(r"[+-]?\d{1,300}", text) else float(text)


def faulty(schema: FeatureSchema, example: dict) -> set[str]:
    try:
        schema.validate({name: value for name, value in example.items() if value is not None})
    except InvalidExample as error:
        return {fault.pointer[1:] for fault in error.faults}
    return set()


def named(error: str | None) -> set[str]:
    return set(re.findall(r"(?:^|; )(\w+): ", error or ""))


def test_texts_are_judged_as_the_service_judges_them(tmp_path):
    rng = np.random.default_rng(0)
    rows = some(3000)
    for row in rows:
        for name in rng.choice(FEATURES, rng.integers(0, 4), replace=False):
            row[name] = str(rng.choice(HOSTILE))
    predict(write_csv(tmp_path / "in.csv", rows), tmp_path / "out.csv", chunk=700)
    found = read_csv(tmp_path / "out.csv")
    accepted = 0
    for row, answer in zip(rows, found, strict=True):
        example = {name: meant(str(row[name])) if row[name] != "" else None for name in FEATURES}
        assert named(answer["error"]) == faulty(SCHEMA, example), (row, answer)
        assert bool(answer["mpg"]) != bool(answer["error"])
        accepted += not answer["error"]
    assert 500 < accepted < 2500  # both happened often


@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT", "DECIMAL(18,4)", "BIGINT", "USMALLINT"])
def test_numbers_of_every_type_are_judged_as_the_service_judges_them(kind, tmp_path):
    car = {name: some(1)[0][name] for name in FEATURES if name != "acceleration"}
    cells = ", ".join(f"{value} AS {name}" for name, value in car.items())
    values = "SELECT unnest([NULL, 7.9, 8, 16, 24.8, 24.8001, 0, 65535]) AS value"
    source = write_parquet(
        tmp_path / "in.parquet", f"SELECT {cells}, value::{kind} AS acceleration FROM ({values})"
    )
    predict(source, tmp_path / "out.parquet", chunk=3)
    outcomes = set()
    for before, row in zip(
        read_parquet(source), read_parquet(tmp_path / "out.parquet"), strict=True
    ):
        value = before["acceleration"]
        if kind == "FLOAT" and value is not None:
            value = np.float32(value)  # what the number says that was stored: 24.8
        example = car | {"acceleration": None if value is None else float(str(value))}
        assert named(row["error"]) == faulty(SCHEMA, example), (before, row)
        outcomes.add(row["mpg"] is None)
    assert outcomes == {True, False}


def test_a_rows_faults_are_all_named(tmp_path):
    row = some(1)[0] | {"weight": "heavy", "year": "", "cylinders": "8.5", "acceleration": "nan"}
    predict(write_csv(tmp_path / "in.csv", [row]), tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv")[0]["error"] == (
        "cylinders: 8.5 is not an integer from 3 to 8; "
        "weight: not a number from 1613 to 5140; "
        "acceleration: not a number from 8 to 24.8; "
        "year: not an integer from 70 to 82"
    )


def test_what_is_no_number_in_a_parquet_file_is_named_row_by_row(tmp_path):
    kinds = {"weight": "'3000'", "year": "true", "origin": "DATE '2026-01-31'"}
    cells = ", ".join(f"{kinds.get(name, some(1)[0][name])} AS {name}" for name in FEATURES)
    source = write_parquet(tmp_path / "in.parquet", f"SELECT {cells}")
    predict(source, tmp_path / "out.parquet")
    (row,) = read_parquet(tmp_path / "out.parquet")
    assert named(row["error"]) == {"year", "origin"}  # a text counts as in a CSV file
