"""Tables on disk: the report is that of the same tables in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from course_utils.drift import compare, compare_files, files, layout
from tests.support.drift_files import assert_same, query, write

ROWS = 400


def make_table(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Numbers with ties, gaps and infinities, categories, truth values, days, odd names."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": (random.normal(shift, size=rows) * 1e3).round(6),
            "count": random.poisson(3, rows),
            "rounded": random.normal(size=rows).round(1) + 0.0,
            "heavy": random.standard_t(1, rows).round(6),
            "two": random.integers(0, 2, rows),
            "letter": random.choice(list("abcdef"), rows, p=[0.4, 0.3, 0.1, 0.1, 0.08, 0.02]),
            'we"ird': random.normal(size=rows).round(6),
            "o'clock": random.normal(size=rows).round(6),
            "a.b, [c]": random.normal(size=rows).round(6),
            "select": random.choice(["", "NULL ", "ü", "é'\""], rows),
            "École": random.normal(size=rows).round(6),
            "école": random.choice(["S", "M"], rows),
            "day": pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(rows), unit="D"),
            "truth": random.random(rows) < 0.3,
            "nothing": np.full(rows, np.nan),
        }
    )
    for name in ("rounded", "letter", "heavy"):
        frame[name] = frame[name].mask(random.random(rows) < 0.1)
    frame.loc[random.choice(rows, 6, replace=False), "heavy"] = [np.inf, -np.inf, 0, 0, np.inf, 1]
    return frame


def write_both(folder: Path, old: pd.DataFrame, new: pd.DataFrame) -> tuple[Path, Path]:
    return write(old, folder / "old.parquet"), write(new, folder / "new.parquet")


def test_the_report_is_that_of_the_tables_in_memory(
    tmp_path: Path, tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_SAMPLE_ROWS", 150)
    old, new = make_table(ROWS, 1), make_table(ROWS - 90, 2, shift=0.5)
    new["nothing"] = 1.5
    new["truth"] |= new["x"] > 1000
    new = new.rename(columns={"select": "SELECT"}).assign(count="many")
    found = compare_files(*write_both(tmp_path, old, new), memory_mb=200, seed=7)
    expected = compare(old, new, seed=7)
    assert_same(found, expected)
    assert list(found.samples[0]["x"]) == list(expected.samples[0]["x"])
    assert "x" in found.significant
    assert any("day holds points in time" in warning for warning in found.warnings)
    assert any("count: was a number column" in reason for reason in found.reasons)


def test_values_may_come_in_batches(
    tmp_path: Path, tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["x", "rounded"]
    old, new = make_table(5000, 5)[names], make_table(4000, 6, shift=0.1)[names]
    monkeypatch.setattr(files, "BATCH_VECTORS", 1)  # 2,048 rows
    paths = write_both(tmp_path, old, new)
    with files.open_files(*paths, 200) as tables:
        assert len(list(tables.count_numbers("x"))) >= 4
        for name in names:
            batches = tables.count_numbers(name)
            values, *sides = (np.concatenate(part) for part in zip(*batches, strict=True))
            assert (np.diff(values) > 0).all()
            for counts, table in zip(sides, (old, new), strict=True):
                assert np.repeat(values, counts).tolist() == sorted(table[name].dropna())
    assert_same(compare_files(*paths), compare(old, new))


def test_nan_and_null_are_missing_alike(tmp_path: Path, tidy: Path) -> None:
    select = "SELECT CASE WHEN i % 10 < 2 THEN {} ELSE sin(i) END::{} AS x FROM range(500) t(i)"
    old = query(tmp_path / "old.parquet", select.format("NULL", "DOUBLE"))
    new = query(tmp_path / "new.parquet", select.format("'NaN'", "FLOAT"))
    found = compare_files(old, new).columns.set_index("test")
    assert found.loc["missing values", "note"] == "missing in 20.0% of the rows, now in 20.0%"


TYPES = {
    "b::TINYINT": "number",
    "i::HUGEINT": "number",
    "(b / 4)::DECIMAL(10, 2)": "number",
    "b > 3": "category",
    "('v' || b)::ENUM('v0', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6')": "category",
    "DATE '2020-01-01' + b::INT": "time",
    "TIMESTAMPTZ '2020-01-01 00:00:00+00' + to_days(b::INT)": "time",
    "[b]": "holds list values",
    "{'b': b}": "holds struct values",
    "('v' || b)::BLOB": "holds blob values",
    "NULL::INT": "empty",
}


def test_every_type_of_column_is_something(tmp_path: Path, tidy: Path) -> None:
    columns = ", ".join(f'{sql} AS "c{i}"' for i, sql in enumerate(TYPES))
    path = query(
        tmp_path / "t.parquet", f"SELECT {columns} FROM (SELECT i, i % 7 AS b FROM range(70) r(i))"
    )
    with files.open_files(path, path, 1000) as tables:
        kinds = {sql: tables.find_kind(f"c{i}", 0) for i, sql in enumerate(TYPES)}
        sample = tables.draw_sample(0, ["c2", "c3", "c4"], 50, 0)
    assert kinds == TYPES
    assert len(sample) == 50
    assert set(sample["c2"]) <= {b / 4 for b in range(7)}
    report = compare_files(path, path)
    assert "c7 holds list values and was left out." in report.warnings
    assert {"c2", "c3", "c4"} <= set(report.columns["column"])


def test_several_files_are_one_table_in_the_order_of_their_names(
    tmp_path: Path, tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_SAMPLE_ROWS", 100)
    old, new = make_table(900, 6), make_table(500, 7)
    folder = tmp_path / "a [folder] with 'marks'"
    folder.mkdir()
    old.loc[675:, "heavy"] = np.nan
    parts = [old.iloc[i : i + 225] for i in range(0, 900, 225)]
    parts[3] = parts[3].drop(columns="heavy")  # is missing there
    for i, part in enumerate(parts):
        write(part, folder / f"part-{i}.parquet")
    write(new, folder / "new.parquet")
    escaped = folder.parent / "a ?folder? with 'marks'"
    found = compare_files(escaped / "part-*.parquet", str(folder / "new.parquet"))
    assert_same(found, compare(old, new))


def test_beyond_many_categories_the_rarest_are_one(
    tmp_path: Path, tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    old, new = (pd.DataFrame({"c": random.zipf(1.5, 3000).astype(str)}) for _ in range(2))
    monkeypatch.setattr(files, "MAX_CATEGORIES", 10)
    with files.open_files(*write_both(tmp_path, old, new), 200) as tables:
        counts = tables.count_categories("c")
    both = pd.concat([old, new])["c"].value_counts()
    for table, found in zip((old, new), counts, strict=True):
        rest = found.pop("(all others)")
        known = table["c"].value_counts()
        assert rest == 3000 - known[list(found)].sum()
        assert found == known[list(found)].to_dict()
        assert set(found) == set(both.index[:10])


@pytest.mark.parametrize("name", ["none.parquet", "a folder", "t.csv", "damaged.parquet"])
def test_what_cannot_be_read_is_refused_in_plain_words(
    tmp_path: Path, tidy: Path, name: str
) -> None:
    (tmp_path / "t.csv").write_bytes(b"x" * 99)
    (tmp_path / "a folder").mkdir()
    good = write(make_table(5000, 1), tmp_path / "good.parquet")
    content = bytearray(good.read_bytes())
    content[2000:60_000] = bytes(58_000)
    (tmp_path / "damaged.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"could not be read\. Give Parquet files"):
        compare_files(good, tmp_path / name)
