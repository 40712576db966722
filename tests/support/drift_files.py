"""Tables on disk, and reports of them that have to be the same."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from course_utils.drift import DriftReport, engine


def write(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        with duckdb.connect() as sql:
            sql.register("frame", frame)
            sql.execute(f"COPY (SELECT * FROM frame) TO {engine.quoted(path)} (FORMAT parquet)")
    else:
        frame.to_csv(path, index=False)
    return path


def query(path: Path, select: str) -> Path:
    with duckdb.connect() as sql:
        sql.execute(f"COPY ({select}) TO {engine.quoted(path)} (FORMAT parquet)")
    return path


def same(one: DriftReport, other: DriftReport) -> None:
    """The same report, but for the order in which numbers were added."""
    pd.testing.assert_frame_equal(one.columns, other.columns, rtol=1e-12, atol=1e-14)
    assert (one.decision, one.reasons) == (other.decision, other.reasons)
    assert (one.warnings, one.rows) == (other.warnings, other.rows)
    np.testing.assert_equal((one.auc, one.auc_interval), (other.auc, other.auc_interval))
    pd.testing.assert_frame_equal(one.ranking, other.ranking, check_exact=True)
