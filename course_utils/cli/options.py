"""What several commands take: paths of some kind, and the option for machines."""

import difflib
from pathlib import Path
from typing import Any

import click


class OneOf(click.Choice):  # type: ignore[type-arg]  # it has no parameter before click 8.2
    """One of some names, of which the nearest is suggested where another is given."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            near = difflib.get_close_matches(value.lower(), self.choices, 1, cutoff=0.5)
            advice = f" Did you mean {near[0]}?" if near else ""
            self.fail(error.message + advice, param, ctx)


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
ANY_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)  # there or not
ANY_FOLDER = click.Path(file_okay=False, writable=True, path_type=Path)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")
