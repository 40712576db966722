"""How often `drift.compare` cries wolf, how often it hears one, and what it costs.

    python -m benchmarks.drift [--tables 1000] [--runs 200] [--only alarms|catches|speed]

- alarms: pairs of tables of one and the same distribution, so that whatever is called significant
  is a false alarm.
- catches: pairs between which one thing has changed; how often the report names it.
- speed: a million rows a side of 20 columns, beside SciPy's KS test alone and beside evidently,
  which is installed into an environment of its own for that.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from course_utils.drift import compare
from tests.support.drift_tables import CHANGES, changed, continuous, mixed, unchanged

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"continuous": continuous, "ties, categories, missing": mixed}
ROWS, COLUMNS = 1_000_000, 20
EVIDENTLY = ("evidently>=0.7,<0.8", "pandas<3")
console = Console()


def alarm(kind: str, columns: int, seed: int) -> tuple[bool, bool]:
    """Was anything significant in a pair without a change, and was the verdict not keep?"""
    report = compare(*unchanged(KINDS[kind], columns, seed), seed=seed)
    return bool(report.significant), report.decision != "keep"


def catch(change: str, seed: int) -> bool:
    """Was the change named?"""
    report = compare(*changed(change, seed), seed=seed)
    return CHANGES[change][2] in report.significant


def spread(pool: ProcessPoolExecutor, task: Any, what: tuple[Any, ...], runs: int) -> list[Any]:
    jobs = pool.map(task, *([value] * runs for value in what), range(runs), chunksize=5)
    label = ", ".join(map(str, what))
    return list(track(jobs, label, total=runs, console=console, transient=True))


def alarms(pool: ProcessPoolExecutor, runs: int) -> bool:
    table = Table("columns", "of them", "significant", "verdict not keep", "holds")
    held = True
    for kind in KINDS:
        for columns in (1, 20, 200):
            found = np.array(spread(pool, alarm, (kind, columns), runs)).mean(axis=0)
            low = 0.035 if kind == "continuous" else 0.0
            holds = low <= found[0] <= 0.065 and found[1] <= 0.01
            held &= holds
            table.add_row(str(columns), kind, f"{found[0]:.1%}", f"{found[1]:.1%}", mark(holds))
    console.print(f"\nFalse alarms in {runs:,} pairs of tables each (500 and 400 rows)")
    console.print(table)
    console.print("Bounds: at most 6.5 %, of continuous columns at least 3.5 %; not keep 1 %.")
    return held


def catches(pool: ProcessPoolExecutor, runs: int) -> bool:
    table = Table("change", "rows a side", "named", "holds")
    held = True
    for change, (_, rows, _) in CHANGES.items():
        named = float(np.mean(spread(pool, catch, (change,), runs)))
        held &= named >= 0.95
        table.add_row(change, f"{rows:,}", f"{named:.1%}", mark(named >= 0.95))
    console.print(f"\nChanges caught in {runs} pairs of tables each (20 columns)")
    console.print(table)
    return held


def speed() -> bool:
    random = np.random.default_rng(0)
    names = [f"x{i}" for i in range(COLUMNS)]
    reference, current = (
        pd.DataFrame(random.normal(size=(ROWS, COLUMNS)) + mean, columns=names)
        for mean in (0, 0.01)
    )
    size = int(reference.memory_usage().sum() + current.memory_usage().sum())
    with Peak() as peak:
        wall, begun = time.perf_counter(), time.process_time()
        report = compare(reference, current)
        own, wall = time.process_time() - begun, time.perf_counter() - wall
    begun = time.process_time()
    found = [stats.ks_2samp(reference[name], current[name]).statistic for name in names]
    scipy = time.process_time() - begun
    ks = report.columns[report.columns["test"] == "Kolmogorov–Smirnov"].set_index("column")
    error = float(np.abs(ks["statistic"][names].to_numpy() - found).max())
    memory = 1 + peak.growth / size
    table = Table("what", "figure", "bound", "holds")
    checks = [
        ("CPU seconds, full report", f"{own:.1f}", "10", own <= 10),
        ("the tables and the report's memory, × the tables", f"{memory:.2f}", "2", memory <= 2),
        ("largest difference of D to SciPy's", f"{error:.1e}", "1e-12", error <= 1e-12),
        ("verdict on a shift of 0.01 σ", report.decision, "keep", report.decision == "keep"),
    ]
    for what, figure, bound, holds in checks:
        table.add_row(what, figure, bound, mark(holds))
    table.add_row("CPU, × SciPy's KS tests alone", f"{own / scipy:.2f} ({scipy:.1f} s)", "", "")
    beside = evidently()
    table.add_row("wall clock, × evidently's", f"{wall / beside:.3f} ({beside:.0f} s)", "", "")
    console.print(f"\nA full report on {ROWS:,} rows a side, {COLUMNS} columns")
    console.print(table)
    return all(holds for *_, holds in checks)


class Peak:
    """The most memory that this process takes within the block, over what it had."""

    def __enter__(self) -> "Peak":
        self.process, self.done, self.growth = psutil.Process(), threading.Event(), 0
        self.base = self.process.memory_info().rss
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.002):
            self.growth = max(self.growth, self.process.memory_info().rss - self.base)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


def evidently() -> float:
    """Seconds that evidently takes for the same tables."""
    code = f"""
import json, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
random = np.random.default_rng(0)
names = [f"x{{i}}" for i in range({COLUMNS})]
tables = [pd.DataFrame(random.normal(size=({ROWS}, {COLUMNS})) + mean, columns=names)
          for mean in (0, 0.01)]
begun = time.perf_counter()
result = Report([DataDriftPreset(num_method="ks")]).run(tables[1], tables[0])
result.json()
print(json.dumps(time.perf_counter() - begun))
"""
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "venv", folder])
        python = Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        with console.status("evidently, in an environment of its own"):
            run([python, "-m", "pip", "install", "--quiet", *EVIDENTLY])
            return float(json.loads(run([python, "-c", code]).splitlines()[-1]))


def run(command: Iterable[str | Path]) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{done.args[:4]} failed: {done.stderr[-800:]}")
    return done.stdout


def mark(holds: bool) -> str:
    return "yes" if holds else "[bold red]no"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", choices=("alarms", "catches", "speed"))
    options = parser.parse_args()
    parts = {
        "speed": lambda pool: speed(),
        "catches": lambda pool: catches(pool, options.runs),
        "alarms": lambda pool: alarms(pool, options.tables),
    }
    chosen = [options.only] if options.only else list(parts)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = [parts[name](pool) for name in chosen]
        if not all(results):
            sys.exit("A bound is missed.")


if __name__ == "__main__":
    main()
