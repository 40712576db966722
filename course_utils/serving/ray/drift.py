"""Drift of tables larger than memory, on many machines: `compare_files` on Ray Data.

The tests look at one column at a time, and Parquet keeps the columns apart. So the rows of the
data set that Ray spreads over the machines are the names of the columns: whoever gets some reads
those columns from the files, one after the other, within a bound on memory, and sends back a few
numbers. The table itself never travels through Ray.
"""

import logging
import pickle
import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import ClassifierMixin

from course_utils.drift import DriftReport
from course_utils.drift.columns import ColumnTest
from course_utils.drift.comparison import column_tests, compare_tables
from course_utils.drift.engine import SIDES, find, mebibytes
from course_utils.drift.files import Files, open_files
from course_utils.drift.frames import Batch
from course_utils.drift.layout import Layout
from course_utils.drift.verdict import Bounds
from course_utils.serving.ray import cluster

Paths = tuple[str, str]
Task = Callable[..., dict[str, Any]]
BLOCKS = 4  # of columns, a core: a slow one shall not keep the others waiting
PATIENCE = 30  # seconds until a core is free
LIBRARIES = 400 * 2**20  # bytes that a process takes besides the memory for the table


def compare_files(
    reference: str | Path,
    current: str | Path,
    *,
    memory: int | float | str = "250MB",
    address: str | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    auc_bound: float = 0.75,
    watch: float = 0.1,
    novel: float = 0.01,
    estimator: ClassifierMixin | None = None,
    max_rows: int = 10_000,
    keep: Sequence[str] = (),
) -> DriftReport:
    """`drift.compare_files` with the columns spread over a cluster; the report is the same.

    Args:
        reference: a Parquet file, or a pattern such as ``"2011/*.parquet"``; every machine finds
            it at this path.
        current: likewise.
        memory: what each task may hold of them at once; a machine runs as many as it has cores.
        address: of a cluster to join (see `cluster.enter`).
        alpha: this one and all others as of `drift.compare`.

    Raises:
        ConnectionError: no cluster answers at ``address``.
        ModuleNotFoundError: Ray is not installed.
        FileNotFoundError, MemoryError, OSError, ValueError: as of `drift.compare_files`; CSV files
            are refused.
    """
    most, paths = mebibytes(memory), (_parquet(0, reference), _parquet(1, current))
    bounds = Bounds(alpha, auc_bound, watch, novel)
    with open_files(*paths, memory) as files, cluster.joined(address):
        tables = Spread(files, partial(_spread, paths, most))
        return compare_tables(tables, bounds, seed, estimator, max_rows, keep, tables.tests)


def _parquet(side: int, path: str | Path) -> str:
    for file in find(SIDES[side], path):
        if file.suffix.lower() not in (".parquet", ".pq"):
            raise ValueError(
                f"The {SIDES[side]} table: {file.name} is CSV, which every task would have to read "
                "whole for its one column. Save it as Parquet first, for example with DuckDB: "
                f"COPY (FROM '{file.name}') TO '{file.stem}.parquet'."
            )
    return str(Path(path).expanduser().absolute())


class Spread:
    """`frames.Tables` whose columns are looked at by tasks, wherever they run.

    Args:
        files: the same tables as this machine reads them; only their headers are.
        spread: from a function of `Files` and names of columns, and all names, to its results.
    """

    def __init__(self, files: Files, spread: Callable[..., dict[str, Any]]):
        self.rows, self.names = files.rows, files.names
        self._shared, self._spread = files.shared, spread
        self._samples: dict[tuple[int, int], dict[str, tuple[pd.Series, pd.Series]]] = {}

    def kind(self, name: str, side: int) -> str:
        return self._surveyed[name][0][side]

    def missing(self, name: str) -> tuple[int, int]:
        return self._surveyed[name][1]

    def sample(self, side: int, names: list[str], most: int, seed: int) -> pd.DataFrame:
        known = self._samples.setdefault((most, seed), {})
        unknown = [name for name in names if name not in known]
        if unknown:
            known |= self._spread(partial(_draw, most=most, seed=seed), unknown)
        return pd.DataFrame({name: known[name][side] for name in names})

    def tests(self, _: Any, layout: Layout, seed: int) -> list[ColumnTest]:
        """`drift.column_tests`, each column's by a task."""
        task = partial(_test, categories=frozenset(layout.categories), seed=seed)
        found = self._spread(task, layout.features)
        layout.warnings += [line for name in layout.features for line in found[name][1]]
        return [test for name in layout.features for test in found[name][0]]

    @cached_property
    def _surveyed(self) -> dict[str, tuple[tuple[str, str], tuple[int, int]]]:
        return self._spread(_survey, self._shared)

    def moments(self, name: str, side: int) -> tuple[float, float]:
        raise NotImplementedError("the tasks compute them")

    def numbers(self, name: str) -> Iterator[Batch]:
        raise NotImplementedError("the tasks compute them")

    def categories(self, name: str) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        raise NotImplementedError("the tasks compute them")


