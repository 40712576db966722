"""Does one thing in many processes at once.

``python -m tests.support.registering THING STORE ...``

The processes wait for each other, so that all begin in the same moment. Where the system can
fork they are forked from one that has loaded all they need: starting a hundred would take longer
than what they do.
"""

import importlib
import json
import multiprocessing
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course_utils import registry
from course_utils.registry.store import locate, open_draft, publish

BARRIER_TIMEOUT_S = 120


def copy(source: Path, store: Path, notes: str) -> int:
    """Register what another record holds: all of `registry.register` but what is found out."""
    document = json.loads((source / "record.json").read_text("utf-8")) | {"notes": notes}
    with open_draft(locate("mpg", store)) as new:
        for folder in ("files", "charts"):
            shutil.copytree(source / folder, new / folder)
        return publish(new, document)


def on_and_on(store: Path, source: Path, notes: str) -> None:
    """Register until somebody kills this process, and say each version that there is now."""
    for number in range(1_000_000):
        print(copy(source, store, f"{notes}-{number}"), flush=True)


def register(store: Path, number: int, source: str) -> None:
    copy(Path(source), store, str(number))


def promote(store: Path, number: int) -> None:
    registry.promote("mpg", 1 + number % 2, store=store, reason=str(number))


def together(barrier: Any, thing: Callable[..., None], *arguments: Any) -> None:
    barrier.wait(BARRIER_TIMEOUT_S)
    thing(*arguments)


def at_once(count: int, thing: Callable[..., None], store: Path, *rest: str) -> int:
    """Returns how many of the processes failed."""
    for module in ("ai_edge_litert.interpreter", "course_utils.inference.predictor"):
        importlib.import_module(module)  # once, and not in each process as it verifies
    forks = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    context = multiprocessing.get_context("fork" if forks else "spawn")
    barrier = context.Barrier(count)
    ours = [
        context.Process(target=together, args=(barrier, thing, store, number, *rest))
        for number in range(count)
    ]
    for process in ours:
        process.start()
    for process in ours:
        process.join()
    return sum(process.exitcode != 0 for process in ours)


if __name__ == "__main__":
    name, folder, *more = sys.argv[1:]
    if name == "on and on":
        on_and_on(Path(folder), Path(more[0]), more[1])
    else:
        sys.exit(at_once(int(more[0]), globals()[name], Path(folder), *more[1:]))
