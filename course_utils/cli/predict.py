"""``course predict``."""

from pathlib import Path
from typing import Any

import click

from course_utils.cli.console import console, show_steps
from course_utils.cli.options import ANY_FILE, FILE


@click.command()
@click.argument("name", type=click.Choice(["mpg"]))
@click.option(
    "--input",
    "source",
    required=True,
    type=FILE,
    help="The rows: a .csv file (UTF-8, commas, names in the first line) or a .parquet file.",
)
@click.option(
    "--output", "target", required=True, type=ANY_FILE, help="The file to write, .csv or .parquet."
)
@click.option("--model", type=FILE, help="A .tflite, .keras or .h5 file; beside it its schema.")
@click.option(
    "--chunk",
    default=100_000,
    show_default=True,
    type=click.IntRange(1),
    help="Rows at a time: what is in memory, and what is lost at most when a run is killed.",
)
@click.option("--restart", is_flag=True, help="Forget what an earlier run left; replace an output.")
def predict(name: str, source: Path, target: Path, model: Path | None, **options: Any) -> None:
    """Predict every row of a file.

    The output has all rows in their order, with the prediction in a column of its own and, in the
    column "error", what is wrong with a row that the model may not be asked. Killed, and started
    again with the same arguments, it goes on where it was.
    """
    from course_utils.inference import find_model, predict_file

    path = model or find_model(name)
    console.print(f"Model: {path}", highlight=False, soft_wrap=True)
    try:
        with show_steps() as report:
            done = predict_file(source, target, model=path, on_progress=report, **options)
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on where this one was.", err=True)
        raise SystemExit(130) from None
    before = f", {done.resumed:,} of them by an earlier run" if done.resumed else ""
    click.echo(f"{target}: {done.rows:,} rows{before}, in {done.seconds:.1f} s")
    if done.refused:
        click.echo(f"Rows without a prediction: {done.refused:,}; the column of errors says why.")
