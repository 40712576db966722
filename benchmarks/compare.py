"""Measure several services in turns, and say how they compare.

In turns, so that a busy moment of the machine meets all of them.
"""

import argparse
import statistics
import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from benchmarks.wrk import Measured, need_wrk

Found = dict[str, list[Measured]]


def in_turns(measures: dict[str, Callable[[int], Measured]], rounds: int, seconds: int) -> Found:
    """Each measure (of as many seconds as it is given) once a round, after a first short one."""
    for measure in measures.values():  # first requests fill caches
        measure(1)
    found: Found = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure(seconds))
    return found


def ratio(ours: list[Measured], theirs: list[Measured]) -> float:
    """Median over the rounds of the quotient within each."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(mine.per_second / other.per_second for mine, other in pairs)


def show(title: str, found: Found, ours: str) -> None:
    """Print a table of all, and how many times as fast ``ours`` is as each of the others."""
    table = Table(title=title)
    for heading in ("service", "requests/s", "median ms", "slowest ms", "errors", "ours is"):
        table.add_column(heading, justify="left" if heading == "service" else "right")
    for name, measured in found.items():
        rate = statistics.median(m.per_second for m in measured)
        median = statistics.median(m.median_ms for m in measured)
        slowest = max(m.slowest_ms for m in measured)
        errors = sum(m.errors for m in measured)
        against = "" if name == ours else f"{ratio(found[ours], measured):.3g} ×"
        table.add_row(name, f"{rate:,.4g}", f"{median:.3g}", f"{slowest:.3g}", str(errors), against)
    Console().print(table)


def main(
    run: Callable[[int, int], Found], *, path: str, ours: str, targets: dict[str, float], about: str
) -> None:
    """A benchmark's command line: measure, show, and exit with an error where a target is missed.

    Args:
        run: from rounds and seconds of load to what was found.
        path: what is asked.
        ours: the name of our service.
        targets: how many times as fast as each of the others it has to be.
        about: what the benchmark does.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load, a service and round")
    options = parser.parse_args()
    need_wrk()
    found = run(options.rounds, options.seconds)
    show(f"POST {path}, 8 connections, median of {options.rounds} rounds", found, ours)
    missed = any(measured.errors for measured in found[ours])
    for name, target in targets.items():
        print(f"Target: {target} × {name}")
        missed = missed or ratio(found[ours], found[name]) < target
    if missed:
        sys.exit("A target is missed.")
