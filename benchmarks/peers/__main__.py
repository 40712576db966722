"""How fast our services answer, against the same networks behind other frameworks.

    python -m benchmarks.peers [--rounds 5] [--seconds 4] [--only fastapi-uvicorn litestar]

Every peer validates by its own means, once bare and once with an access log and Prometheus
metrics, as its guide says. Ours has its log and metrics on. All are up at once (about 3 GB) and
loaded in turns. Before that each has to give our answers. Exits with an error where it does not,
or where a target of the course is missed.
"""

import argparse
import contextlib
import functools
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import requests

from benchmarks.compare import Found, in_turns, ratio, show
from benchmarks.image_service import cat, floor
from benchmarks.peers.environments import PEERS
from benchmarks.wrk import measure as load
from benchmarks.wrk import need_wrk
from course_utils.inference import shipped_model
from tests.support.serving import CAR, Served, ask_mpg, running, serving

WORKERS = 2
MAX_DIFFERENCE = 1e-4  # between two answers, in miles per gallon
BARE, DUTIES = "bare", "log and metrics"
ECHO, FLOOR = "bare Flask JSON echo", "the floor: decode, resize, LiteRT"
OURS_MPG, OURS_IMAGE = "course serve mpg", "course serve image"
PHOTO_PEER = "fastapi-uvicorn"
#: None of these is a valid car.
WRONG = {"weight": ["3504", 1e6], "year": [True], "origin": [None], "cylinders": [4.5], "x": [1]}
WITHOUT_YEAR = {name: value for name, value in CAR.items() if name != "year"}
BAD_CARS = [CAR | {name: value} for name in WRONG for value in WRONG[name]]
BAD_CARS += [WITHOUT_YEAR, {}, [CAR], "a car"]


def check_mpg(name: str, served: Served, miles: float) -> None:
    """Check that a service answers ``miles`` to a good car, and refuses bad ones."""
    answer = ask_mpg(served.url)
    if not answer.ok or abs(answer.json()["mpg"] - miles) > MAX_DIFFERENCE:
        sys.exit(f"{name} answers {answer.status_code} {answer.text}; {miles} mpg is right.")
    for car in BAD_CARS:
        status = ask_mpg(served.url, car).status_code
        if not 400 <= status < 500:
            sys.exit(f"{name} answers {status} to {json.dumps(car)}; a status of 4xx is right.")


def ask_image(served: Served, jpeg: bytes) -> str:
    """The class that a service finds most probable."""
    answer = requests.post(f"{served.url}/api/image", files={"image": jpeg}, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["pred"][0]["name"])


def measure_mpg(names: list[str], rounds: int, seconds: int) -> Found:
    """Requests for a car, answered by ours, the echo and the peers of these names."""
    body = json.dumps(CAR).encode()
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(serving("mpg", workers=WORKERS))
        miles = ask_mpg(ours.url).json()["mpg"]
        echo = [sys.executable, "-m", "benchmarks.echo_service"]
        services = {ECHO: stack.enter_context(running(echo, workers=WORKERS)), OURS_MPG: ours}
        check_mpg(OURS_MPG, ours, miles)
        for name in names:
            for kind in (BARE, DUTIES):
                served = stack.enter_context(start_peer(name, duties=kind == DUTIES))
                check_mpg(f"{name}, {kind}", served, miles)
                services[f"{name}, {kind}"] = served
        measures = {
            name: functools.partial(load, f"{served.url}/api/mpg", body, "application/json")
            for name, served in services.items()
        }
        return in_turns(measures, rounds, seconds)


def measure_image(rounds: int, seconds: int) -> Found:
    """Photos classified by ours, the floor and a peer, which decodes as the floor does."""
    jpeg = cat()
    form = requests.Request("POST", "http://any", files={"image": ("cat.jpg", jpeg)}).prepare()
    assert isinstance(form.body, bytes)
    peer = f"{PHOTO_PEER}, {BARE}"
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("image", workers=WORKERS) as ours,
        start_peer(PHOTO_PEER, photo_model=shipped_model("image")) as theirs,
    ):
        if (found := ask_image(theirs, jpeg)) != (right := ask_image(ours, jpeg)):
            sys.exit(f"{peer} sees {found} in the photo; {right} is right.")
        photo = Path(folder, "cat.jpg")
        photo.write_bytes(jpeg)
        ask = functools.partial(load, body=form.body, content_type=form.headers["Content-Type"])
        return in_turns(
            {
                FLOOR: functools.partial(floor, photo),
                OURS_IMAGE: lambda seconds: ask(f"{ours.url}/api/image", seconds=seconds),
                peer: lambda seconds: ask(f"{theirs.url}/api/image", seconds=seconds),
            },
            rounds,
            seconds,
        )


@contextlib.contextmanager
def start_peer(
    name: str, *, duties: bool = False, photo_model: Path | None = None
) -> Iterator[Served]:
    """A peer, ready; stopped at the end."""
    with tempfile.TemporaryDirectory() as folder:
        command = PEERS[name].command(Path(folder) if duties else None, photo_model)
        with running(command, workers=WORKERS) as served:
            try:
                yield served
            finally:  # LitServe's processes outlive a polite request to stop
                parent = psutil.Process(served.process.pid)
                for process in [*parent.children(recursive=True), parent]:
                    process.kill()


def find_best(found: Found, kind: str) -> str:
    """The fastest of the peers of this kind."""
    names = [name for name in found if name.endswith(f", {kind}")]
    return max(names, key=lambda name: statistics.median(m.per_second for m in found[name]))


def miss(found: Found, ours: str, targets: dict[str, float]) -> bool:
    """Whether ours answers with errors or misses a target, each of which is printed."""
    missed = any(measured.errors for measured in found[ours])
    for name, target in targets.items():
        reached = ratio(found[ours], found[name])
        missed = missed or reached < target
        print(f"{ours}: {reached:.3f} × {name}; the target is {target} ×")
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load, a service and round")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=[*PEERS], metavar="NAME")
    options = parser.parse_args()
    need_wrk()
    about = f"{WORKERS} workers, 8 connections, median of {options.rounds} rounds"
    mpg = measure_mpg(options.only, options.rounds, options.seconds)
    show(f"POST /api/mpg, {about}", mpg, OURS_MPG)
    targets = {find_best(mpg, BARE): 1.0, find_best(mpg, DUTIES): 1.5, ECHO: 0.85}
    missed = miss(mpg, OURS_MPG, targets)
    if PHOTO_PEER in options.only:
        image = measure_image(options.rounds, options.seconds)
        show(f"POST /api/image, {about}", image, OURS_IMAGE)
        missed |= miss(image, OURS_IMAGE, {FLOOR: 0.93, f"{PHOTO_PEER}, {BARE}": 1.0})
    if missed:
        sys.exit("A target is missed.")


if __name__ == "__main__":
    main()
