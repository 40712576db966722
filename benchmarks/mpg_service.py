"""How fast the MPG service answers, against the book's way and against a bare Flask echo.

    python -m benchmarks.mpg_service [--rounds 5] [--seconds 4]

All three are up at once and loaded in turns, so that a busy moment of the host meets all of them.
Ours validates, writes its request log to a file and keeps its metrics, as `course serve mpg` does.
Exits with an error where a target of the course is missed.
"""

import argparse
import functools
import json
import sys

from benchmarks.compare import Found, in_turns, ratio, show
from benchmarks.wrk import measure, need_wrk
from tests.serving import CAR, running, serving

WORKERS = 2
BOOK_TARGET = 120  # times the book's requests a second
ECHO_TARGET = 0.75  # of the echo's requests a second
ECHO_AIM = 0.85
BOOK = "the book's way: model.predict, Flask's server"
ECHO = f"bare Flask JSON echo, Granian, {WORKERS} workers"
OURS = f"course serve mpg --workers {WORKERS}"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load, a service and round")
    options = parser.parse_args()
    need_wrk()
    found = run(options.rounds, options.seconds)
    title = f"POST /api/mpg, 8 connections, median of {options.rounds} rounds"
    show(title, found, OURS)
    print(f"Targets: {BOOK_TARGET} × the book's way, {ECHO_TARGET} of the echo (aim {ECHO_AIM}).")
    ours = found[OURS]
    missed = ratio(ours, found[BOOK]) < BOOK_TARGET or ratio(ours, found[ECHO]) < ECHO_TARGET
    if missed or any(measured.errors for measured in ours):
        sys.exit("A target is missed.")


if __name__ == "__main__":
    main()
