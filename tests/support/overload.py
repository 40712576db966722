"""Ten times more load than a service can serve (tests and benchmark)."""

import sys
from dataclasses import dataclass

from tests.support.load import Outcome, load, outcomes
from tests.support.serving import running

SECONDS = 0.05  # one prediction
SLOTS = 2  # predictions at a time: the default of `create_app`
COMMAND = [sys.executable, "-m", "tests.support.slow_service", "--seconds", str(SECONDS)]
CAPACITY = SLOTS / SECONDS  # requests a second


@dataclass
class Overload:
    """Outcomes by kind."""

    unloaded: list[Outcome]
    accepted: list[Outcome]
    refused: list[Outcome]
    health: list[Outcome]
    others: list[Outcome]  # there should be none
    logged: int  # lines of /api/mpg in the request log


def overload(*, seconds: float, unloaded_seconds: float) -> Overload:
    """Ask gently, then ten times faster than the service can answer."""
    with running(COMMAND) as served:
        with load(served.url, rate=CAPACITY / 10, seconds=unloaded_seconds) as generator:
            unloaded = outcomes(generator)
        with load(served.url, rate=CAPACITY * 10, health=20, seconds=seconds) as generator:
            results = outcomes(generator)
        logged = sum(line.get("path") == "/api/mpg" for line in served.log())
    asked = [o for o in results if o.path == "/api/mpg"]
    return Overload(
        unloaded=unloaded,
        accepted=[o for o in asked if o.status == 200],
        refused=[o for o in asked if o.status == 503],
        health=[o for o in results if o.path == "/healthz"],
        others=[o for o in asked if o.status not in (200, 503)],
        logged=logged,
    )
