"""The command ``course``: open, run and serve the course (``course --help``).

A module for each group of commands parses, calls the library and prints; nothing else in the
library prints to a terminal. This room computes nothing. No other room imports from it.
"""

import itertools
from typing import Any

import click

from course_utils import __version__
from course_utils.cli.drift import drift
from course_utils.cli.export import export
from course_utils.cli.machine import doctor, fetch
from course_utils.cli.models import models
from course_utils.cli.notebooks import lab, progress, run
from course_utils.cli.predict import predict
from course_utils.cli.retrain import retrain
from course_utils.cli.serve import serve

COMMANDS = {
    "Learn": (lab, run, progress, fetch, doctor),
    "Serve": (serve, predict, export),
    "Operate": (drift, retrain, models),
}


class Commands(click.Group):
    """Shows the commands in groups, and tells in a sentence what went wrong in any of them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                rows = [(str(c.name), c.get_short_help_str(limit=200)) for c in commands]
                formatter.write_dl(rows, col_spacing=3)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ImportError, OSError, ValueError, MemoryError) as error:
            message = str(error)
            if isinstance(error, ModuleNotFoundError) and error.name:  # else its text says enough
                # As in an image that only serves.
                extra = "lab" if error.name == "jupyterlab" else "production"
                message = (
                    f"This needs {error.name}, which is not installed here: "
                    f"pip install 'networks-at-work[{extra}]'."
                )
            raise click.ClickException(message) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="course")
def main() -> None:
    """Networks at Work, a course: run its notebooks, serve its models, look after them.

    `course COMMAND --help` says more of each command.
    """


for command in itertools.chain(*COMMANDS.values()):
    main.add_command(command)
