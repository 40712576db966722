"""A file in, the same file with predictions out."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from tests.support.batch_files import (
    one_by_one,
    predict,
    read_csv,
    read_parquet,
    some,
    to_parquet,
    write_csv,
    write_parquet,
)
from tests.support.serving import FEATURES

CARS = some(1000)
READ = {".csv": read_csv, ".parquet": read_parquet}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    file = write_csv(tmp_path_factory.mktemp("cars") / "cars.csv", CARS)
    return {".csv": file, ".parquet": to_parquet(file)}


@pytest.fixture(scope="module")
def expected():
    return one_by_one(CARS)


@pytest.mark.parametrize(
    ("given", "wanted", "chunk"),
    [
        (".csv", ".csv", 17),
        (".csv", ".parquet", 5000),
        (".parquet", ".csv", 500),
        (".parquet", ".parquet", 999),
    ],
)
def test_every_row_is_there_once_in_its_place_with_its_prediction(
    given, wanted, chunk, inputs, expected, tmp_path
):
    target = tmp_path / f"out{wanted}"
    summary = predict(inputs[given], target, chunk=chunk)
    assert (summary.rows, summary.refused, summary.resumed) == (1000, 0, 0)
    rows = READ[wanted](target)
    assert list(rows[0]) == ["id", *FEATURES, "mpg", "error"]
    assert [row["id"] for row in rows] == [car["id"] for car in CARS]
    for name in FEATURES:
        assert [float(row[name]) for row in rows] == [car[name] for car in CARS]
    np.testing.assert_allclose([float(row["mpg"]) for row in rows], expected, rtol=1e-5)
    assert {row["error"] for row in rows} <= {"", None}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]  # no parts are left


def test_other_columns_of_a_parquet_file_keep_types_and_values(tmp_path):
    one = ", ".join(f"{value} AS {name}" for name, value in CARS[0].items() if name != "id")
    select = (
        f"SELECT {one}, range AS i, DATE '2026-01-31' AS day, [1, NULL, 3] AS list, "
        "1.10::DECIMAL(9,2) AS price, {'a': 'x'} AS struct, '\\x00\\xff'::BLOB AS bytes, "
        "NULL::BIGINT AS nothing, 9007199254740993 AS large FROM range(100)"
    )
    source = write_parquet(tmp_path / "in.parquet", select)
    predict(source, tmp_path / "out.parquet", chunk=30)
    with duckdb.connect() as sql:
        sql.execute(f"CREATE VIEW old AS SELECT * FROM '{source}'")
        sql.execute(f"CREATE VIEW new AS SELECT * FROM '{tmp_path / 'out.parquet'}'")
        old = [row[:2] for row in sql.execute("DESCRIBE old").fetchall()]
        new = [row[:2] for row in sql.execute("DESCRIBE new").fetchall()]
        assert new == [*old, ("mpg", "FLOAT"), ("error", "VARCHAR")]
        same = sql.execute("SELECT * EXCLUDE (mpg, error) FROM new").fetchall()
        assert same == sql.execute("SELECT * FROM old").fetchall()


def test_from_csv_to_parquet_features_become_numbers(tmp_path):
    rows = [dict(car) for car in CARS[:2]]
    rows[1]["weight"] = "heavy"
    predict(write_csv(tmp_path / "in.csv", rows), tmp_path / "out.parquet")
    first, second = read_parquet(tmp_path / "out.parquet")
    assert (first["weight"], first["id"]) == (rows[0]["weight"], rows[0]["id"])
    assert second["weight"] is None
    assert "weight: not a number" in second["error"]


def test_no_rows_are_no_fault(tmp_path):
    (tmp_path / "in.csv").write_text(",".join(FEATURES) + "\n")
    summary = predict(tmp_path / "in.csv", tmp_path / "out.csv")
    assert (summary.rows, summary.refused) == (0, 0)
    assert (tmp_path / "out.csv").read_text() == ",".join([*FEATURES, "mpg", "error"]) + "\n"


def test_columns_in_another_order_with_a_byte_order_mark_and_windows_line_ends(tmp_path):
    names = ["id", *reversed(FEATURES)]
    plain = write_csv(tmp_path / "plain.csv", CARS[:50], names)
    text = plain.read_bytes().replace(b"\n", b"\r\n").replace(b"two\r\nlines", b"two\nlines")
    (tmp_path / "windows.csv").write_bytes(b"\xef\xbb\xbf" + text)
    predict(tmp_path / "windows.csv", tmp_path / "out.csv")
    rows = read_csv(tmp_path / "out.csv")
    assert list(rows[0]) == [*names, "mpg", "error"]
    assert [row["id"] for row in rows] == [car["id"] for car in CARS[:50]]
    expected = one_by_one(CARS[:50])
    np.testing.assert_allclose([float(row["mpg"]) for row in rows], expected, rtol=1e-5)


def test_an_output_can_be_predicted_again(tmp_path):
    """Its columns stay, the new ones get other names."""
    rows = [car | {"MPG": 18, "Error": "mine"} for car in CARS[:3]]
    files = [write_csv(tmp_path / "0.csv", rows), tmp_path / "1.csv", tmp_path / "2.csv"]
    predict(files[0], files[1])
    predict(files[1], files[2])
    (first, *_) = read_csv(files[2])
    assert list(first)[-6:-2] == ["MPG", "Error", "mpg_predicted", "mpg_error"]
    assert list(first)[-2:] == ["mpg_predicted_", "mpg_error_"]
    assert (first["MPG"], first["Error"], first["mpg_error"]) == ("18", "mine", "")
    assert float(first["mpg_predicted"]) == pytest.approx(one_by_one(CARS[:1])[0], rel=1e-5)
    assert first["mpg_predicted"] == first["mpg_predicted_"]


def test_a_csv_file_of_more_than_one_block_keeps_its_order(tmp_path):
    """DuckDB reads and writes with several threads: rows and predictions have to stay together."""
    one = {name: CARS[0][name] for name in FEATURES}
    rows = [
        one | {"id": f"{i}" + "\n" * (i % 5) + "," * (i % 3), "weight": 2000 + i / 50}
        for i in range(150_000)
    ]
    predict(write_csv(tmp_path / "in.csv", rows), tmp_path / "out.csv", chunk=70_000)
    found = read_csv(tmp_path / "out.csv")
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    answers = [float(row["mpg"]) for row in found[::1000]]
    np.testing.assert_allclose(answers, one_by_one(rows[::1000]), rtol=1e-5)


def test_a_name_that_sql_would_misread(tmp_path):
    folder = tmp_path / "it's a=b [1]"
    folder.mkdir()
    source = write_csv(
        folder / "c*'rs.csv" if Path("/").exists() else folder / "c'rs.csv", CARS[:5]
    )
    predict(source, folder / "o'ut[2].csv", chunk=2)
    assert len(read_csv(folder / "o'ut[2].csv")) == 5
