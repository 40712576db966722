"""``course fetch`` and ``course doctor``: what a machine needs, and what it has."""

import click
from rich.table import Table

from course_utils.cli.console import console, show_steps


@click.command()
def fetch() -> None:
    """Check all data; bring pretrained weights, MNIST and CIFAR-10 into Keras' cache."""
    from course_utils.datasets import check_data_file, keras_cache, read_digests
    from course_utils.training import pretrained

    files = [check_data_file(name) for name in read_digests()]
    console.print(f"All {len(files)} data files are here and unchanged.")
    with show_steps() as report:
        sources = pretrained.fetch(report=report)
    console.print(f"What Keras downloads is in {keras_cache.cache_folder()}:", soft_wrap=True)
    for name, source in sources.items():
        console.print(f"  {name}: {source}", highlight=False)


@click.command()
def doctor() -> None:
    """Print what a bug report needs."""
    from course_utils.environment import doctor as examine

    table = Table(show_header=False)
    for name, value in examine().items():
        table.add_row(name, value)
    console.print(table)
