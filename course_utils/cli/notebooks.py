"""``course run`` and ``course lab``."""

import functools
import subprocess
import sys
from pathlib import Path

import click
from rich.table import Table

from course_utils.cli.console import console, show_steps
from course_utils.cli.options import FOLDER


@click.command()
@click.argument("names", metavar="[NUMBERS]...", nargs=-1)
@click.option("--folder", default="notebooks", show_default=True, type=FOLDER)
@click.option("--save", is_flag=True, help="Keep the outputs in the notebooks.")
def run(names: tuple[str, ...], folder: Path, save: bool) -> None:
    """Execute the notebooks NUMBERS (all if none is named), and say which passed.

    A part of a name stands for the first notebook that has it: mpg for 02.
    """
    from course_utils.common.notebooks import execute, find

    try:
        paths = find(folder, names)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    results: list[tuple[str, str, str]] = []
    with show_steps() as report:
        for path in paths:
            report(path.stem)  # its first cell may take long
            on_cell = functools.partial(report, path.stem)
            try:
                seconds = execute(path, save=save, on_cell=on_cell)
                results.append((path.stem, "passed", f"{seconds:.0f} s"))
            except Exception as error:  # whatever a cell raises; the other notebooks still run
                message = click.unstyle(str(error)).strip()
                results.append((path.stem, "failed", message.splitlines()[-1]))
                console.print(message, markup=False, highlight=False)
    table = Table("notebook", "result", "")
    for row in results:
        table.add_row(*row)
    console.print(table)
    if any(result == "failed" for _, result, _ in results):
        raise SystemExit(1)


@click.command(context_settings={"ignore_unknown_options": True})
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
