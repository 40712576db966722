"""``course lab``, ``course run`` and ``course progress``: the notebooks from a terminal."""

import functools
import os
from pathlib import Path

import click
from rich.table import Table

from course_utils.cli.console import console, show_steps

FIRST = "00_start_here.ipynb"
NO_NEWS = Path(__file__).with_name("jupyter")  # settings: JupyterLab does not ask to show news
ELSEWHERE = "There are no notebooks in the folder {}. Run this in the course's folder."
STOPPED = 130  # what a shell says of a command that Ctrl-C ended


@click.command()
@click.argument("names", metavar="[NUMBERS]...", nargs=-1)
@click.option("--folder", default="notebooks", show_default=True, type=Path)
@click.option("--save", is_flag=True, help="Keep the outputs in the notebooks.")
def run(names: tuple[str, ...], folder: Path, save: bool) -> None:
    """Run notebooks in the terminal.

    Runs the notebooks NUMBERS (all if none is named), and says which passed and which exercises
    in them are untouched. A part of a name stands for the first notebook that has it: mpg for 02.
    Ctrl-C stops.
    """
    from course_utils.common.notebooks import execute, find
    from course_utils.exercises.progress import list_untouched

    if not folder.is_dir():
        raise click.UsageError(ELSEWHERE.format(folder))
    try:
        paths = find(folder, names)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    results: dict[str, tuple[str, str]] = {}
    with show_steps() as report:
        for path in paths:
            on_cell = functools.partial(report, path.stem)
            try:
                seconds = execute(path, save=save, on_cell=on_cell)
                results[path.stem] = "passed", f"{seconds:.0f} s"
            except KeyboardInterrupt:
                results[path.stem] = "stopped", ""
                break
            except Exception as error:  # whatever a cell raises; the other notebooks still run
                message = click.unstyle(str(error)).strip()
                results[path.stem] = "failed", message.splitlines()[-1]
                console.print(message, markup=False, highlight=False)
    table = Table("notebook", "result", "", "untouched exercises")
    for path in paths:
        result = results.get(path.stem, ("not run", ""))
        table.add_row(path.stem, *result, ", ".join(list_untouched(path)))
    console.print(table)
    ends = [result for result, _ in results.values()]
    raise SystemExit(STOPPED if "stopped" in ends else "failed" in ends)


@click.command()
def progress() -> None:
    """Show which exercises you have solved.

    An exercise is solved once its check has said that it is right.
    """
    from course_utils.exercises.progress import find_file, list_progress

    table = Table("notebook", "solved", "still to solve")
    for one in list_progress():
        count = f"{len(one.solved)} of {len(one.solved + one.unsolved)}"
        table.add_row(f"{one.number} {one.title}", count, ", ".join(one.unsolved))
    console.print(table)
    console.print(f"Kept in {find_file()}.", soft_wrap=True, highlight=False)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--folder", default="notebooks", show_default=True, type=Path)
@click.argument("options", metavar="[JUPYTERLAB_OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
def lab(folder: Path, options: tuple[str, ...]) -> None:
    """Open notebook 00 in JupyterLab."""
    if not (folder / FIRST).is_file():
        raise click.ClickException(ELSEWHERE.format(folder))
    from jupyterlab.labapp import LabApp

    start = f"--LabApp.default_url=/lab/tree/{FIRST}"  # unlike a file, in the printed address, too
    more = os.environ.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep)
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(NO_NEWS), *filter(None, more)])
    LabApp.launch_instance([str(folder), start, *options])
