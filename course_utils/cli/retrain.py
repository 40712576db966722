"""``course retrain``."""

import functools
from typing import Any

import click

from course_utils import registry
from course_utils.cli.console import console, print_verdict, show_steps
from course_utils.cli.exit_codes import EXIT_CODES
from course_utils.cli.options import ANY_FOLDER, AS_JSON, FILE


@click.command()
@click.argument("name")
@click.option("--rows", required=True, type=FILE, help="A CSV file of new rows with their label.")
@click.option(
    "--store",
    type=ANY_FOLDER,
    help="The folder of model versions; by default yours. Where it has no version of mpg yet, the "
    "shipped model becomes version 1.",
)
@click.option("--force", is_flag=True, help="Train even where nothing has drifted.")
@AS_JSON
def retrain(as_json: bool, **options: Any) -> None:
    """Train NAME again where new rows have drifted, and serve it if it is surely better.

    Runs the code that is registered with the served version, a notebook or a Python file, on the
    old rows and two thirds of the new ones, and compares on the last third, which neither network
    has seen. Exits with 0 where nothing had to
    be done, 3 for "watch", 4 where a new version is served, 5 where it was not better or failed
    the code's own check; 1 and 2 are errors, as in any command. The served version stays in
    all cases but 4.
    """
    # A log file has no use for a bar.
    with show_steps(silent=as_json or not console.is_terminal) as report:
        on_cell = functools.partial(report, "training")
        found = registry.retrain(**options, on_cell=on_cell)
    print_verdict(found, as_json, found.notes)
    served = f"Version {found.served} goes on serving."
    if found.verdict == "promoted":
        served = f"Version {found.candidate} is served from now on, in the place of {found.served}."
    elif found.candidate:
        served = f"{served} Version {found.candidate} is kept for the record."
    if not as_json:
        console.print(served, highlight=False)
    raise SystemExit(EXIT_CODES[found.verdict])
