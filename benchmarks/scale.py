"""What Ray costs and what it gives, on one machine; the parameters of notebook 16's model.

    python -m benchmarks.scale [--rounds 3] [--seconds 4] [--kills 3] [--save]

- A request by way of Ray Serve against the same request by way of `course serve`, in turns, and
  the processor time that each of Serve's processes spends on it.
- The image service with one and with two replicas, started anew in turns.
- A raylet is killed under load: requests that failed, and the time until all replicas are back.
- What the controller does for each replica while nobody asks anything.

``--save`` writes data/scale.json, which notebook 16 reads.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import requests
from rich.console import Console
from rich.table import Table

from benchmarks.compare import Found, in_turns, ratio, show
from benchmarks.image_service import cat
from benchmarks.servers import machine
from benchmarks.wrk import Measured, measure, need_wrk
from course_utils.inference import shipped_model
from course_utils.serving import ray as on_ray
from tests.support.raylets import Shot, children, kill_raylet, raylets, serves, shoot
from tests.support.serving import CAR, MODEL, ROOT, serving

STORED = ROOT / "data" / "scale.json"
MODELS = {"mpg": MODEL, "image": shipped_model("image")}
CLIENTS = 8
NOTE = (
    "One machine, with wrk on the same cores. What is compared was loaded in turns, in several "
    "rounds; the medians and their ratios are what counts."
)
MEANING = {
    "per_second": "requests answered a second, in each round",
    "of_plain": "median over the rounds of what it is of course serve's in the same round",
    "cpu_ms": "processor time a request, by process: proxy, app, network, controller",
    "two_of_one": "requests a second with two replicas, of those with one",
    "controller_share": "of one core, by the number of replicas, while nobody asks anything",
    "seconds_to_full": "from the kill of a raylet until all replicas run again",
}
#: what Ray calls its processes, and what they are here
PROCESSES = {
    "ProxyActor": "proxy",
    "ServeController": "controller",
    "course:network": "network",
    "ServeReplica:course": "app",
}


def body_of(name: str) -> tuple[bytes, str]:
    """A request's body and its content type."""
    if name == "mpg":
        return json.dumps(CAR).encode(), "application/json"
    form = requests.Request("POST", "http://any", files={"image": ("cat.jpg", cat())}).prepare()
    assert isinstance(form.body, bytes)
    return form.body, form.headers["Content-Type"]


def load(name: str, url: str) -> Callable[..., Measured]:
    body, content_type = body_of(name)
    return functools.partial(measure, f"{url}/api/{name}", body, content_type)


def processor_seconds() -> dict[str, float]:
    """What Serve's processes have used so far, by their part."""
    spent: dict[str, float] = dict.fromkeys(PROCESSES.values(), 0.0)
    for process in children():
        with contextlib.suppress(psutil.NoSuchProcess):
            title, times = " ".join(process.cmdline()), process.cpu_times()
            part = next((part for name, part in PROCESSES.items() if name in title), None)
            if title.startswith("ray::") and part:
                spent[part] += times.user + times.system
    return spent


def cost(name: str, rounds: int, seconds: int) -> tuple[Found, dict[str, float]]:
    """Ray against the plain service, one worker each, and processor time a request."""
    spent: dict[str, list[float]] = {part: [] for part in PROCESSES.values()}

    def by_ray(post: Callable[..., Measured], seconds: int) -> Measured:
        before = processor_seconds()
        found = post(seconds=seconds, connections=CLIENTS)
        requests_made = max(1, found.per_second * seconds)  # none in a first second, perhaps
        for part, now in processor_seconds().items():
            spent[part].append(1000 * (now - before[part]) / requests_made)
        return found

    with on_ray.serve(name, model=MODELS[name]) as served, serving(name) as plain:
        found = in_turns(
            {
                "Ray Serve": functools.partial(by_ray, load(name, served.url)),
                "course serve": load(name, plain.url),
            },
            rounds,
            seconds,
        )
    return found, {part: statistics.median(each[1:]) for part, each in spent.items()}


def two_replicas(rounds: int, seconds: int) -> Found:
    """The image service with one replica and with two, in turns, within one cluster."""
    with raylets(0, cores=4) as several:

        def measure_with(replicas: int, seconds: int) -> Measured:
            with on_ray.serve("image", replicas=replicas, address=several.address) as served:
                post = load("image", served.url)
                post(seconds=1, connections=2 * CLIENTS)  # first requests fill caches
                return post(seconds=seconds, connections=2 * CLIENTS)

        return in_turns(
            {
                "1 replica": functools.partial(measure_with, 1),
                "2 replicas": functools.partial(measure_with, 2),
            },
            rounds,
            seconds,
        )


