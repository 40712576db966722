"""``course predict``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from course_utils.cli.console import console, steps

if TYPE_CHECKING:
    from course_utils.inference.batch import Summary

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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
    "--output",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write, .csv or .parquet.",
)
@click.option("--model", type=FILE, help="A .tflite, .keras or .h5 file; beside it its schema.")
@click.option(
    "--store",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of records: take the version of NAME that is being served.",
)
@click.option(
    "--chunk",
    default=100_000,
    show_default=True,
    type=click.IntRange(1),
    help="Rows at a time: what is in memory, and what is lost at most when a run is killed.",
)
@click.option(
    "--on-error",
    default="keep",
    show_default=True,
    type=click.Choice(["keep", "stop"]),
    help="What to do with a row that breaks the schema: keep it without a prediction, or stop.",
)
@click.option("--restart", is_flag=True, help="Forget what an earlier run left; replace an output.")
def predict(
    name: str,
    source: Path,
    target: Path,
    model: Path | None,
    store: Path | None,
    chunk: int,
    on_error: str,
    restart: bool,
) -> None:
    """Predict every row of a file with the model NAME.

    The output has all rows in their order, with the prediction in a column of its own and, in the
    column "error", what is wrong with a row that the model may not be asked. Killed, and started
    again with the same arguments, it goes on where it was.
    """
    from course_utils.inference import batch

    if model and store:
        raise click.UsageError("A model comes from --model or from --store, not from both.")
    try:
        path = model or _find(name, store)
        console.print(f"Model: {path}", highlight=False, soft_wrap=True)
        with steps() as report:
            done = batch.predict_file(
                source,
                target,
                model=path,
                chunk=chunk,
                on_error=on_error,
                restart=restart,
                on_progress=report,
            )
    except (OSError, ValueError, MemoryError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on where this one was.", err=True)
        raise SystemExit(130) from None
    _report(done, target)


def _find(name: str, store: Path | None) -> Path:
    """The model in a store, all its files checked; else the learner's, else the shipped one."""
    if store:
        from course_utils import registry

        version = registry.serving(name, store=store).version
        if version is None:
            raise ValueError(registry.nothing_promoted(name, store))
        record = registry.load(name, version, store=store)
        registry.verify(record)
        return record.model
    from course_utils.inference import find_model

    return find_model(name)


def _report(done: "Summary", target: Path) -> None:
    fresh = done.rows - done.resumed
    before = f", {done.resumed:,} were there" if done.resumed else ""
    console.print(
        f"{target}: {done.rows:,} rows in {done.seconds:.1f} s "
        f"({fresh / done.seconds:,.0f} predicted a second{before}).",
        highlight=False,
        soft_wrap=True,
    )
    if done.refused:
        rows = "1 row has" if done.refused == 1 else f"{done.refused:,} rows have"
        console.print(f"{rows} no prediction; the column of errors says why.", highlight=False)