def _spread(paths: Paths, memory: int, task: Task, names: list[str]) -> dict[str, Any]:
    """What ``task`` says of each column, computed wherever there is room.

    Raises:
        MemoryError: no machine has as much of it as a task is to have.
        RuntimeError: no core is free.
    """
    needs = {"num_cpus": 1, "memory": memory * 2**20 + LIBRARIES}
    _check_memory(needs["memory"])
    data, blocks = _quiet_data(), min(len(names), BLOCKS * _free_cores())
    columns = data.from_items([{"column": name} for name in names], override_num_blocks=blocks)
    found = columns.map_batches(partial(look, paths, memory, task), batch_size=None, **needs)
    return answers(found.iter_rows())


def answers(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What `look` found, by column; what went wrong there is raised here."""
    together: dict[str, Any] = {}
    for row in rows:
        answer = pickle.loads(row["answer"])
        if isinstance(answer, Exception):
            raise answer
        together |= answer
    return together


def _check_memory(needed: int) -> None:
    """Ray would wait for ever for a machine that has it."""
    alive = [node["Resources"] for node in cluster.ray().nodes() if node["Alive"]]
    largest = max((resources.get("memory", 0) for resources in alive), default=0)
    if needed > largest:
        raise MemoryError(
            f"A task needs {needed / 1e6:,.0f} MB, {LIBRARIES / 1e6:,.0f} of it for the libraries; "
            f"the largest machine of the cluster has {largest / 1e6:,.0f} MB. Ask for less."
        )


def _free_cores() -> int:
    engine, deadline = cluster.ray(), time.monotonic() + PATIENCE
    while engine.available_resources().get("CPU", 0) < 1:
        if time.monotonic() > deadline:
            raise RuntimeError(
                "No core is free: services may have taken them all. Stop one, ask for fewer "
                "replicas, or join a larger cluster by its address."
            )
        time.sleep(0.1)
    return int(engine.cluster_resources()["CPU"])


def _quiet_data() -> Any:
    with warnings.catch_warnings():  # its settings warn of themselves
        warnings.simplefilter("ignore", DeprecationWarning)
        from ray import data

        data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return data


def look(paths: Paths, memory: int, task: Task, batch: dict[str, Any]) -> dict[str, Any]:
    """Run ``task`` on some columns, wherever this is; what goes wrong is an answer, too."""
    from ray import cloudpickle  # the tests hold functions that pickle does not know

    names = [str(name) for name in batch["column"]]
    try:
        with open_files(*paths, memory) as files:
            files.shared = names  # the others are not even counted
            answer: Any = task(files, names)
    except Exception as error:
        answer = error.with_traceback(None)
    return {"answer": [cloudpickle.dumps(answer)]}


def _survey(files: Files, names: list[str]) -> dict[str, Any]:
    return {n: ((files.kind(n, 0), files.kind(n, 1)), files.missing(n)) for n in names}


def _draw(files: Files, names: list[str], *, most: int, seed: int) -> dict[str, Any]:
    old, new = (files.sample(side, names, most, seed) for side in (0, 1))
    return {name: (old[name], new[name]) for name in names}


def _test(
    files: Files, names: list[str], *, categories: frozenset[str], seed: int
) -> dict[str, Any]:
    found = {}
    for name in names:
        layout = Layout(categories=[name]) if name in categories else Layout(numbers=[name])
        found[name] = column_tests(files, layout, seed), layout.warnings
    return found
