"""``course models compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from course_utils.cli.console import console, print_verdict
from course_utils.cli.exit_codes import EXIT_CODES
from course_utils.cli.options import AS_JSON, FILE, FOLDER

if TYPE_CHECKING:
    from course_utils.registry import Comparison

SCORES = {"rmse": "RMSE", "mae": "mean absolute error", "error rate": "share of wrong answers"}


@click.command()
@click.argument("name")
@click.option(
    "--labelled",
    required=True,
    type=FILE,
    help="A CSV file of examples with their true label: which one is right?",
)
@click.option("--store", type=FOLDER, help="The folder of model versions; by default yours.")
@click.option("--candidate", type=click.IntRange(1), help="A version; by default the canary.")
@AS_JSON
def compare(name: str, labelled: Path, as_json: bool, **options: Any) -> None:
    """Compare the canary of NAME with the served version, on the same rows.

    Exits with 0 for "keep", 4 for "promote" and 5 for "wait for more"; 1 and 2 are errors.
    """
    from course_utils import registry
    from course_utils.inference import labelled_rows

    found = registry.compare(name, labelled_rows.read(labelled), **options)
    print_verdict(found, as_json)
    if not as_json:
        print_comparison(found)
    raise SystemExit(EXIT_CODES[found.verdict])


def print_comparison(found: "Comparison") -> None:
    """A table with a column for each of the two versions."""
    table = Table("", f"served: {found.served}", f"candidate: {found.candidate}")
    for name, pair in found.errors.scores.items():
        label = f"{SCORES[name]} on {found.errors.rows:,} labelled rows"
        table.add_row(label, *(f"{value:.3g}" for value in pair))
    table.add_row("rows refused", *(f"{count:,}" for count in found.refused))
    console.print(table)
