"""One SIGTERM under load: what was begun, what was answered (tests and benchmark)."""

import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass, field

import requests

from tests.support.load import LOST, load, outcomes
from tests.support.serving import COURSE, MODEL, Served, running, wait_until

SLOW = [sys.executable, "-m", "tests.support.slow_service", "--seconds", "0.02"]
PRODUCT = [str(COURSE), "serve", "mpg", "--model", str(MODEL)]


@dataclass
class Round:
    """What one round showed."""

    answered: int
    lost: list[str]  # begun by the service (its own word) and not completely answered
    unlogged: int  # answered, but not in the request log
    unread_kept: int  # reset unread, on a connection already in use
    unread_fresh: int  # reset unread, on a new connection
    seconds: float  # from the signal to the end of the process
    exit_code: int
    ready_statuses: list[int] = field(default_factory=list)  # /readyz from the signal on


def sigterm_round(
    command: list[str],
    *,
    workers: int = 2,
    clients: int = 4,
    fresh: int = 2,
    busy: float = 0.3,
    number: signal.Signals = signal.SIGTERM,
) -> Round:
    """Serve ``command``, load it for ``busy`` seconds, send SIGTERM while the load goes on.

    ``number`` is another signal for a server that stops gracefully by another one.
    """
    with (
        running(command, workers=workers) as served,
        load(served.url, clients=clients, fresh=fresh, seconds=12) as generator,
    ):
        wait_until(lambda: '"/api/mpg"' in served.text())
        time.sleep(busy)
        signalled = time.monotonic()
        served.process.send_signal(number)
        statuses = watch_ready(served)
        exit_code = served.process.wait(timeout=60)
        seconds = time.monotonic() - signalled
        results = outcomes(generator)
        log = served.log()
    answered = {o.tag for o in results if o.status}
    answered_ids = {o.request_id for o in results if o.status}
    began = {entry["began"] for entry in log if "began" in entry}
    lost = sorted(began - answered)
    lost += [
        json.dumps(e)
        for e in log
        if e.get("path") == "/api/mpg" and e["request_id"] not in answered_ids
    ]
    unread = [o for o in results if o.failure == LOST and o.tag not in began]
    return Round(
        answered=len(answered),
        lost=lost,
        unlogged=len(answered_ids - {entry.get("request_id") for entry in log}),
        unread_kept=sum(o.reused for o in unread),
        unread_fresh=sum(not o.reused for o in unread),
        seconds=seconds,
        exit_code=exit_code,
        ready_statuses=statuses,
    )


def watch_ready(served: Served) -> list[int]:
    """The statuses of /readyz until the port is closed."""
    statuses = []
    with contextlib.suppress(requests.RequestException):
        while True:
            statuses.append(requests.get(f"{served.url}/readyz", timeout=60).status_code)
            time.sleep(0.02)
    return statuses
