"""``course drift``."""

from pathlib import Path
from typing import Any

import click

from course_utils.cli.console import console


@click.command()
@click.argument("name", type=click.Choice(["mpg"]))
@click.option(
    "--requests",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that `course serve NAME --record FOLDER` records in.",
)
@click.option(
    "--reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A CSV file with what the model was trained on, if it is not the shipped one.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="Only requests since then: an age (90m, 24h, 7d) or a time (2026-01-31T12:00).",
)
@click.option(
    "--least",
    default=50,
    show_default=True,
    type=click.IntRange(20),
    help="Requests that there have to be for a verdict.",
)
@click.option(
    "--every",
    metavar="MINUTES",
    type=click.FloatRange(0, 10_080, min_open=True),  # a week
    help="Look again and again, a line each time, until Ctrl-C.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the whole report to this file, too.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def drift(name: str, as_json: bool, every: float | None, **options: Any) -> None:
    """Say whether the service NAME is still asked what its model was trained on.

    Compares the newest 10,000 recorded requests with the training data. Exits with 0 for "keep",
    3 for "watch", 4 for "retrain" and 5 while there are too few requests; 1 and 2 are errors, as
    in any command. Ctrl-C ends --every with the code of the last verdict.
    """
    from course_utils.drift import monitor

    try:
        raise SystemExit(monitor.watch(monitor.Task(**options), every, console, as_json))
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
