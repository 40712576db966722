"""Files to predict, and what stands in the files that come out."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from course_utils.inference import FeatureSchema, Predictor, batch
from tests.support.cars import cars
from tests.support.serving import FEATURES, MODEL

SCHEMA = FeatureSchema.load(MODEL.with_name("mpg.schema.json"))


def write_csv(path: Path, rows: Sequence[dict[str, Any]], names: Sequence[str] = ()) -> Path:
    names = list(names or rows[0])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, select: str) -> Path:
    """What an SQL query gives, as a Parquet file."""
    with duckdb.connect() as sql:
        sql.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def to_parquet(file: Path) -> Path:
    """A CSV file as a Parquet file beside it, with types."""
    return write_parquet(file.with_suffix(".parquet"), f"SELECT * FROM read_csv('{file}')")


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def read_parquet(path: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as sql:
        found = sql.execute(f"SELECT * FROM read_parquet('{path}')")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def some(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Cars with a name, which is no feature and has to come through as it is."""
    odd = ("a, b", 'say "so"', "two\nlines", "ünïcödé", "", " x ", "007", "NULL", "nan")
    return [{"id": f"{i} {odd[i % len(odd)]}"} | car for i, car in enumerate(cars(n, seed))]


def one_by_one(rows: Sequence[dict[str, Any]]) -> list[float]:
    """What the service would answer to each."""
    network = Predictor.load(MODEL)
    return [float(network.predict([[row[name] for name in FEATURES]])[0, 0]) for row in rows]


def copy_model(folder: Path, *, content: bytes = b"", schema: str = "") -> Path:
    """The shipped model and its schema in another folder, or something else in their place."""
    folder.mkdir(exist_ok=True)
    model = folder / "mpg.tflite"
    model.write_bytes(content or MODEL.read_bytes())
    text = schema or MODEL.with_name("mpg.schema.json").read_text("utf-8")
    model.with_name("mpg.schema.json").write_text(text, "utf-8")
    return model


def predict(source: Path, target: Path, **options: Any) -> batch.Summary:
    return batch.predict_file(source, target, model=MODEL, **options)
