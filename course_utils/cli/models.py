"""``course models``: what is known of each registered model, and which version is served."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from course_utils import registry
from course_utils.cli.console import console, print_verdict, say
from course_utils.cli.exit_codes import EXIT_CODES
from course_utils.cli.options import ANY_FOLDER, AS_JSON, FILE

SCORES = {
    "rmse": "RMSE",  # the first two, whichever a version has, are shown in the list
    "accuracy": "accuracy",
    "mae": "mean absolute error",
    "error rate": "share of wrong answers",
}
MAX_NOTES_CHARACTERS = 120  # in the list; the card and --json have all
NAME = click.argument("name")
VERSION = click.argument("version", type=click.IntRange(1))
ANY_VERSION = click.argument("version", type=click.IntRange(1), required=False)
REASON = click.option("--reason", default="", help="For the log.")


@click.group()
def models() -> None:
    """List, compare, verify and promote the models that have been registered."""


def command(function: Callable[..., None]) -> click.Command:
    """A command of the group, which is told where the store is."""
    store = click.option(
        "--store",
        type=ANY_FOLDER,
        help="The folder of versions; by default `records` in your own folder of the course.",
    )
    return models.command(name=function.__name__.strip("_").replace("_", "-"))(store(function))


@command
@AS_JSON
def _list(store: Path | None, as_json: bool) -> None:
    """List the versions of all models."""
    found = [
        _describe_version(model, version, store)
        for model in registry.list_models(store=store)
        for version in registry.list_versions(model, store=store)
    ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        say("No model has been registered; notebook 14 shows how.")
    else:
        table = Table("model", "version", "state", "registered", "on own held-out rows", "notes")
        for row in found:
            shown = [row["name"], row["version"], row["state"], (row["registered"] or "")[:10]]
            notes = textwrap.shorten(row["notes"], MAX_NOTES_CHARACTERS, placeholder=" …")
            texts = [*shown, _describe_score(row), notes]
            table.add_row(*(escape("" if text is None else str(text)) for text in texts))
        console.print(table)


def _describe_version(name: str, version: int, store: Path | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "version": version, "state": None}
    try:
        state = registry.read_serving(name, store=store)
        canary = f"canary, {state.share:.0%}"
        row["state"] = {state.canary: canary, state.version: "served"}.get(version)
        document = registry.load(name, version, store=store).document
    except (OSError, ValueError) as error:  # one damaged version does not hide the others
        unknown = dict.fromkeys(("registered", "by", "rows", "metrics"))
        return row | unknown | {"notes": f"damaged: {error}"}
    return row | {
        "registered": document["registered"],
        "by": document["trained"]["by"],
        "rows": document["metrics"]["rows"],
        "metrics": document["metrics"]["computed"],
        "notes": document["notes"],
    }


def _describe_score(row: dict[str, Any]) -> str:
    """How good a version is; what it shows on rows that it has learned from says nothing of that.

    Such an error would stand beside those on unseen rows, and be smaller.
    """
    if row["metrics"] is None:
        return ""
    if row["rows"] != "testing":
        return "not measured"
    name = next(name for name in SCORES if name in row["metrics"])
    return f"{SCORES[name]} {row['metrics'][name]:.3g}"


@command
@NAME
@ANY_VERSION
def verify(name: str, version: int | None, store: Path | None) -> None:
    """Check all digests of VERSION, then let the model predict its golden rows again."""
    chosen = registry.load(name, version, store=store)
    found = registry.verify(chosen)
    say(
        f"{name} {chosen.number} is as it was registered: {found.files} files, "
        f"{found.rows} golden rows predicted again, largest difference {found.difference:.1e}."
    )


@command
@NAME
@click.option(
    "--labelled",
    required=True,
    type=FILE,
    help="A CSV file of examples with their true label: which one is right?",
)
@click.option("--candidate", type=click.IntRange(1), help="A version; by default the canary.")
@AS_JSON
def compare(name: str, labelled: Path, as_json: bool, **options: Any) -> None:
    """Compare the canary of NAME with the served version, on the same rows.

    Exits with 0 for "keep", 4 for "promote" and 5 for "wait for more"; 1 and 2 are errors.
    """
    from course_utils.inference import labelled_rows

    found = registry.compare(name, labelled_rows.read(labelled), **options)
    print_verdict(found, as_json)
    if not as_json:
        print_comparison(found)
    raise SystemExit(EXIT_CODES[found.verdict])


def print_comparison(found: "registry.Comparison") -> None:
    """A table with a column for each of the two versions."""
    table = Table("", f"served: {found.served}", f"candidate: {found.candidate}")
    for name, pair in found.errors.scores.items():
        label = f"{SCORES[name]} on {found.errors.rows:,} labelled rows"
        table.add_row(label, *(f"{value:.3g}" for value in pair))
    table.add_row("rows refused", *(f"{count:,}" for count in found.refused))
    console.print(table)


@command
@NAME
@VERSION
@REASON
def promote(**options: Any) -> None:
    """Serve VERSION from now on, alone; it is verified first."""
    _say_what_is_served(registry.promote(**options))


@command
@NAME
@VERSION
@click.option(
    "--share",
    required=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of the requests, such as 0.1.",
)
@REASON
def canary(**options: Any) -> None:
    """Let VERSION answer a share of the requests; it is verified first."""
    _say_what_is_served(registry.try_canary(**options))


@command
@NAME
@REASON
def roll_back(**options: Any) -> None:
    """Serve what was served before; it is verified first."""
    _say_what_is_served(registry.roll_back(**options))


def _say_what_is_served(state: registry.Serving) -> None:
    more = f", version {state.canary} to {state.share:.0%} of the requests" if state.canary else ""
    say(f"Version {state.version} is served{more}.")


@command
@NAME
@ANY_VERSION
def card(name: str, version: int | None, store: Path | None) -> None:
    """Print the model card of VERSION, by default the served one, else the newest, in Markdown."""
    click.echo(registry.render_card(registry.load(name, version, store=store)), nl=False)


@command
@NAME
@click.option(
    "--mlflow",
    "folder",
    required=True,
    type=ANY_FOLDER,
    help="The folder of a store of MLflow's; made where it is missing.",
)
def export(name: str, store: Path | None, folder: Path) -> None:
    """Write all versions into a store of MLflow's."""
    numbers = registry.list_versions(name, store=store)
    if not numbers:
        raise click.ClickException(f"There is no version of {name} to export.")
    for number in numbers:
        run = registry.mlflow.export(registry.load(name, number, store=store), folder)
        say(f"Version {number} is run {run}.")
    database = (folder / registry.mlflow.DATABASE).as_posix()
    say(
        "To see it, in an environment of its own with the full mlflow: "
        f"mlflow ui --backend-store-uri sqlite:///{database}"
    )
