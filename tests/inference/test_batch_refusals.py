"""What cannot be predicted is refused before anything is written, in words that help."""

import bz2
import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from course_utils.inference import predict_file, tables
from tests.support.batch_files import (
    copy_model,
    predict,
    read_csv,
    some,
    to_parquet,
    write_csv,
    write_parquet,
)
from tests.support.serving import FEATURES, MODEL
from tests.support.stores import generous

CARS = some(20)
LINE = ",".join(FEATURES)
ROW = ",".join(str(CARS[0][name]) for name in FEATURES)
MISSPELT = LINE.replace("weight", "Weigth").replace("year", "YEAR")
MANY = f"{ROW},x\n" * 30_000  # more than is looked at for the names


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("in.csv", text)
    return file.getvalue()


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Predict a file that has to be refused; what was said. It is still there, and nothing else."""

    def refused(content: bytes | str, name: str = "in.csv") -> str:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        before = sorted(path.name for path in tmp_path.iterdir())
        with pytest.raises(ValueError, match=name) as caught:
            predict(tmp_path / name, tmp_path / "out.csv")
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        assert (tmp_path / name).read_bytes() == data
        return str(caught.value)

    return refused


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is not a CSV file in UTF-8"),
        (b"\n" + LINE.encode(), "is not a CSV file in UTF-8"),
        (LINE.encode("utf-16"), 'is not a CSV file in UTF-8 (in Excel: "CSV UTF-8")'),
        (gzip.compress(LINE.encode(), mtime=0), "is a gzip archive, not a CSV file: unpack it"),
        (zipped(LINE), "is an Excel workbook or a ZIP archive"),
        (b"PAR1" + bytes(20), "name it .parquet"),
        (f"\n<!DOCTYPE html>{LINE}", "is a web page"),
        (f"sep=,\n{LINE}\n{ROW}\n", "begins with a line `sep=`, which only Excel knows: delete"),
        (f'\ufeff"sep=;"\r\n{LINE}\n', "begins with a line `sep=`"),
        (bz2.compress(LINE.encode()), "is compressed, not a CSV file: unpack it"),
        (b"par1,par2\n1,2\n", "It has par1, par2"),
        (b"BZH_code,x\n1,2\n", "It has BZH_code, x"),
        (b"sep=,x\n1,2\n", "It has sep=, x"),
        (f",{LINE}\n0,{ROW}\n".encode(), "index=False"),
        (LINE.replace(",", ";").encode(), "It has cylinders;displacement;"),
        (f'{LINE}\n{ROW}\n"{ROW}'.encode(), "Line: 3"),
        (f"{LINE}\n{ROW}\n{ROW},7\n".encode(), "Expected Number of Columns: 7 Found: 8"),
        (f"{LINE}\n{ROW}\n7,8\n{ROW}".encode(), "Expected Number of Columns: 7 Found: 2"),
        (f"{LINE},name\n{MANY}{ROW},caf\xe9".encode("latin-1"), "Invalid unicode"),
        (f"name,{MISSPELT}\nx,{ROW}\n", "no column weight, year. It has name, cylinders,"),
        (f"{LINE},weight\n{ROW},1\n", "more than once (capitals do not count): weight, weight."),
        (f"{LINE},Weight\n{ROW},1\n", "more than once (capitals do not count): weight, Weight."),
    ],
)
def test_a_csv_file_that_cannot_be_used(content, what, refused):
    assert what in refused(content)


def test_what_is_no_parquet_file(tmp_path, refused):
    whole = to_parquet(write_csv(tmp_path / "whole.csv", CARS)).read_bytes()
    for content in (b"", os.urandom(10_000), LINE.encode(), whole[: len(whole) // 2]):
        assert "could not be read" in refused(content, "in.parquet")


def test_paths_and_chunks_that_will_not_do(tmp_path):
    source = write_csv(tmp_path / "in.csv", CARS)
    for given, wanted, what in (
        (source, "out.txt", "has to end in"),
        (source, "in.csv", "is the input"),
        (source, "missing/out.csv", "no folder"),
        (tmp_path / "missing.csv", "out.csv", r"missing\.csv"),
        (tmp_path, "out.csv", "has to end in"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=what):
            predict(given, tmp_path / wanted, restart=True)
    for chunk in (0, -1):
        with pytest.raises(ValueError, match=f"chunk is {chunk}; it has to be 1 row or more"):
            predict(source, tmp_path / "out.csv", chunk=chunk)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
    assert len(read_csv(source)) == len(CARS)


def test_an_output_that_is_there_is_replaced_only_when_told(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("dear to me")
    (tmp_path / "bad.csv").write_text(f"{LINE}\n{ROW}\n7,8\n")
    source = write_csv(tmp_path / "in.csv", CARS)
    with pytest.raises(FileExistsError, match=r"there already: name another file, or .*--restart"):
        predict(source, target)
    with pytest.raises(ValueError, match="could not be read"):
        predict(tmp_path / "bad.csv", target, restart=True)
    assert target.read_text() == "dear to me"
    predict(source, target, restart=True)
    assert len(read_csv(target)) == len(CARS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("part-000000.parquet", b"my thesis"),
        ("job.json", b'{"forma'),
        ("job.json", b"[1]"),
        ("job.json", b'{"name": "my job"}'),
    ],
)
def test_what_somebody_else_keeps_in_the_folder_of_parts_is_left_alone(name, content, tmp_path):
    source, other = write_csv(tmp_path / "in.csv", CARS), tmp_path / "out.csv.parts"
    other.mkdir()
    (other / name).write_bytes(content)
    for restart in (False, True):
        with pytest.raises(FileExistsError, match="is in the way"):
            predict(source, tmp_path / "out.csv", restart=restart)
    assert [path.read_bytes() for path in other.iterdir()] == [content]
    (other / name).rename(other / "job.json.part")
    predict(source, tmp_path / "out.csv")  # so does a folder look in which a run was killed
    other.write_bytes(content)
    with pytest.raises(FileExistsError, match="is in the way"):
        predict(source, tmp_path / "out.csv", restart=True)


def test_a_model_that_does_not_fit(tmp_path):
    source = write_csv(tmp_path / "in.csv", CARS)
    schema = MODEL.with_name("mpg.schema.json").read_text("utf-8")
    other = copy_model(tmp_path, schema=schema.replace('"year"', '"age"'))
    with pytest.raises(ValueError, match="has no column age"):
        predict_file(source, tmp_path / "out.csv", model=other)
    document = json.loads(schema)
    del document["properties"]["year"]
    other.with_name("mpg.schema.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"takes examples of shape \(7,\).* has 6 features"):
        predict_file(source, tmp_path / "out.csv", model=other)
    assert not (tmp_path / "out.csv").exists()


def test_a_network_whose_answer_is_no_number(tmp_path):
    """Weights that have become infinite are seen in the rows, not written as a prediction."""
    broken = copy_model(tmp_path, content=generous(float("inf")))
    source, target = write_csv(tmp_path / "in.csv", CARS), tmp_path / "out.csv"
    done = predict_file(source, target, model=broken)
    assert done.refused == len(CARS)
    found = {(row["mpg"], row["error"]) for row in read_csv(target)}
    assert found == {("", "the network's answer is not a number")}


def test_a_chunk_that_is_too_large_for_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MEMORY_MB", 4)
    wide = "".join(f", hash(range) AS h{i}" for i in range(100))
    cells = ", ".join(f"{CARS[0][name]} AS {name}" for name in FEATURES)
    source = write_parquet(tmp_path / "in.parquet", f"SELECT {cells}{wide} FROM range(20_000)")
    with pytest.raises(MemoryError, match="choose a smaller chunk"):
        predict(source, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
