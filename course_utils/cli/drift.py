"""``course drift``."""

from pathlib import Path
from typing import Any

import click

from course_utils.cli.console import print_verdict
from course_utils.cli.exit_codes import EXIT_CODES
from course_utils.cli.options import ANY_FILE, AS_JSON, FILE, FOLDER, OneOf


@click.command()
@click.argument("name", type=OneOf(["mpg"]))
@click.option(
    "--requests",
    required=True,
    type=FOLDER,
    help="The folder that `course serve NAME --record FOLDER` records in.",
)
@click.option(
    "--reference",
    type=FILE,
    help="A CSV file with what the model was trained on, if it is not the shipped one.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="Only requests since then: an age (90m, 24h, 7d) or a time (2026-01-31T12:00).",
)
@click.option("--html", type=ANY_FILE, help="Write the whole report to this file, too.")
@AS_JSON
def drift(name: str, reference: Path | None, as_json: bool, **options: Any) -> None:
    """Compare what a service is asked with what its model was trained on.

    Takes the newest 10,000 requests that the service NAME has recorded. Exits with 0 for "keep",
    3 for "watch", 4 for "retrain" and 5 while there are too few requests, which a scheduler such as
    cron can act on; 1 and 2 are errors, as in any command.
    """
    from course_utils.drift import monitor

    training = monitor.load_training_data(reference)
    found = monitor.inspect_requests(training=training, **options)
    print_verdict(found, as_json, found.notes)
    if found.report and not as_json:
        old, new = found.report.rows
        click.echo(f"{new:,} requests were compared with {old:,} training rows.")
    raise SystemExit(EXIT_CODES[found.verdict])
