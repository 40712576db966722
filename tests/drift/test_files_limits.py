"""Tables on disk are compared within the memory and disk allowed, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from scipy import stats

from course_utils.drift import compare_files, files
from tests.support.drift_files import query
from tests.support.serving import wait_until

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux bounds a process so")


def test_too_little_memory_is_said(tmp_path: Path, tidy: Path) -> None:
    path = query(tmp_path / "t.parquet", "SELECT range AS x FROM range(30)")
    with (
        pytest.raises(MemoryError, match=r"128 MB are too little.*memory_mb=256"),
        files.open_files(path, path, 128) as tables,
    ):
        tables._fetch("SELECT len(list(i)) FROM range(40_000_000) t(i)")


def test_hardly_any_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="memory_mb is -1; give at least 128"):
        compare_files("old.parquet", "new.parquet", memory_mb=-1)


CHILD = """
import re, resource, signal, sys
from pathlib import Path
import numpy as np
import pandas, scipy.stats, sklearn.ensemble
from course_utils.drift import compare_files

old, new, memory, data, written = sys.argv[1:]
pandas.Series(["text"])  # whatever pandas keeps texts in is loaded before data are counted
if int(data):
    used = int(re.search(r"VmData:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
    resource.setrlimit(resource.RLIMIT_DATA, ((used << 10) + (int(data) << 20),) * 2)
    try:
        np.empty((8, 2, 5_000_000))
    except MemoryError:
        print("does not fit")
if int(written):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(written),) * 2)
print("begun", flush=True)
try:
    report = compare_files(old, new, memory_mb=int(memory))
except (KeyboardInterrupt, OSError, MemoryError) as error:
    print(type(error).__name__, error)
else:
    found = report.columns[report.columns["test"] == "Kolmogorov–Smirnov"]
    print(found.set_index("column")["effect"].to_json(double_precision=15))
"""


def start_child(
    folder: Path, old: Path, new: Path, *, data: int = 0, written: int = 0
) -> "subprocess.Popen[str]":
    """A comparison in a process of its own, with bounds on its data and on the files it writes."""
    for name in ("home", "temporary"):
        (folder / name).mkdir(exist_ok=True)
    arguments = map(str, (old, new, 128, data, written))
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments],
        env=os.environ | {"HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """5,000,000 rows a side of 8 columns: as float64, 640 MB."""
    folder = tmp_path_factory.mktemp("large")
    columns = ", ".join(f"(hash(i + {k}) % {10 * k})::DOUBLE AS c{k}" for k in range(1, 8))
    return tuple(
        query(
            folder / f"{name}.parquet",
            f"SELECT sqrt(hash(i + {seed}) / 18446744073709551616) {shift} AS x, {columns} "
            f"FROM range({seed}, {seed} + 5000000) t(i)",
        )
        for name, seed, shift in (("old", 0, ""), ("new", 10**9, "+ 0.01"))
    )


@pytest.mark.thorough
@LINUX
def test_a_table_larger_than_the_memory_allowed_is_compared(
    tmp_path: Path, large: tuple[Path, Path]
) -> None:
    process = start_child(tmp_path, *large, data=420)  # and the table has 640 MB
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert out.startswith("does not fit\nbegun\n")
    assert errors == ""  # no bar where there is no terminal
    with duckdb.connect() as sql:
        old, new = (sql.execute(f"SELECT x FROM '{path}'").fetchnumpy()["x"] for path in large)
    wanted = stats.ks_2samp(old, new, method="asymp").statistic
    assert json.loads(out.splitlines()[-1])["x"] == pytest.approx(wanted, abs=1e-12)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.thorough
@LINUX
def test_a_full_disk_is_said_and_tidied(tmp_path: Path, large: tuple[Path, Path]) -> None:
    process = start_child(tmp_path, *large, written=100_000)  # bytes that a file may have
    out, errors = process.communicate(timeout=60)
    assert "OSError The disk is full" in out, errors
    assert "TMPDIR" in out
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.thorough
@pytest.mark.skipif(os.name == "nt", reason="on Windows, Ctrl-C reaches all of a console")
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, large: tuple[Path, Path]) -> None:
    process = start_child(tmp_path, *large)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    assert wait_until(lambda: list((tmp_path / "temporary").glob("*/spilled/*")))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert out.startswith("KeyboardInterrupt"), errors
    assert list((tmp_path / "temporary").iterdir()) == []
