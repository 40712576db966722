"""Batch prediction: a whole file of examples in, the same file with predictions out.

The table passes by in chunks, so that it may be larger than memory. Each chunk is a file of its
own until all are done: a run that was killed goes on behind the last one. The output gets its
name when it is complete, not before.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from course_utils.inference.batch.job import Job, check_paths, fingerprint
from course_utils.inference.batch.rows import Errors, Numbers, explain, fitting
from course_utils.inference.batch.tables import Table, opened
from course_utils.inference.models import schema_path
from course_utils.inference.predictor import Predictor
from course_utils.inference.schema import FeatureSchema

CHUNK = 100_000  # rows; what is in memory at a time, and what is lost when a run is killed
BLOCK = 4_096  # rows in one call of the network: what it computes on stays in the cache
ON_ERROR = ("keep", "stop")
NO_NUMBER = "the network's answer is not a number"
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Summary:
    """What a batch came to. Times are in seconds, of this run alone where it went on."""

    rows: int
    refused: int  # rows of them without a prediction
    resumed: int  # rows of them that an earlier run had done
    seconds: float
    predict_seconds: float  # of them in the network


def predict_file(
    input: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    chunk: int = CHUNK,
    on_error: str = "keep",
    restart: bool = False,
    on_progress: Progress | None = None,
) -> Summary:
    """Predict every row of a CSV or Parquet file.

    The output has the rows of the input in their order with all their columns, the prediction in
    a column named after the schema's target (``mpg``; ``mpg_predicted`` where the input has a
    column of that name) and a column ``error``: empty, or what is wrong with a row that breaks
    the schema. Such a row gets no prediction.

    Started again with the same arguments after it was killed, it goes on behind the last chunk
    that was finished, and the output is the same, byte for byte. Until then the chunks are in a
    folder beside the output, ``OUTPUT.parts``.

    Args:
        input: a ``.csv`` (UTF-8, commas, a line of names) or ``.parquet`` file.
        output: the file to write, ``.csv`` or ``.parquet``; not there yet. From CSV to Parquet a
            feature becomes numbers where all its cells are some; other columns stay text.
        model: a ``.tflite``, ``.keras`` or ``.h5`` file with its ``.schema.json`` beside it.
        chunk: rows at a time.
        on_error: ``"keep"`` rows that break the schema, or ``"stop"`` at the first.
        restart: forget what an earlier run has left, and replace an output that is there.
        on_progress: told of each step: its name, how much is done, of how much (None: unknown).

    Raises:
        FileNotFoundError: no input, no folder for the output, no model or no schema.
        FileExistsError: the output is there already.
        ValueError: the input cannot be read or lacks a column, the model cannot be read, another
            process writes this output, a run with other arguments has not been finished, or
            ``on_error`` is ``"stop"`` and a row breaks the schema.
        OSError: the disk is full or refuses. What was finished is kept.
        MemoryError: a chunk is too large.
    """
    began = time.perf_counter()
    source, target, path = Path(input), Path(output), Path(model)
    if chunk < 1 or on_error not in ON_ERROR:
        raise ValueError(
            f"chunk is {chunk} and on_error is {on_error!r}; they have to be 1 row or more, and "
            f"{' or '.join(map(repr, ON_ERROR))}"
        )
    check_paths(source, target)
    schema = FeatureSchema.load(schema_path(path))
    network = _network(path, schema)
    given = fingerprint(source, [path, schema_path(path)], chunk=chunk, on_error=on_error)
    with Job(target, given, restart=restart) as job, opened(source, job.folder, schema) as table:
        run = _Run(job, table, network, chunk, on_progress or (lambda step, done, total: None))
        run.work(stop=on_error == "stop")
    return Summary(run.rows, run.refused, run.resumed, time.perf_counter() - began, run.spent)


def predict_rows(network: Predictor, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """One number for each row, however many there are."""
    blocks = (rows[first : first + BLOCK] for first in range(0, len(rows), BLOCK))
    return np.concatenate([network.predict(block)[:, 0] for block in blocks] or [rows[:, 0]])


def _network(path: Path, schema: FeatureSchema) -> Predictor:
    network = Predictor.load(path, threads=os.cpu_count() or 1)  # nobody else is waiting
    if network.input_shape != (len(schema.names),) or network.output_shape != (1,):
        raise ValueError(
            f"{path.name} takes examples of shape {network.input_shape} and answers with "
            f"{network.output_shape}; its schema has {len(schema.names)} features, and one "
            "number is to come out."
        )
    return network


@dataclass
class _Run:
    job: Job
    table: Table
    network: Predictor
    chunk: int
    tell: Progress
    rows: int = 0
    refused: int = 0
    resumed: int = 0
    spent: float = 0.0

    def work(self, *, stop: bool) -> None:
        name = self.table.file.name
        with self.job.beginning():
            self.tell(f"reading {name}", 0, None)
            self.rows = self.table.prepare()
        self.resumed = min(self.rows, len(self.job.parts()) * self.chunk)
        self.table.check_parts(self.job.parts(), self.resumed)
        self.tell("predicting", self.resumed, self.rows)
        for first in range(self.resumed, max(self.rows, 1), self.chunk):  # a part also of no rows
            answers, errors = self._predict(self.table.load(first, self.chunk))
            if stop and any(errors):
                self.job.clear()
                raise ValueError(f"{name}, {_first(errors, first)} Nothing was written.")
            with self.job.part() as part:
                self.table.write(part, answers, errors)
            self.tell("predicting", min(self.rows, first + self.chunk), self.rows)
        self.job.check_unchanged(self.table.file)
        self.tell("writing the output", 0, None)
        self.refused = self.table.refused(self.job.parts())
        with self.job.whole() as draft:
            self.table.assemble(self.job.parts(), draft)
        self.job.clear()

    def _predict(self, numbers: Numbers) -> tuple[NDArray[np.float32], Errors]:
        """Predictions, NaN where there is none, and what is wrong with each row."""
        fits = fitting(self.table.schema, numbers)
        good = np.logical_and.reduce(list(fits.values()))
        answers = np.full(len(good), np.nan, np.float32)
        began = time.perf_counter()
        with np.errstate(over="ignore"):  # in rows that will not be asked
            rows = np.column_stack([column.astype(np.float32) for column in numbers.values()])
        answers[good] = predict_rows(self.network, rows if good.all() else rows[good])
        self.spent += time.perf_counter() - began
        errors: Errors = [None] * len(good)
        if not good.all():
            errors = explain(self.table.schema, self.table.texts(), fits)
        for row in np.flatnonzero(good & ~np.isfinite(answers)):
            answers[row], errors[row] = np.nan, NO_NUMBER
        return answers, errors


def _first(errors: Errors, before: int) -> str:
    row, error = next((row, error) for row, error in enumerate(errors, before + 1) if error)
    return f"row {row:,}: {error}."
