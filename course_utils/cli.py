"""The command ``course``: open, run and serve the course (``course --help``)."""

import contextlib
import importlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from course_utils import __version__
from course_utils.services import SERVICES

WITH_PAGE = ("image", "digit")  # services that have a page

console = Console()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="course")
def main() -> None:
    """Networks at Work: run, serve and look after the notebook course."""


@main.command()
@click.argument("name", type=click.Choice(SERVICES))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .keras, .h5 or .tflite file; beside it its .schema.json (mpg) or .labels.json (image, "
    "pets); digit needs nothing beside it.",
)
@click.option(
    "--open", "open_page", is_flag=True, help="Open the page; on any port where PORT is taken."
)
@click.option(
    "--record",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Keep what is asked in this folder, for `course drift` (mpg only; the newest 4 MB). What "
    "people send is theirs: tell them.",
)
def serve(
    name: str,
    host: str,
    port: int,
    workers: int,
    model: Path | None,
    open_page: bool,
    record: Path | None,
) -> None:
    """Serve NAME until Ctrl-C.

    Takes the model you saved in a notebook, else the one the course ships.
    """
    from course_utils.browse import open_when_ready
    from course_utils.serve import serve as run_server

    if name == "hello" and model:
        raise click.UsageError("The hello service has no model.")
    if name not in WITH_PAGE and open_page:
        raise click.UsageError(f"The {name} service has no page to open.")
    if record:
        _prepare_recording(name, record)
    if name != "hello":
        service = importlib.import_module(f"course_utils.services.{name}")
        try:
            model = model or service.find_model()
        except FileNotFoundError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"Model: {model}", err=True)  # standard output is the request log's
    if _in_use(host, port):
        if not open_page:  # else nobody needs to know the port
            raise click.ClickException(
                f"Port {port} is in use. Choose another with --port, for example {port + 1}."
            )
        port = _free_port(host)
    url = f"http://{_reachable(host)}:{port}"
    click.echo(f"Serving {name} at {url} - docs at /docs, Ctrl-C stops.", err=True)
    if open_page:
        open_when_ready(url)
    try:
        run_server(name, host=host, port=port, workers=workers, model=model, record=record)
    except (OSError, ValueError) as error:  # the model or its schema cannot be read
        raise click.ClickException(str(error)) from None


def _prepare_recording(name: str, folder: Path) -> None:
    from course_utils.services.record import prepare

    if name != "mpg":
        raise click.UsageError(f"The {name} service records nothing; only mpg does.")
    try:
        prepare(folder)
    except OSError as error:
        raise click.ClickException(f"Cannot record in {folder}: {error.strerror}.") from None
    click.echo(f"Recording accepted examples in {folder}", err=True)


def _in_use(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as probe:
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    """How a browser on this machine names the address that is listened on."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)


@main.command()
def fetch() -> None:
    """Check all data; bring pretrained weights, MNIST and CIFAR-10 into Keras' cache."""
    from course_utils import weights
    from course_utils.datasets import digests, verified

    try:
        files = [verified(name) for name in digests()]
        console.print(f"All {len(files)} data files are here and unchanged.")
        with _steps() as report:
            sources = weights.fetch(report=report)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    console.print(f"What Keras downloads is in {weights.cache_folder()}:", soft_wrap=True)
    for name, source in sources.items():
        console.print(f"  {name}: {source}", highlight=False)


@contextlib.contextmanager
def _steps() -> Iterator[Callable[[str, int, int | None], None]]:
    """A function that shows each step it is told of as a line of its own, with a bar."""
    columns = [TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn()]
    bar = Progress(*columns, TimeElapsedColumn(), console=console)
    tasks: dict[str, TaskID] = {}
    with contextlib.ExitStack() as shown:

        def report(step: str, done: int, total: int | None) -> None:
            if not tasks:
                shown.enter_context(bar)
            if step not in tasks:
                over()
                tasks[step] = bar.add_task(step, total=None)
            bar.update(tasks[step], completed=done, total=total)

        def over() -> None:
            for task in tasks.values():
                bar.update(task, completed=1, total=1)

        yield report
        over()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def doctor(as_json: bool) -> None:
    """Print what a bug report needs."""
    from course_utils.environment import doctor as examine

    report = examine()
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    table = Table(show_header=False)
    for name, value in report.items():
        table.add_row(name, value)
    console.print(table)


@main.command()
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
    from course_utils import watching

    try:
        raise SystemExit(watching.watch(watching.Task(**options), every, console, as_json))
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("numbers", nargs=-1)
@click.option(
    "--folder",
    default="notebooks",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--save", is_flag=True, help="Keep the outputs in the notebooks.")
def run(numbers: tuple[str, ...], folder: Path, save: bool) -> None:
    """Execute the notebooks NUMBERS (all if none is named), and say which passed."""
    from course_utils.notebooks import execute, find

    try:
        paths = find(folder, numbers)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    results: list[tuple[str, str, str]] = []
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console) as bar:
        for path in paths:
            task = bar.add_task(path.stem, total=None)
            try:
                seconds = execute(
                    path,
                    save=save,
                    on_cell=lambda done, total: bar.update(task, completed=done, total=total),  # noqa: B023
                )
                results.append((path.stem, "passed", f"{seconds:.0f} s"))
            except Exception as error:  # whatever a cell raises; the other notebooks still run
                message = click.unstyle(str(error)).strip()
                results.append((path.stem, "failed", message.splitlines()[-1]))
                bar.console.print(message, markup=False, highlight=False)
    table = Table("notebook", "result", "")
    for row in results:
        table.add_row(*row)
    console.print(table)
    if any(result == "failed" for _, result, _ in results):
        raise SystemExit(1)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--folder", default="notebooks", show_default=True, help="Folder to open.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(folder: str, options: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab; OPTIONS are JupyterLab's own."""
    jupyter = subprocess.Popen([sys.executable, "-m", "jupyterlab", folder, *options])
    while True:
        try:
            raise SystemExit(jupyter.wait())
        except KeyboardInterrupt:  # JupyterLab has seen it, too, and asks what to do
            continue


if __name__ == "__main__":
    main()