def killed(times: int) -> list[Shot]:
    """Shots at a node with a replica of the mpg service, each in a new cluster."""
    found = []
    for _ in range(times):
        with (
            raylets(2) as several,
            on_ray.serve("mpg", model=MODEL, replicas=3, address=several.address) as served,
        ):
            nodes = [node for node in several.list_all_nodes() if not node.head]
            node = next(node for node in nodes if serves(node, "mpg"))
            found.append(
                shoot(
                    served,
                    lambda session, url=served.url: session.post(
                        f"{url}/api/mpg", json=CAR, timeout=30
                    ),
                    functools.partial(kill_raylet, node),
                    clients=CLIENTS,
                    patience=120,
                )
            )
    return found


def controller_share(replicas: tuple[int, ...], seconds: int) -> dict[int, float]:
    """Of one core, what the controller uses for so many idle replicas."""
    shares = {}
    with raylets(0, cores=max(replicas)) as several:
        for number in replicas:
            on_ray.serve("mpg", model=MODEL, replicas=number, address=several.address)
            time.sleep(5)
            before, began = processor_seconds()["controller"], time.perf_counter()
            time.sleep(seconds)
            spent = processor_seconds()["controller"] - before
            shares[number] = spent / (time.perf_counter() - began)
    return shares


def rates(found: Found) -> dict[str, Any]:
    return {
        name: {
            "per_second": [round(each.per_second, 1) for each in measured],
            "median_ms": [round(each.median_ms, 2) for each in measured],
            "errors": sum(each.errors for each in measured),
        }
        for name, measured in found.items()
    }


def document(costs: dict[str, Any], two: Found, shots: list[Shot], shares: dict[int, float]) -> Any:
    """What notebook 16 reads, and what somebody needs to know who doubts it."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {name: importlib.metadata.version(name) for name in ("ray", "a2wsgi")},
        "note": NOTE,
        "meaning": MEANING,
        "connections": CLIENTS,
        "photo_bytes": len(body_of("image")[0]),
        "pixel_bytes": 224 * 224 * 3,
        "cost": {
            name: {
                "rates": rates(found),
                "of_plain": round(ratio(found["Ray Serve"], found["course serve"]), 3),
                "cpu_ms": {part: round(each, 3) for part, each in spent.items()},
            }
            for name, (found, spent) in costs.items()
        },
        "replicas": {
            "rates": rates(two),
            "two_of_one": round(ratio(two["2 replicas"], two["1 replica"]), 3),
        },
        "controller_share": {str(number): round(share, 4) for number, share in shares.items()},
        "kills": [asdict(shot) for shot in shots],
    }


def show_rest(found: dict[str, Any], console: Console) -> None:
    table = Table("what", "figure", title="Ray Serve")
    for name, each in found["cost"].items():
        table.add_row(f"{name}: requests a second, of course serve's", f"{each['of_plain']:.2f}")
        parts = ", ".join(f"{part} {ms:.2f}" for part, ms in each["cpu_ms"].items())
        table.add_row(f"{name}: processor ms a request", parts)
    table.add_row("image: two replicas, of one", f"{found['replicas']['two_of_one']:.2f}")
    for number, share in found["controller_share"].items():
        table.add_row(f"controller, {number} idle replicas", f"{share:.1%} of a core")
    for shot in found["kills"]:
        table.add_row(
            "raylet killed: asked, failed, asked twice, s to full strength",
            f"{shot['asked']:,}, {len(shot['failed'])}, {shot['retried']}, "
            f"{shot['seconds_to_full']}",
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of load, a service and round")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--save", action="store_true", help=f"write {STORED.relative_to(ROOT)}")
    options = parser.parse_args()
    need_wrk()
    console = Console()
    costs = {name: cost(name, options.rounds, options.seconds) for name in MODELS}
    for name, (found, _) in costs.items():
        show(f"POST /api/{name}, one worker, {CLIENTS} connections", found, "Ray Serve")
    two = two_replicas(options.rounds, options.seconds)
    show("POST /api/image, replicas on the same cores", two, "2 replicas")
    shares = controller_share((2, 6), 10)
    shots = killed(options.kills)
    found = document(costs, two, shots, shares)
    show_rest(found, console)
    if options.save:
        Path(STORED).write_text(f"{json.dumps(found, indent=2)}\n", "utf-8")
        print(f"{STORED.relative_to(ROOT)} is written.")
    if any(shot.failed or not shot.seconds_to_full for shot in shots):
        sys.exit("A request failed twice, or the replicas did not come back.")


if __name__ == "__main__":
    main()
