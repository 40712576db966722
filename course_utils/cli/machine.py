"""``course fetch`` and ``course doctor``: what a machine needs, and what it has."""

import click
from rich.table import Column, Table

from course_utils.cli.console import console, show_steps


@click.command()
def fetch() -> None:
    """Download pretrained networks and data sets, once.

    Checks all data that came with the course, and brings pretrained weights, MNIST and CIFAR-10
    into Keras' cache.
    """
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
    """Show what a bug report needs: versions, folders, GPU."""
    from course_utils.environment import doctor as examine

    table = Table("", Column(overflow="fold"), show_header=False)  # a folder has to be whole
    for name, value in examine().items():
        table.add_row(name, value)
    console.print(table)
