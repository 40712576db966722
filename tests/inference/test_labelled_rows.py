"""Labelled rows that cannot be used are named, and none is lost or used twice."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from course_utils.inference import FeatureSchema, labelled_rows
from tests.support.serving import CAR
from tests.support.stores import SCHEMA


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({name: [value] * 3 for name, value in CAR.items()} | columns)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mpg": ["a lot", 20.0, 21.0]}, "mpg: 'a lot' in row 1 is no finite number"),
        ({"mpg": [20.0, None, 21.0]}, "mpg: nothing in row 2"),
        ({"mpg": 20.0, "weight": [3000, np.inf, 1]}, "weight: 'inf' in row 2 is no finite number"),
        ({"mpg": [20, 1e200, 2]}, "'1e+200' in row 2 is no finite number"),
        ({"mpg": 20.0, "year": [70, 71.5, 1]}, "year: '71.5' in row 2 is no whole number"),
        ({"mpg": ["x"] * 3, "year": ["y"] * 3}, "number; mpg: 'x' in row 1 is no finite"),
        ({}, "rows lack the label mpg"),
    ],
)
def test_rows_that_cannot_be_used_are_named(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^The rows ") as error:
        labelled_rows.check(table(**columns), FeatureSchema.load(SCHEMA))
    assert message in str(error.value)


def test_a_column_that_is_there_twice_is_named() -> None:
    rows = table(mpg=20.0)
    twice = pd.concat([rows, rows[["year"]]], axis=1)
    with pytest.raises(ValueError, match="have the column year more than once: keep one"):
        labelled_rows.check(twice, FeatureSchema.load(SCHEMA))


def test_gaps_are_allowed_where_they_are_filled() -> None:
    rows = table(mpg=20, horsepower=[100, None, 90], note="kept")
    schema = FeatureSchema.load(SCHEMA)
    with pytest.raises(ValueError, match="horsepower: nothing in row 2"):
        labelled_rows.check(rows, schema)
    checked = labelled_rows.check(rows, schema, gaps=("horsepower",))
    assert checked["horsepower"].isna().tolist() == [False, True, False]
    assert list(checked) == [*schema.names, "mpg", "note"]


def test_whole_numbers_written_as_floats_stay_whole() -> None:
    """Else the next contract would call the year a number, and take 71.5."""
    checked = labelled_rows.check(table(mpg=20, year=71.0), FeatureSchema.load(SCHEMA))
    assert checked["year"].dtype == "int64"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"weight,year,weight\n1,2,3\n", "column weight more than once"),
        (b"", "is not a CSV file"),
        (b"a,b\n1,2,3,4\n1\n1,2,3,4,5\n", "is not a CSV file"),
        (bytes(range(128, 256)), "is not a CSV file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "is a gzip archive"),
        (b"sep=;\na;b\n1;2\n", "begins with a line `sep=`"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        labelled_rows.read(file)


def test_a_gzip_that_is_named_so_is_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert labelled_rows.read(file).to_dict("list") == {"a": [1], "b": [2]}


def test_known_rows_and_repeats_are_left_out() -> None:
    known = pd.DataFrame({"a": [1.0, np.nan], "b": [1, 2]})
    rows = pd.DataFrame({"a": [1, np.nan, 3, 3, 1], "b": [1, 2, 3, 3, 9], "c": list("vwxyz")})
    new = labelled_rows.drop_known(known, rows, ["a", "b"])
    assert new["c"].tolist() == ["x", "z"]
