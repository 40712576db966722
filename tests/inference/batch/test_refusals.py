"""What cannot be predicted is refused before anything is written, in words that help."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from course_utils.inference import batch
from course_utils.inference.batch import tables
from tests.support.batch_files import (
    FEATURES,
    predict,
    read_csv,
    some,
    to_parquet,
    write_csv,
    write_parquet,
)
from tests.support.serving import MODEL

CARS = some(20)
LINE = ",".join(FEATURES)
ROW = ",".join(str(CARS[0][name]) for name in FEATURES)
MANY = f"{ROW},x\n" * 30_000  # more than is looked at for the names


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Predict a file that has to be refused; what was said. It is still there, and nothing else."""

    def refused(content: bytes | str, name: str = "in.csv", **options: object) -> str:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        before = sorted(path.name for path in tmp_path.iterdir())
        with pytest.raises(ValueError, match=name) as caught:
            predict(tmp_path / name, tmp_path / "out.csv", **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        assert (tmp_path / name).read_bytes() == data
        return str(caught.value)

    return refused


def test_columns_that_are_missing_are_named_with_what_was_meant(refused):
    line = LINE.replace("weight", "Weigth").replace("year", "YEAR").replace(",origin", "")
    said = refused(f"name,{line}\nx,{ROW.rpartition(',')[0]}\n")
    assert "no column 'weight' (did you mean 'Weigth'?)" in said
    assert "no column 'year' (did you mean 'YEAR'?)" in said
    assert "no column 'origin'. It has name, cylinders," in said


def test_a_column_without_a_name_is_the_index_of_pandas(refused):
    said = refused(f",{LINE}\n0,{ROW}\n")
    assert "column 1 has no name" in said
    assert "index=False" in said
    assert "column 8 has no name" in refused(f"{LINE},\n{ROW},\n")


def test_in_a_parquet_file_too(tmp_path):
    source = write_parquet(tmp_path / "in.parquet", "SELECT 8 AS cylinder")
    with pytest.raises(ValueError, match=r"no column 'cylinders' \(did you mean 'cylinder'\?\)"):
        predict(source, tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_a_wide_table_is_not_listed_whole(refused):
    assert "and 988 more." in refused(",".join(f"c{i}" for i in range(1000)) + "\n")


def test_columns_that_are_there_twice(refused):
    said = refused(f"{LINE},weight,Name,name\n{ROW},1,2,3\n")
    assert "the column 'weight' is there twice" in said
    assert "the column 'Name' is there twice" in said


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n" + LINE.encode(), "the first line has no names"),
        (os.urandom(100_000), "is no CSV file in UTF-8"),
        (LINE.encode("utf-16"), "is no CSV file in UTF-8"),
        (b"\x00" * 100, "is no CSV file in UTF-8"),
        (gzip.compress(LINE.encode(), mtime=0), "is no CSV file in UTF-8"),
        (MODEL.read_bytes(), "is no CSV file in UTF-8"),
        (b"PAR1" + bytes(100), "is a Parquet file"),
        (LINE.replace(",", ";").encode(), "separated by ';'; only commas"),
        (LINE.replace(",", "\t").encode(), r"separated by '\t'; only commas"),
        (f'{LINE}\n{ROW}\n"{ROW}'.encode(), "Line: 3"),
        (f"{LINE}\n{ROW}\n{ROW},7\n".encode(), "Expected Number of Columns: 7 Found: 8"),
        (f"{LINE}\n{ROW}\n7,8\n{ROW}".encode(), "Expected Number of Columns: 7 Found: 2"),
        (f"name,{LINE}\ncaf\xe9,{ROW}".encode("latin-1"), "is no CSV file in UTF-8"),
        (f"{LINE},name\n{MANY}{ROW},caf\xe9".encode("latin-1"), "Invalid unicode"),
    ],
)
def test_what_is_no_csv_file(content, what, refused):
    assert what in refused(content)


@pytest.mark.parametrize("content", [b"", b"PAR1", os.urandom(10_000), LINE.encode()])
def test_what_is_no_parquet_file(content, refused):
    assert "could not be read" in refused(content, "in.parquet")


