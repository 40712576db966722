"""Compare two tables: every column by itself, all of them together, and a verdict.

`compare` puts the table a model was trained on beside the rows it meets today. Every column is
tested by itself, all of them together by a classifier (section 13.4), and the verdict asks for
significance and for size. `compare_files` does the same for tables larger than memory.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from course_utils.drift.category_tests import (
    compare_categories,
    compare_missing,
    name_changed_categories,
)
from course_utils.drift.classifier import NOTHING_RANKED, tell_apart
from course_utils.drift.column_test import ColumnTest
from course_utils.drift.layout import Layout, arrange
from course_utils.drift.number_tests import RankTest, compare_numbers
from course_utils.drift.report import DriftReport
from course_utils.drift.tables import MemoryTables, Tables
from course_utils.drift.verdict import NO_CHANGE, decide, explain, judge, sort_by_severity


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    seed: int = 0,
    keep: Sequence[str] = (),
) -> DriftReport:
    """Compare the rows a model was trained on with those it meets now.

    Args:
        reference: the training rows, at least 20.
        current: today's rows, at least 20; columns are matched by name.
        seed: for the classifier and the rows it is given, from 0 on.
        keep: columns to compare even though they look like identifiers.

    Raises:
        ValueError: they cannot be compared; the message says why and what to do.
    """
    return _compare_tables(MemoryTables(reference, current), seed, keep)


def compare_files(
    reference: str | Path,
    current: str | Path,
    *,
    memory_mb: int = 1000,
    seed: int = 0,
    keep: Sequence[str] = (),
) -> DriftReport:
    """`compare` for tables on disk that may be larger than memory; the report is the same.

    What does not fit in memory lies in a folder among the system's temporary files (the environment
    variable TMPDIR moves it) and is deleted at the end, also after an error or Ctrl-C.

    Args:
        reference: a Parquet file, or a pattern such as ``"2011/*.parquet"`` for several that make
            one table. DuckDB turns a CSV file into one: ``COPY (FROM 'a.csv') TO 'a.parquet'``.
        current: likewise.
        memory_mb: what may be held of them at once, at least 128. Python and its libraries come
            on top.
        seed: as of `compare`.
        keep: likewise.

    Raises:
        MemoryError: ``memory_mb`` is too little.
        OSError: the disk is full.
        ValueError: there is no such file, the tables cannot be read or compared, or ``memory_mb``
            is below 128; the message says why and what to do.
    """
    from course_utils.drift.files import open_files

    with open_files(reference, current, memory_mb) as tables:
        return _compare_tables(tables, seed, keep)


def _compare_tables(tables: Tables, seed: int, keep: Sequence[str]) -> DriftReport:
    layout = arrange(tables, keep, seed)
    tests = _test_columns(tables, layout, seed)
    old, new = layout.samples
    classifier, rank_columns = tell_apart((old, new), layout.numbers, seed=seed)
    judged = judge([*tests, classifier.as_test()])
    changed = judged["verdict"].iloc[-1] != NO_CHANGE
    ranking = rank_columns() if changed else NOTHING_RANKED
    return DriftReport(
        columns=sort_by_severity(judged),
        decision=decide(judged, form_changed=bool(layout.changed)),
        reasons=explain(judged, classifier, ranking, layout.changed),
        warnings=layout.warnings,
        rows=tables.rows,
        classifier=classifier,
        ranking=ranking,
        numbers=layout.numbers,
        samples=(old, new),
    )


def _test_columns(tables: Tables, layout: Layout, seed: int) -> list[ColumnTest]:
    """The tests of every column by itself."""
    tests: list[ColumnTest] = []
    for name in layout.features:
        (n, m), missing = tables.rows, tables.count_missing(name)
        if any(missing):
            tests.append(compare_missing(name, missing, tables.rows))
        n, m = n - missing[0], m - missing[1]
        if not (n and m):
            continue  # the missing values say it all
        if name in layout.categories:
            counts = tables.count_categories(name)
            tests += compare_categories(name, *counts, seed)
            layout.warnings += name_changed_categories(name, *counts)
        else:
            tests += compare_numbers(name, RankTest(n, m, tables.count_numbers(name)))
    return tests
