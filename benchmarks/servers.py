"""The same MPG service under four servers: requests a second, and what a stop under load costs.

    python -m benchmarks.servers [--rounds 5] [--seconds 4] [--stops 3] [--save]

Beside them a bare Flask echo on Granian, which shows what validation, log, metrics and network
cost together. All are up at once and loaded in turns, so that a busy moment of the host meets all
of them; each writes its own request log. Stops are of the service with 20 ms a prediction, so that
there is something in flight. ``--save`` writes data/servers.json, which notebook 14 plots.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.compare import Found, in_turns, ratio, show
from benchmarks.wrk import Measured, measure, need_wrk
from tests.support.servers import MOD_WSGI, no_apache, search_path
from tests.support.serving import CAR, ROOT, running
from tests.support.sigterm import PRODUCT, SLOW, Round, sigterm_round

STORED = ROOT / "data" / "servers.json"
WORKERS = 2
FLASK = "Flask's own server"
GUNICORN = "gunicorn"
GRANIAN = "Granian"
APACHE = "Apache, mod_wsgi"
ECHO = "bare Flask echo, Granian"
FLASKS_OWN = [sys.executable, "-m", "benchmarks.flask_service"]
LAUNCHER = [sys.executable, "-m", "tests.support.servers"]
COMMANDS = {
    FLASK: FLASKS_OWN,
    GUNICORN: [*LAUNCHER, "gunicorn"],
    GRANIAN: PRODUCT,
    APACHE: [*LAUNCHER, "apache"],
    ECHO: [sys.executable, "-m", "benchmarks.echo_service"],
}
#: what is stopped, and by which signal; `systemctl stop apache2` sends the second of Apache's
STOPS = {
    f"{FLASK}, SIGTERM": ([*FLASKS_OWN, "--slow"], signal.SIGTERM),
    f"{GUNICORN}, SIGTERM": ([*LAUNCHER, "gunicorn", "--slow"], signal.SIGTERM),
    f"{GRANIAN}, SIGTERM": (SLOW, signal.SIGTERM),
    f"{APACHE}, SIGTERM": ([*LAUNCHER, "apache", "--slow"], signal.SIGTERM),
    f"{APACHE}, SIGWINCH": ([*LAUNCHER, "apache", "--slow"], signal.SIGWINCH),
}
NAMES = ("flask", "werkzeug", "gunicorn", "granian")
NOTE = (
    "One machine, which did other work at times: the servers were loaded in turns, in several "
    "rounds, and the medians and their ratios are what counts. wrk ran on the same cores."
)
MEANING = {
    "per_second": "requests answered a second, in each round",
    "of_echo": "median over the rounds of what it is of the echo's in the same round",
    "lost": "requests that the service had begun, by its own word, and never answered",
    "unread": "requests sent and reset before any worker read them: a client may send them again",
    "seconds": "from the signal to the end of the process, in each stop",
}


def speeds(rounds: int, seconds: int) -> Found:
    body = json.dumps(CAR).encode()
    with contextlib.ExitStack() as stack:
        measures = {}
        for name, command in COMMANDS.items():
            url = stack.enter_context(running(command, workers=WORKERS)).url
            post = functools.partial(measure, f"{url}/api/mpg", body, "application/json")
            measures[name] = post
        return in_turns(measures, rounds, seconds)


def stops(rounds: int, console: Console) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {name: [] for name in STOPS}
    for _ in track(range(rounds), "stops under load", console=console):
        for name, (command, number) in STOPS.items():
            found[name].append(sigterm_round(command, workers=WORKERS, number=number))
    return found


def refused(found: Round) -> int:
    """Requests that were sent, and reset before any worker read them."""
    return found.unread_kept + found.unread_fresh


def begun_and_lost(found: Round) -> int:
    """Requests that the service had begun, by its own word, and of which no answer came.

    `Round.lost` names one twice where the log has its line besides.
    """
    return sum(not each.startswith("{") for each in found.lost)


def share_of_errors(measured: list[Measured], seconds: int) -> float:
    """Of all answers. A busy host makes a request wait longer than the service's gate lets it."""
    answers = sum(each.per_second * seconds for each in measured)
    return sum(each.errors for each in measured) / answers


def show_stops(found: dict[str, list[Round]], console: Console) -> None:
    table = Table(title="stopped under load, 20 ms a prediction, 6 clients")
    for heading in ("server and signal", "stops", "answered", "lost", "unread", "s to end"):
        table.add_column(heading, justify="left" if heading.startswith("server") else "right")
    for name, rounds in found.items():
        table.add_row(
            name,
            str(len(rounds)),
            str(sum(each.answered for each in rounds)),
            str(sum(begun_and_lost(each) for each in rounds)),
            str(sum(refused(each) for each in rounds)),
            f"{statistics.median(each.seconds for each in rounds):.2f}",
        )
    console.print(table)
    console.print("lost: begun, not answered; unread: sent, and reset before any worker read it.")


def document(speed: Found, stop: dict[str, list[Round]], seconds: int) -> dict[str, Any]:
    """What notebook 14 plots, and what somebody needs to know who doubts it."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "note": NOTE,
        "meaning": MEANING,
        "workers": WORKERS,
        "connections": 8,
        "seconds": seconds,
        "speed": {
            name: {
                "per_second": [round(each.per_second, 1) for each in measured],
                "median_ms": [round(each.median_ms, 3) for each in measured],
                "errors": sum(each.errors for each in measured),
                "of_echo": round(ratio(measured, speed[ECHO]), 3),
            }
            for name, measured in speed.items()
        },
        "stops": {
            name: {
                "stops": len(rounds),
                "answered": sum(each.answered for each in rounds),
                "lost": sum(begun_and_lost(each) for each in rounds),
                "unread": sum(refused(each) for each in rounds),
                "seconds": [round(each.seconds, 2) for each in rounds],
            }
            for name, rounds in stop.items()
        },
    }


def machine() -> str:
    """In general terms: what the figures depend on, and not whose it is."""
    python = ".".join(platform.python_version_tuple()[:2])
    kind = platform.machine().replace("_", "-")
    return f"{os.cpu_count()} cores, {platform.system()}, {kind}, Python {python}"


def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in NAMES}
    program = shutil.which("apache2", path=search_path()) or ""
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout
    apache = re.search(r"Apache/([\d.]+)", said)
    return {**found, "apache": apache[1] if apache else "", "mod_wsgi": MOD_WSGI}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load, a server and round")
    parser.add_argument("--stops", type=int, default=3, help="of each server")
    parser.add_argument("--save", action="store_true", help=f"write {STORED.relative_to(ROOT)}")
    options = parser.parse_args()
    need_wrk()
    if reason := no_apache():
        sys.exit(f"This benchmark runs a real Apache; it {reason}.")
    console = Console()
    speed = speeds(options.rounds, options.seconds)
    title = f"POST /api/mpg, {WORKERS} workers, 8 connections, median of {options.rounds} rounds"
    show(title, speed, GRANIAN)
    stop = stops(options.stops, console)
    show_stops(stop, console)
    if options.save:
        text = json.dumps(document(speed, stop, options.seconds), indent=2)
        Path(STORED).write_text(f"{text}\n", "utf-8")
        print(f"{STORED.relative_to(ROOT)} is written.")
    if any(share_of_errors(measured, options.seconds) > 1 / 1000 for measured in speed.values()):
        sys.exit("A server answered with errors.")
    if any(begun_and_lost(each) for each in stop[f"{GRANIAN}, SIGTERM"]):
        sys.exit("`course serve` lost a request that it had begun.")


if __name__ == "__main__":
    main()
