"""Is a live service still asked what its model was trained on? What ``course drift`` does.

It reads what the service has recorded (see `inference.Recorder`), compares it with the training
data (section 13.4) and says what to do.
"""

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from course_utils.datasets import load_auto_mpg
from course_utils.drift.comparison import compare
from course_utils.drift.report import DriftReport
from course_utils.inference import labelled_rows, read_examples

MIN_REQUESTS = 50  # for a verdict


@dataclass(frozen=True)
class Inspection:
    """What one look at the requests has shown."""

    requests: int
    reasons: list[str]
    notes: list[str]
    report: DriftReport | None = None

    @property
    def verdict(self) -> str:
        """``keep``, ``watch``, ``retrain`` or ``too few``."""
        return self.report.decision if self.report else "too few"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; ``report`` (see `DriftReport`) is None while there is none."""
        report = self.report.to_dict() if self.report else None
        return {"verdict": self.verdict} | vars(self) | {"report": report}


def load_training_data(file: Path | None = None) -> pd.DataFrame:
    """The rows that a model of the MPG service was trained on.

    Args:
        file: a CSV file; by default the Auto MPG cars, without the six of unknown horsepower.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no table.
    """
    if file is None:
        return load_auto_mpg().drop(columns=["mpg", "name"]).dropna()
    return labelled_rows.read(file)


def inspect_requests(
    requests: Path, training: pd.DataFrame, *, since: str | None, html: Path | None
) -> Inspection:
    """Compare the newest requests with the training data.

    Args:
        requests: the folder in which the service records.
        training: what its model was trained on.
        since: an age (``24h``) or a time; older requests are left out.
        html: where the whole report goes, too.

    Raises:
        OSError: the requests cannot be read, or the HTML file not be written.
        ValueError: they cannot be compared with the training data; the message says why.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asked = read_examples(requests)
        if since is not None:
            asked = asked[asked.index >= parse_time(since)]
        notes = [str(w.message) for w in caught if w.category is UserWarning]
    if len(asked) < MIN_REQUESTS:
        from_then = f" since {since}" if since else ""
        reason = (
            f"{len(asked)} requests{from_then} are too few for a verdict, which takes "
            f"{MIN_REQUESTS}: wait for more, or look farther back."
        )
        return Inspection(len(asked), [reason], notes)
    absent = sorted(set(asked) - set(training))
    if absent:
        raise ValueError(
            f"The training data has no {', '.join(absent)}, which the service is asked. Give the "
            "data that its model was trained on with --reference FILE.csv."
        )
    report = compare(training[list(asked)].dropna(), asked)
    if html:
        first, last = (f"{asked.index[end]:%Y-%m-%d %H:%M}" for end in (0, -1))
        report.to_html(html, model="mpg", period=f"{first} to {last} (UTC)")
    return Inspection(len(asked), report.reasons, notes + report.warnings, report)


def parse_time(text: str) -> datetime:
    """What ``--since`` means: an age such as ``90m``, ``24h`` or ``7d``, or a time in ISO 8601.

    A time without a zone is one of this machine's.

    Raises:
        ValueError: it is neither.
    """
    try:
        if re.fullmatch(r"\d{1,6}[mhd]", text.strip()):
            return datetime.now(UTC) - pd.Timedelta(text).to_pytimedelta()
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is neither an age (90m, 24h, 7d) nor a time (2026-01-31T12:00)."
        ) from None
