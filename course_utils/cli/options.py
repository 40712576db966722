"""What several commands take: paths of some kind, and the option for machines."""

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
ANY_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)  # there or not
ANY_FOLDER = click.Path(file_okay=False, writable=True, path_type=Path)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")
