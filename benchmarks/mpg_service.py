"""How fast the MPG service answers, against the book's way and against a bare Flask echo.

    python -m benchmarks.mpg_service [--rounds 5] [--seconds 4]

All three are up at once and loaded in turns, so that a busy moment of the host meets all of them.
Ours validates, writes its request log to a file and keeps its metrics, as `course serve mpg` does.
Exits with an error where a target of the course is missed.
"""

import argparse
import statistics
import sys

from rich.console import Console
from rich.table import Table

from benchmarks.wrk import Measured, measure, need_wrk
from tests.serving import running, serving

WORKERS = 2
BOOK_TARGET = 120  # times the book's requests a second
ECHO_TARGET = 0.75  # of the echo's requests a second
ECHO_AIM = 0.85


def run(rounds: int, seconds: int) -> dict[str, list[Measured]]:
    book = [sys.executable, "-m", "benchmarks.book_service"]
    echo = [sys.executable, "-m", "benchmarks.echo_service"]
    with (
        running(book) as book_served,
        running(echo, workers=WORKERS) as echo_served,
        serving("mpg", workers=WORKERS) as ours_served,
    ):
        services = {"book": book_served, "echo": echo_served, "ours": ours_served}
        for served in services.values():  # first requests fill caches
            measure(f"{served.url}/api/mpg", seconds=1)
        found: dict[str, list[Measured]] = {name: [] for name in services}
        for _ in range(rounds):
            for name, served in services.items():
                found[name].append(measure(f"{served.url}/api/mpg", seconds=seconds))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load, a service and round")
    options = parser.parse_args()
    need_wrk()
    found = run(options.rounds, options.seconds)
    ours, echo, book = found["ours"], found["echo"], found["book"]
    against_book = ratio(ours, book)
    against_echo = ratio(ours, echo)

    table = Table(title=f"POST /api/mpg, 8 connections, median of {options.rounds} rounds")
    for heading in ("service", "requests/s", "median ms", "errors", "ours is"):
        table.add_column(heading, justify="left" if heading == "service" else "right")
    rows = {
        "the book's way: model.predict, Flask's server": (book, f"{against_book:.0f} ×"),
        f"bare Flask JSON echo, Granian, {WORKERS} workers": (echo, f"{against_echo:.2f} ×"),
        f"course serve mpg --workers {WORKERS}": (ours, ""),
    }
    for label, (measured, against) in rows.items():
        rate = statistics.median(m.per_second for m in measured)
        median = statistics.median(m.median_ms for m in measured)
        errors = sum(m.errors for m in measured)
        table.add_row(label, f"{rate:,.0f}", f"{median:.2f}", str(errors), against)
    console = Console()
    console.print(table)
    console.print(
        f"Targets: {BOOK_TARGET} × the book's way, {ECHO_TARGET} of the echo (aim {ECHO_AIM})."
    )
    if against_book < BOOK_TARGET or against_echo < ECHO_TARGET or any(m.errors for m in ours):
        sys.exit("A target is missed.")


def ratio(ours: list[Measured], theirs: list[Measured]) -> float:
    """Median over the rounds of the quotient within each."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(mine.per_second / other.per_second for mine, other in pairs)


if __name__ == "__main__":
    main()
