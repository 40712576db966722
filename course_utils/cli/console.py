"""Where all commands talk to people."""

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from course_utils.cli.exit_codes import EXIT_CODES

COLOURS = {0: "green", 3: "yellow", 4: "green", 5: "blue"}  # by exit code
console = Console()
say = functools.partial(console.print, soft_wrap=True, markup=False, highlight=False)


def print_verdict(found: Any, as_json: bool, notes: Sequence[str] = ()) -> None:
    """A verdict (``found.verdict``), its reasons and notes, or all that was found as JSON."""
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, allow_nan=False))
        return
    colour = "red" if found.verdict == "retrain" else COLOURS[EXIT_CODES[found.verdict]]
    console.print(found.verdict.upper(), style=f"bold {colour}")
    for line in found.reasons + [f"Note: {note}" for note in notes]:
        console.print(line, markup=False, highlight=False)


@contextlib.contextmanager
def show_steps(*, silent: bool = False) -> Iterator[Callable[..., None]]:
    """A function that shows each step it is told of as a line of its own, with a bar."""
    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=silent) as bar:

        def report(step: str, done: int = 0, total: int | None = None) -> None:
            if not bar.tasks or bar.tasks[-1].description != step:
                finish()
                bar.add_task(step, total=None)
            bar.update(bar.tasks[-1].id, completed=done, total=total)

        def finish() -> None:
            for task in bar.tasks:
                if task.total is None:  # others end where they were: a notebook may have failed
                    bar.update(task.id, completed=1, total=1)
                bar.stop_task(task.id)  # its clock

        yield report
        finish()
