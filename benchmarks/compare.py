"""Measure several services in turns, and say how they compare.

In turns, so that a busy moment of the machine meets all of them.
"""

import statistics
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from benchmarks.wrk import Measured

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
    for heading in ("service", "requests/s", "median ms", "errors", "ours is"):
        table.add_column(heading, justify="left" if heading == "service" else "right")
    for name, measured in found.items():
        rate = statistics.median(m.per_second for m in measured)
        median = statistics.median(m.median_ms for m in measured)
        errors = sum(m.errors for m in measured)
        against = "" if name == ours else f"{ratio(found[ours], measured):.3g} ×"
        table.add_row(name, f"{rate:,.4g}", f"{median:.3g}", str(errors), against)
    Console().print(table)
