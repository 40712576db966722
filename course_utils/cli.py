"""The command ``course``: open, run and serve the course (``course --help``)."""

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from course_utils import __version__
from course_utils.services import SERVICES

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
    help="A .keras, .h5 or .tflite file with its .schema.json beside it.",
)
def serve(name: str, host: str, port: int, workers: int, model: Path | None) -> None:
    """Serve NAME until Ctrl-C.

    Takes the model you saved in a notebook, else the one the course ships.
    """
    from course_utils.serve import serve as run_server

    if name == "hello" and model:
        raise click.UsageError("The hello service has no model.")
    if name == "mpg":
        from course_utils.services.mpg import find_model

        model = model or find_model()
        click.echo(f"Model: {model}", err=True)  # standard output is the request log's
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        raise click.ClickException(
            f"Port {port} is in use. Choose another with --port, for example {port + 1}."
        )
    click.echo(f"Serving {name} at http://{host}:{port} - docs at /docs, Ctrl-C stops.", err=True)
    try:
        run_server(name, host=host, port=port, workers=workers, model=model)
    except (OSError, ValueError) as error:  # the model or its schema cannot be read
        raise click.ClickException(str(error)) from None


@main.command()
def fetch() -> None:
    """Check that all data the notebooks need is here and unchanged."""
    from course_utils.datasets import digests, verified

    try:
        files = [verified(name) for name in digests()]
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    console.print(f"All {len(files)} data files are here and unchanged.")


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
