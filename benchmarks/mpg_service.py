"""How fast the MPG service answers, against the book's way and against a bare Flask echo.

    python -m benchmarks.mpg_service [--rounds 5] [--seconds 4]

All three are up at once and loaded in turns, so that a busy moment of the host meets all of them.
Ours validates, writes its request log to a file and keeps its metrics, as `course serve mpg` does.
Exits with an error where a target of the course is missed.
"""

import functools
import json
import sys

from benchmarks.compare import Found, in_turns, main
from benchmarks.wrk import measure
from tests.support.serving import CAR, running, serving

WORKERS = 2
BOOK = "the book's way: model.predict, Flask's server"
ECHO = f"bare Flask JSON echo, Granian, {WORKERS} workers"
OURS = f"course serve mpg --workers {WORKERS}"
TARGETS = {BOOK: 120, ECHO: 0.75}  # times as fast; the aims are 120 and 0.85


def run(rounds: int, seconds: int) -> Found:
    book = [sys.executable, "-m", "benchmarks.book_service"]
    echo = [sys.executable, "-m", "benchmarks.echo_service"]
    body = json.dumps(CAR).encode()
    with (
        running(book) as book_served,
        running(echo, workers=WORKERS) as echo_served,
        serving("mpg", workers=WORKERS) as ours_served,
    ):
        services = {BOOK: book_served, ECHO: echo_served, OURS: ours_served}
        measures = {
            name: functools.partial(measure, f"{served.url}/api/mpg", body, "application/json")
            for name, served in services.items()
        }
        return in_turns(measures, rounds, seconds)


if __name__ == "__main__":
    main(run, path="/api/mpg", ours=OURS, targets=TARGETS, about=str(__doc__))
