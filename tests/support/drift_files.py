"""Tables on disk, and reports of them that have to be the same."""

from pathlib import Path

import duckdb
import pandas as pd

from course_utils.drift import DriftReport


def write(frame: pd.DataFrame, path: Path) -> Path:
    return query(path, "SELECT * FROM frame", frame)


def query(path: Path, select: str, frame: pd.DataFrame | None = None) -> Path:
    """Write what a query finds, of ``frame`` where one is given, as Parquet."""
    name = str(path).replace("'", "''")
    with duckdb.connect() as sql:
        if frame is not None:
            sql.register("frame", frame)
        sql.execute(f"COPY ({select}) TO '{name}' (FORMAT parquet)")
    return path


def assert_same(one: DriftReport, other: DriftReport) -> None:
    """The same report, but for the order in which numbers were added."""
    pd.testing.assert_frame_equal(one.columns, other.columns, rtol=1e-12, atol=1e-14)
    assert (one.decision, one.reasons) == (other.decision, other.reasons)
    assert (one.warnings, one.rows) == (other.warnings, other.rows)
    assert (one.auc, one.classifier.interval) == (other.auc, other.classifier.interval)
    pd.testing.assert_frame_equal(one.ranking, other.ranking, check_exact=True)
