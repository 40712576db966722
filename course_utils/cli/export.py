"""``course export``."""

import json
import tempfile
from pathlib import Path

import click

from course_utils.cli.console import say
from course_utils.cli.options import OneOf
from course_utils.environment import output_folder

#: of each model: the kind and the title of its page, and the licences of what the course ships
PAGES = json.loads(Path(__file__).with_name("pages.json").read_text("utf-8"))
OWN_NOTICE = """Network and labels are of whoever made this page: write here who may use them.
If they were made from what the course ships, this holds of that:"""


@click.group()
def export() -> None:
    """Write a model in another form."""


@export.command()
@click.argument("name", type=OneOf(list(PAGES)))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="What to write; by default NAME (with --single-file: NAME.html) in the current folder.",
)
@click.option("--single-file", is_flag=True, help="Write one .html file in place of a folder.")
@click.option("--overwrite", is_flag=True, help="Replace what an earlier export has written there.")
def browser(name: str, output: Path | None, single_file: bool, overwrite: bool) -> None:
    """Write a page that has a model in it: image, digit, mpg or pets.

    It computes in the browser of whoever opens it, without a server, and sends nothing. Takes the
    model you saved in a notebook, else the one the course ships.
    """
    from course_utils.export import browser, parity
    from course_utils.inference import FeatureSchema, find_model, load_labels, schema_path
    from course_utils.services import mpg

    target = output or Path(f"{name}.html" if single_file else name)
    if target.exists() and not overwrite:
        raise click.ClickException(f"{target} is there already; --overwrite replaces it.")
    model, options = find_model(name), dict(PAGES[name])
    say(f"Model: {model}")
    if model.parent == output_folder():
        options["notice"] = f"{OWN_NOTICE}\n\n{options['notice']}"
    if options["kind"] == "photo":
        options["labels"] = load_labels(model)
    if options["kind"] == "row":
        options["schema"] = FeatureSchema.load(schema_path(model))
        options["descriptions"] = mpg.CARS["features"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name if single_file else target
        browser.convert(model, folder, overwrite=overwrite, report=lambda *_: None, **options)
        if single_file:
            browser.pack(folder, target, overwrite=overwrite)
    way = f"python -m http.server --directory {target}, and open http://localhost:8000"
    way = "a double click opens it" if single_file else way
    say(f"{target}: {parity.measure_size(target) / 1e6:.1f} MB. To see it: {way}")
