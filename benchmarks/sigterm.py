"""A hundred SIGTERMs under load: how many requests are lost that the service had begun?

    python -m benchmarks.sigterm [--rounds 100]

Every other round stops `course serve mpg`, the rest the same service with a predictor that takes
20 ms, which also prints what it begins. Requests that were reset before any worker read them are
counted besides: on a kept connection none should be (during the half second of draining each
answer says `Connection: close`); on a new one, clients that ignore /readyz may meet a door that
closes while they stand before it.
"""

import argparse
import statistics
import sys

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.sigterm import PRODUCT, SLOW, Round, sigterm_round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    console = Console()
    found: dict[str, list[Round]] = {"course serve mpg": [], "with 20 ms each": []}
    commands = dict(zip(found, (PRODUCT, SLOW), strict=True))
    for number in track(range(rounds), "SIGTERM under load", console=console):
        name = list(found)[number % 2]
        found[name].append(sigterm_round(commands[name]))

    table = Table(title=f"{rounds} SIGTERMs under load")
    headings = ("service", "rounds", "answered", "lost", "unread, kept", "new")
    for heading in (*headings, "s to end", "exit"):
        table.add_column(heading, justify="left" if heading == "service" else "right")
    for name, results in found.items():
        table.add_row(
            name,
            str(len(results)),
            f"{sum(r.answered for r in results):,}",
            str(sum(len(r.lost) for r in results)),
            str(sum(r.unread_kept for r in results)),
            str(sum(r.unread_fresh for r in results)),
            f"{statistics.median(r.seconds for r in results):.2f}" if results else "",
            str(sorted({r.exit_code for r in results})),
        )
    console.print(table)
    console.print("lost: begun, not answered; unread: reset unread on a kept or a new connection.")
    everything = [r for results in found.values() for r in results]
    if any(
        r.lost or r.unlogged or r.unread_kept or r.exit_code or r.seconds > 10 for r in everything
    ):
        sys.exit("A request was lost, or a service did not end well.")


if __name__ == "__main__":
    main()
