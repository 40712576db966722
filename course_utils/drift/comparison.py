"""Compare two tables: every column by itself, all of them together, and a verdict.

`compare` puts the table a model was trained on beside the rows it meets today. Every column is
tested by itself, all of them together by a classifier (section 13.4), and the verdict asks for
significance and for size. `compare_files` does the same for tables larger than memory.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin

from course_utils.drift.columns import (
    ColumnTest,
    category_tests,
    come_and_gone,
    number_tests,
    share_test,
)
from course_utils.drift.findings import table
from course_utils.drift.frames import Frames, Tables, rows_to_see
from course_utils.drift.joint import tell_apart
from course_utils.drift.layout import FEWEST_ROWS, Layout, arrange, check
from course_utils.drift.ranks import Ranks
from course_utils.drift.report import DriftReport
from course_utils.drift.shares import Share, Shares
from course_utils.drift.verdict import NO_CHANGE, Bounds, decide, judge, reasons

ColumnTests = Callable[[Tables, Layout, int], list[ColumnTest]]


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    alpha: float = 0.05,
    seed: int = 0,
    auc_bound: float = 0.75,
    watch: float = 0.1,
    novel: float = 0.01,
    estimator: ClassifierMixin | None = None,
    max_rows: int = 10_000,
    keep: Sequence[str] = (),
) -> DriftReport:
    """Compare the rows a model was trained on with those it meets now.

    Args:
        reference: the training rows, at least 20.
        current: today's rows, at least 20; columns are matched by name.
        alpha: chance that anything at all is called significant where nothing has changed.
        seed: for the classifier and the rows it is given.
        auc_bound: the AUC from which on to retrain; the chapter's 0.75.
        watch: the effect from which on to watch (see `verdict.Bounds`).
        novel: the same for what the reference never had: missing values, unseen categories.
        estimator: the scikit-learn classifier that tells old from new; by default a random forest.
        max_rows: rows a side that the classifier is given.
        keep: columns to compare even though they look like identifiers.

    Raises:
        TypeError: one of them is no DataFrame.
        ValueError: they cannot be compared; the message says why and what to do.
    """
    for name, frame in (("reference", reference), ("current", current)):
        if not isinstance(frame, pd.DataFrame):
            raise TypeError(
                f"The {name} table is a {type(frame).__name__}; give a pandas DataFrame, "
                "for example pandas.DataFrame(rows)."
            )
    bounds = Bounds(alpha, auc_bound, watch, novel)
    return compare_tables(Frames(reference, current), bounds, seed, estimator, max_rows, keep)


def compare_files(
    reference: str | Path,
    current: str | Path,
    *,
    memory: int | float | str = "1GB",
    alpha: float = 0.05,
    seed: int = 0,
    auc_bound: float = 0.75,
    watch: float = 0.1,
    novel: float = 0.01,
    estimator: ClassifierMixin | None = None,
    max_rows: int = 10_000,
    keep: Sequence[str] = (),
) -> DriftReport:
    """`compare` for tables on disk that may be larger than memory; the report is the same.

    What does not fit in memory, and a Parquet copy of each CSV file, lie in a folder among the
    system's temporary files (the environment variable TMPDIR moves it) and are deleted at the end,
    however that comes.

    Args:
        reference: a Parquet or CSV file, or a pattern such as ``"2011/*.parquet"`` for several
            that make one table.
        current: likewise.
        memory: what may be held of them at once, in MiB or as in ``"500MB"``; at least 128 MiB.
            Python and its libraries come on top.
        alpha: this one and all others as of `compare`.

    Raises:
        FileNotFoundError: no such file.
        MemoryError: ``memory`` is too little.
        OSError: the disk is full, or a file may not be read.
        ValueError: they cannot be read or compared; the message says why and what to do.
    """
    from course_utils.drift.files import open_files

    bounds = Bounds(alpha, auc_bound, watch, novel)
    with open_files(reference, current, memory) as tables:
        return compare_tables(tables, bounds, seed, estimator, max_rows, keep)


# Python's own strings: Arrow, where pandas 3 finds it, refuses texts that pandas has always taken.
@pd.option_context("mode.string_storage", "python")  # type: ignore[untyped-decorator]
def compare_tables(
    tables: Tables,
    bounds: Bounds,
    seed: int,
    estimator: ClassifierMixin | None,
    max_rows: int,
    keep: Sequence[str],
    test: ColumnTests | None = None,
) -> DriftReport:
    """`compare` for tables wherever they are; ``test`` takes the place of `column_tests`."""
    for name, value, least in (("seed", seed, 0), ("max_rows", max_rows, 2 * FEWEST_ROWS)):
        if not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number from {least} on.")
    check(tables)
    layout = arrange(tables, (keep,) if isinstance(keep, str) else tuple(keep), seed)
    if not layout.features and not layout.gone:
        raise ValueError(" ".join(["No column could be compared.", *layout.warnings]))
    tests = (test or column_tests)(tables, layout, seed)
    joint = None
    most = rows_to_see(len(layout.features), max_rows)
    samples = tuple(tables.sample(side, layout.features, most, seed) for side in (0, 1))
    if layout.features:
        joint = tell_apart(samples, layout.numbers, estimator, alpha=bounds.alpha, seed=seed)
    judged = judge(tests, joint, bounds)
    if joint and judged[-1].verdict == NO_CHANGE:
        joint = replace(joint, ranking={})  # what betrays nothing is not ranked
    return DriftReport(
        columns=table(tests, joint, judged, bounds.alpha),
        decision=decide([j.verdict for j in judged], bool(layout.gone)),
        reasons=reasons(tests, joint, judged, bounds, layout.gone),
        warnings=layout.warnings,
        rows=tables.rows,
        bounds=bounds,
        joint=joint,
        samples=samples,
    )


def column_tests(tables: Tables, layout: Layout, seed: int) -> list[ColumnTest]:
    """The tests of every column by itself."""
    tests: list[ColumnTest] = []
    for name in layout.features:
        (n, m), missing = tables.rows, tables.missing(name)
        tests += share_test(name, "missing", Share(missing[0], n, missing[1], m))
        present = n - missing[0], m - missing[1]
        if not all(present):
            continue  # the missing values say it all
        if name in layout.categories:
            shares = Shares.count(*tables.categories(name))
            tests += category_tests(name, shares, seed)
            layout.warnings += come_and_gone(name, shares)
            continue
        ranks = Ranks(*present)
        for batch in tables.numbers(name):
            ranks.add(*batch)
        n, m = present
        tests += share_test(name, "infinite", Share(ranks.infinite[0], n, ranks.infinite[1], m))
        tests += number_tests(name, ranks, _shift(tables.moments(name, 0), tables.moments(name, 1)))
    return tests


def _shift(reference: tuple[float, float], current: tuple[float, float]) -> float:
    """How far the mean has moved, in standard deviations of the reference; NaN of a constant."""
    mean, deviation = reference
    if not deviation > 1e-12 * abs(mean):
        return math.nan
    shift = (current[0] - mean) / deviation
    return shift if math.isfinite(shift) else math.nan
