"""The command ``course``: open, run and serve the course (``course --help``).

A module for each group of commands parses, calls the library and prints; nothing else in the
library prints to a terminal. This room computes nothing. No other room imports from it.
"""

from typing import Any

import click

from course_utils import __version__
from course_utils.cli.compare import compare
from course_utils.cli.drift import drift
from course_utils.cli.machine import doctor, fetch
from course_utils.cli.models import models
from course_utils.cli.notebooks import lab, run
from course_utils.cli.predict import predict
from course_utils.cli.retrain import retrain
from course_utils.cli.serve import serve

COMMANDS = (doctor, drift, fetch, lab, models, predict, retrain, run, serve)


class Commands(click.Group):
    """Tells in a sentence what went wrong, whichever command was run."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ImportError, OSError, ValueError, MemoryError) as error:
            message = str(error)
            if isinstance(error, ModuleNotFoundError) and error.name:  # else its text says enough
                if error.name.startswith("course_utils"):  # a fault of ours, not a missing package
                    raise
                # As in an image that only serves.
                message = (
                    f"This needs {error.name}, which is not installed here: "
                    "pip install 'networks-at-work[mlflow,production]'."
                )
            raise click.ClickException(message) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="course")
def main() -> None:
    """Networks at Work: run, serve and look after the notebook course."""


for command in COMMANDS:
    main.add_command(command)
models.add_command(compare)
