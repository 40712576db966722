"""``course models``: what is known of each registered model, and which version is served."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from course_utils import registry
from course_utils.cli.console import console

REASON = click.option("--reason", default="", help="For the log.")


@click.group()
def models() -> None:
    """List, compare, verify and promote the models that have been registered."""


def command(function: Callable[..., None]) -> click.Command:
    """A command of the group, told where the store is; what is wrong is said in a line."""

    @functools.wraps(function)
    def told(**options: Any) -> None:
        try:
            function(**options)
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from None

    store = click.option(
        "--store",
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder of records; by default `records` in your own folder of the course.",
    )
    return models.command(name=function.__name__.strip("_").replace("_", "-"))(store(told))


AS_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")
NAME = click.argument("name")
VERSION = click.argument("version", type=click.IntRange(1))
ANY_VERSION = click.argument("version", type=click.IntRange(1), required=False)


@command
@click.argument("name", required=False)
@AS_JSON
def _list(name: str | None, store: Path | None, as_json: bool) -> None:
    """List the versions of all models, or of NAME."""
    chosen = [name] if name else registry.names(store=store)
    found = [_row(each, v, store) for each in chosen for v in registry.versions(each, store=store)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        console.print("No model has been registered; notebook 12 shows how.", highlight=False)
        return
    table = Table("model", "version", "state", "registered", "by", "RMSE", "notes")
    for row in found:
        table.add_row(*(escape("" if v is None else str(v)) for v in row.values()))
    console.print(table)


def _row(name: str, version: int, store: Path | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "version": version, "state": None}
    try:
        state = registry.serving(name, store=store)
        canary = f"canary, {state.share:.0%}"
        row["state"] = {state.canary: canary, state.version: "served"}.get(version)
        document = registry.load(name, version, store=store).document
    except ValueError as error:  # one damaged record does not hide the others
        return row | {"registered": None, "by": None, "rmse": None, "notes": f"damaged: {error}"}
    return row | {
        "registered": document["registered"],
        "by": document["trained"]["by"],
        "rmse": round(document["metrics"]["computed"]["rmse"], 4),
        "notes": document["notes"],
    }


@command
@NAME
@ANY_VERSION
@AS_JSON
def show(name: str, version: int | None, store: Path | None, as_json: bool) -> None:
    """Show the record of VERSION, by default the one being served, else the newest."""
    from course_utils.registry.card import facts

    record = registry.load(name, version, store=store)
    if as_json:
        click.echo(json.dumps(record.document, indent=2))
        return
    table = Table(show_header=False, title=f"{record.name}, version {record.version}")
    for key, value in facts(record).items():
        table.add_row(escape(key), escape(value))
    console.print(table)
    console.print(escape(f"Everything is in {record.folder}."), soft_wrap=True, highlight=False)


@command
@NAME
@ANY_VERSION
def verify(name: str, version: int | None, store: Path | None) -> None:
    """Check all digests of VERSION, then let the model predict its golden rows again."""
    record = registry.load(name, version, store=store)
    found = registry.verify(record)
    console.print(
        f"{record.name} {record.version} is as it was registered: {found.files} files, "
        f"{found.rows} golden rows predicted again, largest difference {found.difference:.1e}.",
        soft_wrap=True,
        highlight=False,
    )


@command
@NAME
@VERSION
@REASON
def promote(store: Path | None, **options: Any) -> None:
    """Serve VERSION from now on; it is verified first."""
    _say(registry.promote(**options, store=store))


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
def canary(store: Path | None, **options: Any) -> None:
    """Let VERSION answer a share of the requests; it is verified first."""
    _say(registry.try_canary(**options, store=store))


@command
@NAME
@REASON
def end_canary(store: Path | None, **options: Any) -> None:
    """Let the served version answer all requests again."""
    _say(registry.end_canary(**options, store=store))


@command
@NAME
@REASON
def roll_back(store: Path | None, **options: Any) -> None:
    """Serve what was served before; it is verified first."""
    _say(registry.roll_back(**options, store=store))


def _say(state: registry.Serving) -> None:
    canary = f", version {state.canary} to {state.share:.0%} of the requests"
    more = canary if state.canary is not None else ""
    console.print(f"Version {state.version} is served{more}.", highlight=False)


@command
@click.option(
    "--html",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="The file to write.",
)
def page(store: Path | None, html: Path) -> None:
    """Write one HTML file to browse and compare the models of the store."""
    from course_utils.registry.page import page as written

    html.write_text(written(store=store), encoding="utf-8")
    console.print(f"Open {html}", soft_wrap=True, highlight=False)


@command
@NAME
@ANY_VERSION
def card(name: str, version: int | None, store: Path | None) -> None:
    """Print the model card of VERSION, in Markdown."""
    from course_utils.registry.card import card as written

    click.echo(written(registry.load(name, version, store=store)), nl=False)


@command
@NAME
@VERSION
@click.option(
    "--mlflow",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="MLflow's file store.",
)
def export(name: str, version: int, store: Path | None, folder: Path) -> None:
    """Write VERSION into a file store of MLflow."""
    from course_utils.registry.mlflow import export as write

    run = write(registry.load(name, version, store=store), folder)
    console.print(f"The run is {run}", soft_wrap=True, highlight=False)
