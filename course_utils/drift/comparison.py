"""Compare two tables: every column by itself, all of them together, and a verdict.

`compare` puts the table a model was trained on beside the rows it meets today. Every column is
tested by itself, all of them together by a classifier (section 13.4), and the verdict asks for
significance and for size. `compare_files` does the same for tables larger than memory.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from course_utils.drift.category_tests import (
    Share,
    Shares,
    category_tests,
    name_changed_categories,
    share_test,
)
from course_utils.drift.classifier import tell_apart
from course_utils.drift.column_test import ColumnTest
from course_utils.drift.layout import Layout, arrange, check_tables, sample_rows
from course_utils.drift.number_tests import RankTest, number_tests
from course_utils.drift.report import DriftReport
from course_utils.drift.tables import MemoryTables, Tables
from course_utils.drift.verdict import NO_CHANGE, decide, explain, judge, sort_by_severity


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    alpha: float = 0.05,
    seed: int = 0,
    keep: str | Sequence[str] = (),
) -> DriftReport:
    """Compare the rows a model was trained on with those it meets now.

    Args:
        reference: the training rows, at least 20.
        current: today's rows, at least 20; columns are matched by name.
        alpha: chance that anything at all is called significant where nothing has changed.
        seed: for the classifier and the rows it is given.
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
    return _compare_tables(MemoryTables(reference, current), alpha, seed, keep)


def compare_files(
    reference: str | Path,
    current: str | Path,
    *,
    memory: int | str = "1GB",
    alpha: float = 0.05,
    seed: int = 0,
    keep: str | Sequence[str] = (),
) -> DriftReport:
    """`compare` for tables on disk that may be larger than memory; the report is the same.

    What does not fit in memory lies in a folder among the system's temporary files (the environment
    variable TMPDIR moves it) and is deleted at the end, also after an error or Ctrl-C.

    Args:
        reference: a Parquet file, or a pattern such as ``"2011/*.parquet"`` for several that make
            one table. DuckDB turns a CSV file into one: ``COPY (FROM 'a.csv') TO 'a.parquet'``.
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

    with open_files(reference, current, memory) as tables:
        return _compare_tables(tables, alpha, seed, keep)


# Python's own strings: Arrow, where pandas 3 finds it, refuses texts that pandas has always taken.
@pd.option_context("mode.string_storage", "python")  # type: ignore[untyped-decorator]
def _compare_tables(
    tables: Tables, alpha: float, seed: int, keep: str | Sequence[str]
) -> DriftReport:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; it must lie between 0 and 0.5.")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be a whole number from 0 on.")
    check_tables(tables)
    layout = arrange(tables, (keep,) if isinstance(keep, str) else tuple(keep), seed)
    if not layout.features and not layout.changed:
        raise ValueError(" ".join(["No column could be compared.", *layout.warnings]))
    tests = _test_columns(tables, layout, seed)
    most = sample_rows(len(layout.features))
    old, new = (tables.sample(side, layout.features, most, seed) for side in (0, 1))
    classifier = None
    if layout.features:
        classifier = tell_apart((old, new), layout.numbers, alpha=alpha, seed=seed)
        tests.append(classifier.as_test(alpha))
    judged = judge(tests, alpha)
    if classifier and judged["verdict"].iloc[-1] == NO_CHANGE:
        classifier = replace(classifier, ranking={})  # what tells nothing is not ranked
    return DriftReport(
        columns=sort_by_severity(judged),
        decision=decide(judged, form_changed=bool(layout.changed)),
        reasons=explain(judged, classifier, alpha, layout.changed),
        warnings=layout.warnings,
        rows=tables.rows,
        alpha=alpha,
        classifier=classifier,
        numbers=layout.numbers,
        samples=(old, new),
    )


def _test_columns(tables: Tables, layout: Layout, seed: int) -> list[ColumnTest]:
    """The tests of every column by itself."""
    tests: list[ColumnTest] = []
    for name in layout.features:
        (n, m), missing = tables.rows, tables.missing(name)
        tests += share_test(name, "missing", Share(missing[0], n, missing[1], m))
        n, m = n - missing[0], m - missing[1]
        if not (n and m):
            continue  # the missing values say it all
        if name in layout.categories:
            counts = tables.categories(name)
            tests += category_tests(name, Shares.count(*counts), seed)
            layout.warnings += name_changed_categories(name, *counts)
        else:
            ranks = RankTest.of(n, m, tables.numbers(name))
            tests += share_test(name, "infinite", Share(ranks.infinite[0], n, ranks.infinite[1], m))
            tests += number_tests(name, ranks)
    return tests
