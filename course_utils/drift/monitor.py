"""Is a live service still asked what its model was trained on? What ``course drift`` does.

It reads what the service has recorded (`services.record`), compares it with the training data
(`drift`, section 13.4) and says what to do, once or again and again.
"""

import json
import re
import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from course_utils import drift
from course_utils.datasets import load_auto_mpg
from course_utils.inference.request_log import read_examples

# Not 1 and 2, which every command ends with after an error: a watchdog must not take a mistyped
# option for drift.
EXIT_CODES = {"keep": 0, "watch": 3, "retrain": 4, "too few": 5}
COLOURS = {"keep": "green", "watch": "yellow", "retrain": "red", "too few": "blue"}
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Task:
    """What to compare with what."""

    requests: Path
    """The folder in which the service records."""
    reference: Path | None = None
    """A CSV file of training data; without one, the cars that the shipped model was made of."""
    since: str | None = None
    """An age (``24h``) or a time; older requests are left out."""
    least: int = 50
    """Requests that a verdict needs."""
    html: Path | None = None
    """Where the whole report goes, too."""


@dataclass(frozen=True)
class Look:
    """What one look at the requests has shown."""

    requests: int
    reasons: list[str]
    notes: list[str]
    report: drift.DriftReport | None = None

    @property
    def verdict(self) -> str:
        """A key of `EXIT_CODES`."""
        return self.report.decision if self.report else "too few"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; ``report`` (see `drift.DriftReport`) is None while there is none."""
        return {
            "verdict": self.verdict,
            "requests": self.requests,
            "reasons": self.reasons,
            "notes": self.notes,
            "report": self.report.to_dict() if self.report else None,
        }


def training_data(file: Path | None = None) -> pd.DataFrame:
    """The rows that a model of the MPG service was trained on.

    Args:
        file: a CSV file; by default the Auto MPG cars, without the six of unknown horsepower.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no table.
    """
    if file is None:
        return load_auto_mpg().drop(columns=["mpg", "name"]).dropna()
    try:
        return pd.read_csv(file)
    except ValueError as error:  # pandas' own are such, and that of bytes which are no text
        raise ValueError(f"{file} is not a CSV file with a line of names: {error}") from None


def look(task: Task, training: pd.DataFrame) -> Look:
    """Compare the newest requests with the training data.

    Raises:
        OSError: the requests cannot be read, or the HTML file not be written.
        ValueError: they cannot be compared with the training data; the message says why.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asked = read_examples(task.requests)
        if task.since is not None:
            asked = asked[asked.index >= moment(task.since)]
        notes = [str(w.message) for w in caught if w.category is UserWarning]
    if len(asked) < task.least:
        since = f" since {task.since}" if task.since else ""
        reason = (
            f"{len(asked)} requests{since} are too few for a verdict, which takes {task.least}: "
            "wait for more, or look farther back."
        )
        return Look(len(asked), [reason], notes)
    absent = sorted(set(asked) - set(training))
    if absent:
        raise ValueError(
            f"The training data has no {', '.join(absent)}, which the service is asked. Give the "
            "data that its model was trained on with --reference FILE.csv."
        )
    report = drift.compare(training[list(asked)].dropna(), asked)
    if task.html:
        report.to_html(task.html)
    return Look(len(asked), report.reasons, notes + report.warnings, report)


def moment(text: str, now: datetime | None = None) -> datetime:
    """What ``--since`` means: an age such as ``90m``, ``24h`` or ``7d``, or a time in ISO 8601.

    A time without a zone is one of this machine's.

    Raises:
        ValueError: it is neither.
    """
    age = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    try:
        if age:
            return (now or datetime.now(UTC)) - timedelta(**{UNITS[age[2]]: int(age[1])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is neither an age (90m, 24h, 7d) nor a time (2026-01-31T12:00)."
        ) from None


def watch(task: Task, every: float | None, console: Console, as_json: bool = False) -> int:
    """Look once, or every so many minutes until Ctrl-C, and say what was found.

    Args:
        task: what to compare.
        every: minutes from one look to the next; None: once.
        console: where to say it, if not as JSON.
        as_json: print a line of JSON a look to standard output.

    Returns:
        The exit code: that of the last look.

    Raises:
        OSError, ValueError: as `look`; with ``every`` only where the task itself is wrong.
    """
    training = training_data(task.reference)
    if task.since is not None:
        moment(task.since)  # wrong the first time, wrong every time
    if every is None:
        found = look(task, training)
        if as_json:
            print(json.dumps(found.to_dict(), indent=2, allow_nan=False))
        else:
            _print(found, console)
        return EXIT_CODES[found.verdict]
    code = EXIT_CODES["too few"]
    try:
        while True:
            code = _look_again(task, training, console, as_json)
            time.sleep(every * 60)
    except KeyboardInterrupt:
        return code


def _look_again(task: Task, training: pd.DataFrame, console: Console, as_json: bool) -> int:
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    try:
        found = look(task, training)
    except (OSError, ValueError) as error:  # the next look may find it mended
        text, code = {"error": str(error)}, 1
        line = f"{now}  error: {error}"
    else:
        text, code = found.to_dict(), EXIT_CODES[found.verdict]
        line = f"{now}  {found.verdict}  {found.requests} requests. {found.reasons[0]}"
    if as_json:
        print(json.dumps({"time": now} | text, allow_nan=False), flush=True)
    else:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    return code


def _print(found: Look, console: Console) -> None:
    """The verdict, why, and a table of what has changed."""
    console.print(found.verdict.upper(), style=f"bold {COLOURS[found.verdict]}")
    for line in found.reasons + [f"Note: {note}" for note in found.notes]:
        console.print(line, markup=False, highlight=False)
    if found.report is None:
        return
    old, new = found.report.rows
    console.print(f"{new:,} requests were compared with {old:,} training rows.", highlight=False)
    changed = found.report.columns[found.report.columns["verdict"] != "no change"]
    if changed.empty:
        return
    table = Table("column", "test", "size", "surely", "p, adjusted", "verdict")
    shown = changed[["column", "test", "effect", "effect_low", "p_adjusted", "verdict"]]
    for column, test, size, surely, p_value, verdict in shown.itertuples(index=False):
        numbers = f"{size:.2f}", f"{surely:.2f}", f"{p_value:.1e}"
        table.add_row(escape(column), test, *numbers, verdict)
    console.print(table)
