"""A table ten times larger than the memory a process may have: `drift.compare_files`.

    python -m benchmarks.drift_files [--allowed 600] [--times 10] [--memory 128]

The process that compares may have ``--allowed`` MB of data in all, Python and its libraries
included; the system refuses it more (RLIMIT_DATA, so Linux only). The table has ``--times`` as many
bytes, counted as float64: half of its columns are continuous, the rest counts, rounded numbers and
categories. Each D is compared with scipy's, which a process without bounds computes column by
column. Needs about 1.5 times the table's bytes of disk.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
SIDES = ("reference", "current")
COLUMNS = 30
CONTINUOUS, COUNTS, ROUNDED = 15, 5, 5  # the rest are categories
KOLMOGOROV = "Kolmogorov–Smirnov"


def column(i: int, side: int) -> str:
    """SQL for one column: a function of the row's number, normal before it is rounded."""
    first, second = (f"(hash(row * 64 + {2 * i + k}) / 18446744073709551616)" for k in (0, 1))
    normal = f"(sqrt(-2 * ln({first} + 1e-300)) * cos(2 * pi() * {second}) + {side * i / 100})"
    if i < CONTINUOUS:
        return normal
    if i < CONTINUOUS + COUNTS:
        return f"floor(abs(4 * {normal}))"
    if i < CONTINUOUS + COUNTS + ROUNDED:
        return f"round({normal}, 2)"
    return f"'category ' || floor(abs(3 * {normal}))::INT"


def write(folder: Path, rows: int, console: Console) -> None:
    import duckdb

    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)}) as sql:
        sql.execute("SET preserve_insertion_order = false")
        for side, name in enumerate(track(SIDES, "Writing the tables", console=console)):
            columns = ", ".join(f"{column(i, side)} AS c{i}" for i in range(COLUMNS))
            first = side * rows
            sql.execute(
                f"COPY (SELECT {columns} FROM range({first}, {first + rows}) t(row)) "
                f"TO '{folder / name}.parquet' (FORMAT parquet)"
            )


def bounded(task: str, folder: Path, allowed: int, memory: int) -> dict[str, Any]:
    """What a process with ``allowed`` MB of data says of a task."""
    command = [sys.executable, "-m", "benchmarks.drift_files", "--child", task, str(folder)]
    command += ["--allowed", str(allowed), "--memory", str(memory)]
    # A thread of BLAS takes 40 MB as soon as it is there, whether it works or not.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(folder)}
    answer = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if answer.returncode:
        return {"ended": f"exit code {answer.returncode}"}
    return json.loads(answer.stdout.splitlines()[-1])


def child(task: str, folder: Path, allowed: int, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (allowed * 10**6,) * 2)
    began, found = time.perf_counter(), {}
    ended = "a report"
    paths = [folder / f"{name}.parquet" for name in SIDES]
    try:
        if task == "files":
            from course_utils.drift import compare_files

            report = compare_files(*paths, memory_mb=memory)
            tests = report.columns[report.columns["test"] == KOLMOGOROV]
            found = dict(zip(tests["column"], tests["effect"], strict=True))
        else:
            import duckdb

            from course_utils.drift import compare

            compare(*(duckdb.read_parquet(str(path)).df() for path in paths))
    except Exception as error:
        ended = type(error).__name__ + (f": {error}" if task == "files" else "")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    answer = {
        "ended": ended,
        "D": found,
        "wall": time.perf_counter() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
    }
    print(json.dumps(answer))


def exact(folder: Path, console: Console) -> dict[str, float]:
    """D of each column of numbers, by scipy."""
    import duckdb
    from scipy import stats

    found = {}
    with duckdb.connect(config={"memory_limit": "1GB"}) as sql:
        numbers = [f"c{i}" for i in range(CONTINUOUS + COUNTS + ROUNDED)]
        for name in track(numbers, "D by scipy", console=console):
            samples = (
                sql.execute(f"SELECT {name} FROM '{folder / side}.parquet'").fetchnumpy()[name]
                for side in SIDES
            )
            found[name] = float(stats.ks_2samp(*samples, method="asymp").statistic)
    return found


def benchmark(allowed: int, times: float, memory: int, console: Console) -> bool:
    size = allowed * 10**6 * times
    rows = int(size / 8 / COLUMNS / 2)
    with tempfile.TemporaryDirectory(prefix="drift-benchmark-") as place:
        folder = Path(place)
        if shutil.disk_usage(folder).free < 1.5 * size:
            sys.exit(f"{place} needs {1.5 * size / 1e9:.0f} GB; set TMPDIR to a larger disk.")
        write(folder, rows, console)
        written = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        console.print("Comparing ...")
        files = bounded("files", folder, allowed, memory)
        frames = bounded("frames", folder, allowed, memory)
        known = exact(folder, console)
    found = files.get("D", {})
    worst = max(abs(found.get(name, 1) - value) for name, value in known.items())
    table = Table("what", "figure", title=f"A table {times:g} times larger than memory")
    table.add_row("data the process may have, libraries included", f"{allowed} MB")
    table.add_row("table", f"2 × {rows:,} rows × {COLUMNS} columns")
    table.add_row("as float64", f"{size / 1e9:.1f} GB, {times:g} × the memory allowed")
    table.add_row("as Parquet", f"{written / 1e9:.1f} GB")
    table.add_row("compare, in memory, ends with", frames["ended"])
    table.add_row("compare_files ends with", files["ended"])
    table.add_row("its time", f"{files.get('wall', 0):.0f} s ({files.get('cpu', 0):.0f} CPU-s)")
    table.add_row("its peak of resident memory", f"{files.get('peak', 0) / 1e6:.0f} MB")
    table.add_row(f"largest difference of D to scipy's, {len(known)} columns", f"{worst:.1e}")
    console.print(table)
    return files["ended"] == "a report" and worst <= 1e-12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--allowed", type=int, default=600, help="MB")
    parser.add_argument("--times", type=float, default=10)
    parser.add_argument("--memory", type=int, default=128, help="MB for DuckDB")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child[0], Path(asked.child[1]), asked.allowed, asked.memory)
    elif not benchmark(asked.allowed, asked.times, asked.memory, Console()):
        sys.exit("Not as promised")


if __name__ == "__main__":
    main()