def test_a_parquet_file_that_is_cut_off(tmp_path, refused):
    whole = to_parquet(write_csv(tmp_path / "whole.csv", CARS)).read_bytes()
    refused(whole[: len(whole) // 2], "in.parquet")


def test_features_in_a_parquet_file_have_to_be_numbers(tmp_path):
    kinds = {"weight": "'3000'", "year": "true", "origin": "DATE '2026-01-31'"}
    cells = ", ".join(f"{kinds.get(name, 8)} AS {name}" for name in FEATURES)
    source = write_parquet(tmp_path / "in.parquet", f"SELECT {cells}")
    said = "column 'weight' holds VARCHAR and 'year' holds BOOLEAN and 'origin' holds DATE"
    with pytest.raises(ValueError, match=said):
        predict(source, tmp_path / "out.csv")


def test_names_that_the_output_needs_and_the_input_has(refused):
    assert "columns named 'mpg' and 'mpg_predicted'" in refused(
        f"{LINE},mpg,mpg_predicted\n{ROW},1,2\n"
    )


def test_paths_that_will_not_do(tmp_path):
    source = write_csv(tmp_path / "in.csv", CARS)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(source)
    for given, wanted, error, what in (
        (tmp_path / "none.csv", "out.csv", FileNotFoundError, "no file"),
        (tmp_path / "folder.csv", "out.csv", ValueError, "is a folder"),
        (source, "folder.csv", ValueError, "is a folder"),
        (source, "missing/out.csv", FileNotFoundError, "no folder"),
        (source, "out.xlsx", ValueError, r"end in \.csv or \.parquet"),
        (source, "in.csv", ValueError, "is the input"),
        (source, "link.csv", ValueError, "is the input"),
        (source, "folder.csv/../in.csv", ValueError, "is the input"),
    ):
        with pytest.raises(error, match=what):
            predict(given, tmp_path / wanted)
    with pytest.raises(ValueError, match="chunk is 0"):
        predict(source, tmp_path / "out.csv", chunk=0)
    with pytest.raises(ValueError, match="on_error is 'skip'"):
        predict(source, tmp_path / "out.csv", on_error="skip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.csv", "in.csv", "link.csv"]
    assert len(read_csv(source)) == len(CARS)


def test_an_output_that_is_there_is_replaced_only_when_told(tmp_path):
    source = write_csv(tmp_path / "in.csv", CARS)
    target = tmp_path / "out.csv"
    target.write_text("dear to me")
    with pytest.raises(FileExistsError, match=r"there already: name another file, or .*--restart"):
        predict(source, target)
    assert target.read_text() == "dear to me"
    predict(source, target, restart=True)
    assert len(read_csv(target)) == len(CARS)


def test_a_replacement_that_fails_leaves_the_old_output(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("dear to me")
    (tmp_path / "in.csv").write_text(f"{LINE}\n{ROW}\n7,8\n")
    with pytest.raises(ValueError, match="could not be read"):
        predict(tmp_path / "in.csv", target, restart=True)
    assert target.read_text() == "dear to me"


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    source = write_csv(tmp_path / "in.csv", CARS)
    other = tmp_path / "out.csv.parts"
    for make in (other.mkdir, lambda: (other / "thesis.txt").write_text("all of it")):
        make()
        if list(other.iterdir()):
            for restart in (False, True):
                with pytest.raises(ValueError, match="is in the way"):
                    predict(source, tmp_path / "out.csv", restart=restart)
    assert (other / "thesis.txt").read_text() == "all of it"
    (other / "thesis.txt").unlink()
    predict(source, tmp_path / "out.csv")  # an empty one is one that a run was killed in


def test_at_the_first_row_that_breaks_the_schema_it_stops_where_told(tmp_path):
    rows = [dict(car) for car in CARS]
    rows[13]["weight"], rows[17]["year"] = "heavy", ""
    source = write_csv(tmp_path / "in.csv", rows)
    with pytest.raises(ValueError, match=r'in.csv, row 14: weight: "heavy" is not .*\. Nothing'):
        predict(source, tmp_path / "out.csv", on_error="stop", chunk=5)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
    assert predict(source, tmp_path / "out.csv", chunk=5).refused == 2


def test_a_model_that_does_not_fit(tmp_path):
    source = write_csv(tmp_path / "in.csv", CARS)
    model = tmp_path / "mpg.tflite"
    model.write_bytes(MODEL.read_bytes())
    with pytest.raises(FileNotFoundError, match=r"mpg\.schema\.json"):
        batch.predict_file(source, tmp_path / "out.csv", model=model)
    document = json.loads(MODEL.with_name("mpg.schema.json").read_text())
    del document["properties"]["year"]
    (tmp_path / "mpg.schema.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"takes examples of shape \(7,\).* has 6 features"):
        batch.predict_file(source, tmp_path / "out.csv", model=model)
    assert not (tmp_path / "out.csv").exists()


def test_a_network_whose_answer_is_no_number(tmp_path):
    """Weights that have become infinite are seen in the rows, not written as a prediction."""
    with h5py.File(MODEL.with_name("mpg.weights.h5")) as file:
        bias = file["layers/dense_1/vars/1"][:].astype("<f4").tobytes()
    content = MODEL.read_bytes()
    assert content.count(bias) == 1
    infinite = np.full(len(bias) // 4, np.inf, "<f4").tobytes()
    (tmp_path / "mpg.tflite").write_bytes(content.replace(bias, infinite))
    schema = MODEL.with_name("mpg.schema.json").read_bytes()
    (tmp_path / "mpg.schema.json").write_bytes(schema)
    source = write_csv(tmp_path / "in.csv", CARS)
    target = tmp_path / "out.csv"
    done = batch.predict_file(source, target, model=tmp_path / "mpg.tflite")
    assert done.refused == len(CARS)
    found = {(row["mpg"], row["error"]) for row in read_csv(target)}
    assert found == {("", "the network's answer is not a number")}


def test_a_chunk_that_is_too_large_for_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MEMORY", 4)
    wide = "".join(f", hash(range) AS h{i}" for i in range(100))
    cells = ", ".join(f"{CARS[0][name]} AS {name}" for name in FEATURES)
    source = write_parquet(tmp_path / "in.parquet", f"SELECT {cells}{wide} FROM range(20_000)")
    with pytest.raises(MemoryError, match="choose a smaller chunk"):
        predict(source, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
