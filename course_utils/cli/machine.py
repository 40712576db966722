"""``course fetch`` and ``course doctor``: what a machine needs, and what it has."""

import contextlib
import json
from collections.abc import Callable, Iterator

import click
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from course_utils.cli.console import console


@click.command()
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


@click.command()
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
