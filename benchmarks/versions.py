"""What following the store costs the MPG service, and whether swaps cost anybody a request.

    python -m benchmarks.versions [--rounds 7] [--seconds 4]

The same model three times: plain, from a store, and from a store where another version is
promoted twice a second while the load runs. All are up at once and loaded in turns, so that a
busy moment of the host meets all of them. Exits with an error where less than 95 % of the plain
service's speed is left without swaps, or a request failed.
"""

import contextlib
import functools
import itertools
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare import Found, in_turns, main
from benchmarks.wrk import Measured, measure
from course_utils import registry
from tests.support.serving import CAR, COURSE, running, serving
from tests.support.stores import two_versions

WORKERS = 2
PLAIN = f"course serve mpg --workers {WORKERS}"
OURS = f"{PLAIN} --store FOLDER"
SWAPPING = f"{OURS}, two swaps a second"
BODY = json.dumps(CAR).encode()


@contextlib.contextmanager
def swaps(store: Path) -> Iterator[None]:
    """Promote the one version and the other in turn, twice a second."""
    over = threading.Event()

    def swap() -> None:
        for version in itertools.cycle((2, 1)):
            if over.wait(0.5):
                return
            registry.promote("mpg", version, store=store, reason="the benchmark swaps")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run(rounds: int, seconds: int) -> Found:
    def swapped(seconds: int) -> Measured:
        with swaps(restless):
            return measure(f"{third.url}/api/mpg", BODY, "application/json", seconds)

    def plainly(url: str, seconds: int) -> Measured:
        return measure(f"{url}/api/mpg", BODY, "application/json", seconds)

    with tempfile.TemporaryDirectory() as folder:
        calm = two_versions(Path(folder, "calm"))
        restless = two_versions(Path(folder, "restless"))
        command = [str(COURSE), "serve", "mpg", "--store"]
        with (
            serving("mpg", workers=WORKERS) as plain,
            running([*command, str(calm)], workers=WORKERS) as following,
            running([*command, str(restless)], workers=WORKERS) as third,
        ):
            measures = {
                PLAIN: functools.partial(plainly, plain.url),
                OURS: functools.partial(plainly, following.url),
                SWAPPING: swapped,
            }
            found = in_turns(measures, rounds, seconds)
    if failed := sum(measured.errors for measured in found[SWAPPING]):
        sys.exit(f"{failed} requests failed during swaps.")
    return found


if __name__ == "__main__":
    main(run, path="/api/mpg", ours=OURS, targets={PLAIN: 0.95}, about=str(__doc__))
