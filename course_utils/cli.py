"""The command ``course``: open, run and serve the course (``course --help``)."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from course_utils import __version__

console = Console()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="course")
def main() -> None:
    """Networks at Work: run, serve and look after the notebook course."""


@main.command()
@click.argument("name", type=click.Choice(["hello", "mpg"]))
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
        console.print(f"Model: {model}")
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise click.ClickException(
                f"Port {port} is in use. Choose another with --port, for example {port + 1}."
            )
    console.print(f"Serving {name} at http://{host}:{port} - docs at /docs, Ctrl-C stops.")
    run_server(name, host=host, port=port, workers=workers, model=model)


@main.command()
def fetch() -> None:
    """Bring and check what the notebooks need, so that they run offline afterwards."""
    from course_utils.datasets import digests, verified

    for name in digests():
        try:
            verified(name)
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from None
    console.print(f"All {len(digests())} data files are here and unchanged.")


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
@click.argument("folder", default="notebooks", type=click.Path(exists=True, file_okay=False))
def lab(folder: str) -> None:
    """Open FOLDER in JupyterLab."""
    try:
        raise SystemExit(subprocess.call([sys.executable, "-m", "jupyterlab", folder]))
    except KeyboardInterrupt:  # JupyterLab has seen it too and has stopped
        raise SystemExit(0) from None
