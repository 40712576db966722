"""Drift of tables larger than memory, on many machines: `compare_files` on Ray Data.

The tests look at one column at a time, and Parquet keeps the columns apart. So the rows of the
data set that Ray spreads over the machines are the names of the columns: whoever gets a name reads
that column from the files, within a bound on memory, and sends back a few numbers. The table itself
never travels through Ray.
"""

import logging
import pickle
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import ClassifierMixin

from course_utils.drift import DriftReport, column_tests, compare_tables
from course_utils.drift.columns import ColumnTest
from course_utils.drift.engine import SIDES, find, mebibytes
from course_utils.drift.files import Files, open_files
from course_utils.drift.frames import Batch
from course_utils.drift.layout import Layout
from course_utils.drift.verdict import Bounds
from course_utils.scale import cluster

Paths = tuple[str, str]
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
    """`frames.Tables` of which each column is looked at by a task of its own.

    Args:
        files: the same tables as this machine reads them; only their headers are.
        spread: from a function of `Files` and a column's name, and the names, to its results.
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


def _spread(
    paths: Paths, memory: int, task: Callable[..., Any], names: Iterable[str]
) -> dict[str, Any]:
    """What ``task`` says of each column, computed wherever there is room."""
    data = _quiet_data()
    rows = [{"column": name} for name in names]
    needs = {"num_cpus": 1, "memory": memory * 2**20 + LIBRARIES}
    columns = data.from_items(rows, override_num_blocks=len(rows))
    return dict(answers(columns.map(partial(look, paths, memory, task), **needs).iter_rows()))


def answers(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The columns' names with what `look` found of them; what went wrong there is raised here."""
    for row in rows:
        answer = pickle.loads(row["answer"])
        if isinstance(answer, Exception):
            raise answer
        yield row["column"], answer


def _quiet_data() -> Any:
    with warnings.catch_warnings():  # its settings warn of themselves
        warnings.simplefilter("ignore", DeprecationWarning)
        from ray import data

        data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return data


def look(
    paths: Paths, memory: int, task: Callable[..., Any], row: dict[str, Any]
) -> dict[str, Any]:
    """Run ``task`` on one column, wherever this is; what goes wrong is an answer, too."""
    from ray import cloudpickle  # the tests hold functions that pickle does not know

    name = row["column"]
    try:
        with open_files(*paths, memory) as files:
            files.shared = [name]  # the others are not even counted
            answer: Any = task(files, name)
    except Exception as error:
        answer = error.with_traceback(None)
    return {"column": name, "answer": cloudpickle.dumps(answer)}


def _survey(files: Files, name: str) -> tuple[tuple[str, str], tuple[int, int]]:
    return (files.kind(name, 0), files.kind(name, 1)), files.missing(name)


def _draw(files: Files, name: str, *, most: int, seed: int) -> tuple[pd.Series, pd.Series]:
    old, new = (files.sample(side, [name], most, seed)[name] for side in (0, 1))
    return old, new


def _test(
    files: Files, name: str, *, categories: frozenset[str], seed: int
) -> tuple[list[ColumnTest], list[str]]:
    layout = Layout(categories=[name]) if name in categories else Layout(numbers=[name])
    return column_tests(files, layout, seed), layout.warnings
