"""Drift of a table larger than Ray's object store: `compare_files`.

    python -m benchmarks.scale_drift [--rows 2000000] [--memory 128]

The table is that of `benchmarks.drift_files`. Beside the time and the largest process of a task
stand `drift.compare_files` in one process, whose report has to be the same, and Ray Data's own
sort of one single column, which is what the tests would start with if the table went through Ray.
"""

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.drift_files import COLUMNS, SIDES, write
from course_utils import drift
from course_utils.serving import ray as on_ray
from course_utils.serving.ray import cluster
from course_utils.serving.ray.drift import compare_files
from tests.support.drift_files import same
from tests.support.raylets import children


class Watch:
    """The largest memory that any task's process has had."""

    def __init__(self) -> None:
        self.peak = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._end.wait(0.1):
            for process in children():
                try:
                    if process.name().startswith("ray::"):
                        self.peak = max(self.peak, process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def timed(work: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def sorted_by_ray(path: Path) -> None:
    """Ray Data's own way to a column in order."""
    from ray import data

    data.DataContext.get_current().enable_progress_bars = False
    column = data.read_parquet(str(path)).select_columns(["c0"])
    for _ in column.sort("c0").iter_batches():
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="a side")
    parser.add_argument("--memory", type=int, default=128, help="MiB a task")
    options = parser.parse_args()
    console = Console()
    size = 2 * options.rows * COLUMNS * 8
    with tempfile.TemporaryDirectory(prefix="scale-drift-") as place:
        folder = Path(place)
        write(folder, options.rows, console)
        paths = [folder / f"{side}.parquet" for side in SIDES]
        plain, alone = timed(lambda: drift.compare_files(*paths, memory=options.memory))
        with on_ray.joined(None), Watch() as watch:
            compare_files(*paths, memory=options.memory, max_rows=100)  # starts processes
            spread, together = timed(lambda: compare_files(*paths, memory=options.memory))
            peak = watch.peak
            _, one_sort = timed(lambda: sorted_by_ray(paths[0]))
    same(spread, plain)
    table = Table("what", "figure", title="Drift on Ray Data")
    table.add_row("table, as float64", f"{size / 1e6:,.0f} MB")
    times = size / cluster.OBJECT_STORE
    table.add_row("of the object store", f"{times:.1f} ×")
    table.add_row("memory a task may use for it", f"{options.memory} MiB")
    table.add_row("largest process, Python and libraries included", f"{peak / 1e6:,.0f} MB")
    table.add_row("report", "the same as of drift.compare_files")
    table.add_row("time, of drift.compare_files on the same cores", f"{together / alone:.2f} ×")
    table.add_row("Ray Data's sort of one column of one side", f"{one_sort:.1f} s")
    table.add_row(f"all tests of {COLUMNS} columns of both", f"{together:.1f} s")
    console.print(table)
    if times < 1 or peak > (options.memory + 700) * 2**20:
        sys.exit("The table is smaller than the object store, or a task took too much memory.")


if __name__ == "__main__":
    main()
