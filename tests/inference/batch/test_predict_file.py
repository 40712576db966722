"""A file in, the same file with predictions out."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from course_utils.inference import Predictor, batch
from tests.support.batch_files import (
    FEATURES,
    one_by_one,
    predict,
    read_csv,
    read_parquet,
    some,
    to_parquet,
    write_csv,
    write_parquet,
)
from tests.support.serving import MODEL

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
        (".csv", ".csv", 1000),
        (".csv", ".csv", 5000),
        (".csv", ".parquet", 999),
        (".parquet", ".csv", 500),
        (".parquet", ".parquet", 17),
        (".parquet", ".parquet", 1001),
    ],
)
def test_every_row_is_there_once_in_its_place_with_its_prediction(
    given, wanted, chunk, inputs, expected, tmp_path
):
    target = tmp_path / f"out{wanted}"
    summary = predict(inputs[given], target, chunk=chunk)
    assert (summary.rows, summary.refused, summary.resumed) == (1000, 0, 0)
    assert 0 < summary.predict_seconds < summary.seconds
    rows = READ[wanted](target)
    assert list(rows[0]) == ["id", *FEATURES, "mpg", "error"]
    assert [row["id"] for row in rows] == [car["id"] for car in CARS]
    for name in FEATURES:
        assert [float(row[name]) for row in rows] == [car[name] for car in CARS]
    np.testing.assert_allclose([float(row["mpg"]) for row in rows], expected, rtol=1e-5)
    assert {row["error"] for row in rows} <= {"", None}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]  # no parts are left


def test_a_file_of_texts_comes_back_as_it_was(inputs, tmp_path):
    predict(inputs[".csv"], tmp_path / "out.csv")
    before, after = read_csv(inputs[".csv"]), read_csv(tmp_path / "out.csv")
    assert [{name: row[name] for name in before[0]} for row in after] == before


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


def test_from_csv_to_parquet_a_feature_becomes_numbers_where_all_are_some(tmp_path):
    rows = [dict(car) for car in CARS[:3]]
    rows[1]["weight"], rows[2]["year"] = "heavy", ""
    source = write_csv(tmp_path / "in.csv", rows)
    predict(source, tmp_path / "out.parquet")
    found = read_parquet(tmp_path / "out.parquet")
    assert [row["weight"] for row in found][1] == "heavy"
    assert [row["year"] for row in found] == [float(rows[0]["year"]), float(rows[1]["year"]), None]
    assert found[0]["id"] == rows[0]["id"]
    assert [row["error"] is None for row in found] == [True, False, False]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_rows_are_no_fault(suffix, tmp_path):
    names = ", ".join(f"0 AS {name}" for name in FEATURES)
    source = tmp_path / "in.csv"
    source.write_text(",".join(FEATURES) + "\n")
    if suffix == ".parquet":
        source = write_parquet(tmp_path / "in.parquet", f"SELECT {names} WHERE false")
    summary = predict(source, tmp_path / "out.csv")
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


def test_a_label_of_that_name_stays_and_so_does_a_column_of_errors(tmp_path):
    rows = [car | {"MPG": 18, "Error": "mine"} for car in CARS[:3]]
    predict(write_csv(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    (first, *_) = read_csv(tmp_path / "out.csv")
    assert list(first)[-4:] == ["MPG", "Error", "mpg_predicted", "mpg_error"]
    assert (first["MPG"], first["Error"], first["mpg_error"]) == ("18", "mine", "")
    assert float(first["mpg_predicted"]) == pytest.approx(one_by_one(CARS[:1])[0], rel=1e-5)


def test_its_own_output_can_be_predicted_again(inputs, tmp_path):
    predict(inputs[".csv"], tmp_path / "out.csv")
    predict(tmp_path / "out.csv", tmp_path / "again.parquet")
    rows = read_parquet(tmp_path / "again.parquet")
    assert list(rows[0])[-4:] == ["mpg", "error", "mpg_predicted", "mpg_error"]
    mpg = [float(row["mpg"]) for row in rows]
    np.testing.assert_allclose([row["mpg_predicted"] for row in rows], mpg, rtol=1e-6)


def test_quoted_line_ends_are_no_ends_of_rows_wherever_they_fall(tmp_path):
    """Also where the reader's threads divide the file among them."""
    one = CARS[0]
    rows = [one | {"id": f"{i}" + "\n" * (i % 5) + "," * (i % 3)} for i in range(60_000)]
    predict(write_csv(tmp_path / "in.csv", rows), tmp_path / "out.csv", chunk=25_000)
    assert [row["id"] for row in read_csv(tmp_path / "out.csv")] == [row["id"] for row in rows]


def test_progress_is_told(inputs, tmp_path):
    told = []
    predict(inputs[".csv"], tmp_path / "out.csv", chunk=400, on_progress=lambda *a: told.append(a))
    assert [done for step, done, total in told if step == "predicting"] == [0, 400, 800, 1000]
    assert {total for step, _, total in told if step == "predicting"} == {1000}
    assert [step for step, *_ in told][:1] == ["reading cars.csv"]
    assert told[-1][0] == "writing the output"


def test_many_rows_go_through_the_network_in_blocks():
    network = Predictor.load(MODEL)
    rows = np.array([[car[name] for name in FEATURES] for car in some(300)], np.float32)
    many = np.tile(rows, (40, 1))[: 2 * batch.BLOCK + 5]
    whole = network.predict(many)[:, 0]
    np.testing.assert_allclose(batch.predict_rows(network, many), whole, rtol=1e-6)
    assert batch.predict_rows(network, many[:0]).shape == (0,)


def test_a_name_that_sql_would_misread(tmp_path):
    folder = tmp_path / "it's a=b [1]"
    folder.mkdir()
    source = write_csv(
        folder / "c*'rs.csv" if Path("/").exists() else folder / "c'rs.csv", CARS[:5]
    )
    predict(source, folder / "o'ut[2].csv", chunk=2)
    assert len(read_csv(folder / "o'ut[2].csv")) == 5
