"""Where all commands talk to people."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

console = Console()


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
                bar.update(task.id, completed=1, total=1)

        yield report
        finish()
