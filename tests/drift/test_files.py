"""Tables on disk: the report is that of the same tables in memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_utils.drift import compare, compare_files, files
from tests.support.drift_files import query, same, write
from tests.support.drift_tables import changed

ROWS = 400


def several(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
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
    frame["select"] = frame["select"].replace("", "empty")  # a CSV file has no empty text
    for name in ("rounded", "letter", "heavy"):
        frame[name] = frame[name].mask(random.random(rows) < 0.1)
    frame.loc[random.choice(rows, 6, replace=False), "heavy"] = [np.inf, -np.inf, 0, 0, np.inf, 1]
    return frame


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    def written(old: pd.DataFrame, new: pd.DataFrame, suffix: str) -> tuple[Path, Path]:
        return write(old, tmp_path / f"old{suffix}"), write(new, tmp_path / f"new{suffix}")

    return written


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_the_report_is_that_of_the_tables_in_memory(pair, tidy: Path, suffix: str) -> None:
    old, new = several(ROWS, 1), several(ROWS - 90, 2, shift=0.5)
    new["nothing"] = 1.5
    new["truth"] |= new["x"] > 1000
    found = compare_files(*pair(old, new, suffix), memory=200)
    same(found, compare(old, new))
    assert "x" in found.significant
    assert any("day holds points in time" in warning for warning in found.warnings)
    assert found.rows == (ROWS, ROWS - 90)


def test_the_classifier_gets_the_same_rows_of_a_larger_table(pair, tidy: Path) -> None:
    old, new = several(3000, 3), several(2000, 4, shift=0.3)
    options = {"max_rows": 150, "seed": 7}
    found = compare_files(*pair(old, new, ".parquet"), **options)
    same(found, compare(old, new, **options))
    assert list(found.samples[0]["x"]) == list(compare(old, new, **options).samples[0]["x"])


def test_runs_of_equal_values_may_go_on_in_the_next_batch(
    pair, tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(5)
    old, new = (
        pd.DataFrame(
            {
                "constant": np.append(np.zeros(rows - 1), 1.5),
                "long runs": random.integers(0, 3, rows) / 2,
                "ties": random.normal(size=rows).round(2),
                "none": random.normal(scale=scale, size=rows),
            }
        )
        for rows, scale in ((9000, 1), (7000, 1.1))
    )
    monkeypatch.setattr(files, "VECTORS", 1)  # 2,048 rows
    monkeypatch.setattr(files, "FEW_VALUES", -1)  # all are sorted
    with files.open_files(*pair(old, new, ".parquet"), 200) as tables:
        assert len(list(tables.numbers("none"))) >= 8
        for name in old:
            batches = list(tables.numbers(name))
            values, counts = np.unique(np.append(old[name], new[name]), return_counts=True)
            assert np.concatenate([batch[0] for batch in batches]).tolist() == values.tolist()
            met = [np.diff(old + new, prepend=0) for _, old, new in batches]
            assert np.concatenate(met).tolist() == counts.tolist()
            for side, table in enumerate((old, new)):
                mean, deviation = tables.moments(name, side)
                assert mean == pytest.approx(table[name].mean(), rel=1e-12)
                assert deviation == pytest.approx(table[name].std(ddof=0), rel=1e-12)
    same(compare_files(*pair(old, new, ".parquet")), compare(old, new))


@pytest.mark.thorough
def test_counting_and_sorting_agree_with_scipy(
    pair, tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = changed("deviation × 1.3", 3)
    wanted = {name: stats.ks_2samp(old[name], new[name]).statistic for name in old.columns[:15]}
    for few in (-1, 100_000):
        monkeypatch.setattr(files, "FEW_VALUES", few)
        found = compare_files(*pair(old, new, ".parquet")).columns
        found = found[found["test"] == "Kolmogorov–Smirnov"].set_index("column")["effect"]
        assert found.to_dict() == pytest.approx(wanted, abs=1e-12)


def test_nan_and_null_are_missing_alike(tmp_path: Path, tidy: Path) -> None:
    select = "SELECT CASE WHEN i % 10 < {} THEN {} ELSE sin(i) END::{} AS x FROM range(500) t(i)"
    old = query(tmp_path / "old.parquet", select.format(2, "NULL", "DOUBLE"))
    new = query(tmp_path / "new.parquet", select.format(2, "'NaN'", "FLOAT"))
    found = compare_files(old, new).columns.set_index("test")
    assert found.loc["missing values", "effect"] == 0
    assert found.loc["missing values", "note"] == "missing in 20.0% of the rows, now in 20.0%"


TYPES = {
    "b::TINYINT": "number",
    "(b * 10)::UBIGINT": "number",
    "i::HUGEINT": "number",
    "(b / 4)::DECIMAL(10, 2)": "number",
    "to_seconds(b * 60)": "number",
    "b::FLOAT": "number",
    "b > 3": "category",
    "('v' || b)::ENUM('v0', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6')": "category",
    "DATE '2020-01-01' + b::INT": "time",
    "TIME '00:00' + to_minutes(b)": "time",
    "TIMESTAMPTZ '2020-01-01 00:00:00+00' + to_days(b::INT)": "time",
    "[b]": "holds list values",
    "{'b': b}": "holds struct values",
    "MAP {'b': b}": "holds map values",
    "('v' || b)::BLOB": "holds blob values",
    "NULL::INT": "empty",
}


def test_every_type_of_column_is_something(tmp_path: Path, tidy: Path) -> None:
    columns = ", ".join(f'{sql} AS "c{i}"' for i, sql in enumerate(TYPES))
    path = query(
        tmp_path / "t.parquet", f"SELECT {columns} FROM (SELECT i, i % 7 AS b FROM range(70) r(i))"
    )
    with files.open_files(path, path, "1GB") as tables:
        kinds = {sql: tables.kind(f"c{i}", 0) for i, sql in enumerate(TYPES)}
        minutes = np.concatenate([batch[0] for batch in tables.numbers("c4")])
        sample = tables.sample(0, ["c4", "c3", "c6", "c7"], 50, 0)
    assert kinds == TYPES
    assert minutes.tolist() == [60 * b for b in range(7)]  # seconds, as of pandas' durations
    assert len(sample) == 50
    assert set(sample["c3"]) <= {b / 4 for b in range(7)}
    report = compare_files(path, path)
    assert "c11 holds list values and was left out." in report.warnings
    assert {"c1", "c3", "c6", "c7"} <= set(report.columns["column"])


def test_several_files_are_one_table_in_the_order_of_their_names(
    tmp_path: Path, tidy: Path
) -> None:
    old, new = several(900, 6), several(500, 7)
    folder = tmp_path / "a [folder] with 'marks'"
    folder.mkdir()
    for i, part in enumerate(np.array_split(np.arange(900), 4)):
        write(old.iloc[part], folder / f"part-{i}.parquet")
        write(new.iloc[part[part < 500]], folder / f"part-{i}.csv") if part[0] < 500 else None
    escaped = folder.parent / "a ?folder? with 'marks'"
    found = compare_files(escaped / "part-*.parquet", str(escaped / "*.csv"), max_rows=100)
    same(found, compare(old, new, max_rows=100))
    one = compare_files(folder / "part-0.parquet", folder / "part-0.csv")
    assert one.rows == (225, 225)


def test_a_column_that_some_of_the_files_lack_is_missing_there(tmp_path: Path, tidy: Path) -> None:
    old = several(300, 8)[["x", "count"]]
    write(old[["x"]], tmp_path / "new-1.parquet")
    write(old, tmp_path / "new-2.parquet")
    found = compare_files(write(old, tmp_path / "old.parquet"), tmp_path / "new-?.parquet").columns
    missing = found[found["test"] == "missing values"].iloc[0]
    assert (missing["column"], missing["effect"]) == ("count", 0.5)


def test_text_in_the_last_row_makes_a_csv_column_text(tmp_path: Path, tidy: Path) -> None:
    rows = 60_000  # more than a reader looks at to guess
    numbers = pd.DataFrame({"x": np.arange(rows) % 7, "y": np.sin(np.arange(rows)).round(6)})
    texts = numbers.astype({"x": str})
    texts.loc[rows - 1, "x"] = "many"
    found = compare_files(
        write(numbers, tmp_path / "old.csv"), write(texts, tmp_path / "new.csv"), max_rows=100
    )
    assert any("x: was a number column and is now a category" in said for said in found.reasons)


def test_columns_that_come_and_go_are_reasons(pair, tidy: Path) -> None:
    old = several(100, 9)[["x", "count", "letter"]]
    new = old.rename(columns={"letter": "Letter"}).assign(count="many")
    same(compare_files(*pair(old, new, ".parquet")), compare(old, new))
    found = compare_files(*pair(old, new, ".parquet"))
    assert found.decision == "watch"
    assert len(found.reasons) >= 3


def test_beyond_many_categories_the_rarest_are_one(
    pair, tidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    old, new = (pd.DataFrame({"c": random.zipf(1.5, 3000).astype(str)}) for _ in range(2))
    monkeypatch.setattr(files, "MOST_CATEGORIES", 10)
    with files.open_files(*pair(old, new, ".parquet"), 200) as tables:
        counts = tables.categories("c")
    both = pd.concat([old, new])["c"].value_counts()
    for table, found in zip((old, new), counts, strict=True):
        assert sum(found.values()) == 3000
        rest = found.pop("(all others)")
        known = table["c"].value_counts()
        assert rest == 3000 - known[list(found)].sum()
        assert found == known[list(found)].to_dict()
        assert set(found) == set(both.index[:10])


def text_file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


LINES = "x,y\n" + "1,2\n3,4\n" * 50


REFUSED = {
    "no such file": ("none.parquet", None, FileNotFoundError, "reference table: there is no file"),
    "no match": ("none-*.csv", None, FileNotFoundError, "there is no file"),
    "an address": ("https://example.org/a.csv", None, FileNotFoundError, "there is no file"),
    "a folder": ("", None, ValueError, r"is the folder .*; say which of its files"),
    "another kind": ("t.xlsx", b"PK", ValueError, r"t.xlsx is none of the files .*\.parquet"),
    "an empty Parquet file": ("t.parquet", b"", ValueError, "reference .*too small"),
    "no Parquet file": ("t.parquet", b"x" * 99, ValueError, "reference table could not be read"),
    "an empty CSV file": ("t.csv", "", ValueError, "reference table has 0 rows"),
    "only a header": ("t.csv", "x,y\n", ValueError, "reference table has 0 rows"),
    "one row": ("t.csv", "x,y\n1,2\n", ValueError, "reference table has 1 row"),
    "ragged lines": ("t.csv", "x,y\n1,2\n1,2,3,4\n5,6\n", ValueError, "one column named 'x,y'"),
    "Latin-1": ("t.csv", LINES.encode() + b"\xe4,1\n", ValueError, "reference .*unicode"),
    "a name twice": ("t.csv", LINES.replace("y", "x"), ValueError, "columns named 'x', 'x'"),
    "capitals": ("t.csv", LINES.replace("y", "X"), ValueError, "'x', 'X', which cannot be told"),
    "nothing in common": ("t.csv", "a;b\n" + "1;2\n" * 30, ValueError, "no column in common"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_plain_words(
    tmp_path: Path, tidy: Path, case: str
) -> None:
    name, content, error, message = REFUSED[case]
    path: str | Path = tmp_path / name if "://" not in name else name
    if content is not None:
        text_file(tmp_path, name, content)
    good = text_file(tmp_path, "good.csv", LINES)
    with pytest.raises(error, match=message):
        compare_files(path, good)
    if "reference" in message:
        with pytest.raises(error, match=message.replace("reference", "current")):
            compare_files(good, path)


def test_capitals_alone_do_not_tell_parquet_columns_apart(tmp_path: Path, tidy: Path) -> None:
    nested = "{'A': 1, 'B': {'a': 2}} AS s"
    path = query(
        tmp_path / "t.parquet", f"SELECT sin(i) AS a, i % 3 AS b, {nested} FROM range(90) t(i)"
    )
    assert compare_files(path, path).decision == "keep"  # inside a struct they do no harm
    content = path.read_bytes()
    assert content.count(b"b") > 1
    frame = pd.DataFrame({"aa": np.sin(np.arange(90.0)), "bb": np.arange(90) % 5})
    content = write(frame, path).read_bytes().replace(b"bb", b"AA")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="'aa', 'AA', which cannot be told apart"):
        compare_files(path, path)


def test_a_damaged_file_is_refused(tmp_path: Path, tidy: Path) -> None:
    path = write(several(5000, 1), tmp_path / "t.parquet")
    content = bytearray(path.read_bytes())
    content[2000:60_000] = bytes(58_000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="The tables could not be read: "):
        compare_files(path, path)


def test_parquet_and_csv_files_make_no_table_together(tmp_path: Path, tidy: Path) -> None:
    write(several(30, 1), tmp_path / "a.csv")
    write(several(30, 1), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="stands for CSV and Parquet files"):
        compare_files(tmp_path / "[ab].*", tmp_path / "a.csv")
