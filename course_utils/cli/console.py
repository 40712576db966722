"""Where all commands talk to people."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

console = Console()


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str, int, int | None], None]]:
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
