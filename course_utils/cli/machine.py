"""``course fetch`` and ``course doctor``: what a machine needs, and what it has."""

import subprocess
import sys

import click
from rich.table import Column, Table

from course_utils.cli.console import console, show_steps
from course_utils.environment import PACKAGE_FOLDER, list_missing

EXTRAS = ("drift", "phone", "production", "scale")  # that set-up cells of notebooks name


@click.command()
@click.argument("everything", metavar="[all]", type=click.Choice(["all"]), required=False)
def fetch(everything: str | None) -> None:
    """Download pretrained networks and data sets, once.

    Checks all data that came with the course, and brings pretrained weights and MNIST into Keras'
    cache. With "all" also what a single notebook needs, CIFAR-10 (139 MB) and Ray: after that, all
    notebooks run without a network.
    """
    from course_utils.datasets import check_data_file, keras_cache, read_digests
    from course_utils.training import pretrained

    files = [check_data_file(name) for name in read_digests()]
    console.print(f"All {len(files)} data files are here and unchanged.")
    with show_steps() as report:
        sources = pretrained.fetch(report, everything=bool(everything))
        if everything and (missing := list_missing(*EXTRAS)):
            report(f"installing {', '.join(missing)}")
            lock = PACKAGE_FOLDER.parent / "requirements.lock"  # in a checkout of the course
            pins = ["-c", str(lock)] if lock.is_file() else []
            if subprocess.call([sys.executable, "-m", "pip", "install", "-q", *pins, *missing]):
                raise click.ClickException("pip could not install these packages (reason above).")
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
