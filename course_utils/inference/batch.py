"""Batch prediction: a whole file of examples in, the same file with predictions out.

The table is read in chunks, so it may be larger than memory. Until the output is complete, the
folder ``OUTPUT.parts`` beside it holds the predictions of each finished chunk, and in ``job.json``
the arguments. Each file is whole or absent, so a run that was killed at any moment can go on.
"""

import contextlib
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import Timeout
from numpy.typing import NDArray

from course_utils.common import machine_lock
from course_utils.common.atomic_files import DRAFT_SUFFIX, open_draft, put
from course_utils.inference.predictor import Predictor
from course_utils.inference.schema import FeatureSchema, schema_path
from course_utils.inference.tables import CSV, PARQUET, Errors, Table, open_table

CHUNK_ROWS = 100_000  # read at a time; a run that is killed loses no more than one chunk
BLOCK_ROWS = 4_096  # in one call of the network: its tensors then fit the processor's cache
DIGESTED_BYTES = 2**20  # at the beginning and at the end of the input
JOB_FORMAT = 1  # of `job.json` and the parts beside it
JOB = "job.json"
# What runs leave in the folder; the job goes last, since it tells that the folder is ours.
OUR_FILES = ("part-*.parquet*", "input.parquet*", "whole.*", "spilled", f"{JOB}*")
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Summary:
    """What a batch came to. The seconds are those of this run, without an earlier one's."""

    rows: int
    refused: int  # of the rows: without a prediction
    resumed: int  # of the rows: done by an earlier run
    seconds: float


def predict_file(
    input: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    chunk: int = CHUNK_ROWS,
    restart: bool = False,
    on_progress: Progress = lambda step, done, total: None,
) -> Summary:
    """Predict every row of a CSV or Parquet file.

    The output has the rows of the input in their order with all their columns, the prediction in
    a column named after the schema's target (``mpg``; ``mpg_predicted`` where the input has a
    column of that name) and a column ``error``: empty, or what is wrong with a row that breaks
    the schema. Such a row gets no prediction.

    Started again with the same arguments after it was killed, it goes on after the last chunk
    that was finished, and the output is the same, byte for byte. Until the output is complete,
    the predictions are in a folder beside it, ``OUTPUT.parts``.

    Args:
        input: a ``.csv`` (UTF-8, commas, a line of names) or ``.parquet`` file.
        output: the file to write, ``.csv`` or ``.parquet``; not there yet. From CSV to Parquet the
            features become numbers (what is no number is empty); other columns stay text.
        model: a ``.tflite``, ``.keras`` or ``.h5`` file with its ``.schema.json`` beside it.
        chunk: rows at a time.
        restart: forget what an earlier run has left, and replace an output that is there.
        on_progress: told of each step: its name, how much is done, of how much (None: unknown).

    Raises:
        FileNotFoundError: no input, no folder for the output, no model or no schema.
        FileExistsError: the output is there already, or its folder of parts is somebody else's.
        ValueError: the input cannot be read or lacks a column, the model cannot be read, another
            process writes this output, or a run with other arguments has not been finished.
        OSError: the disk is full or refuses. What was finished is kept.
        MemoryError: a chunk is too large.
    """
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; it has to be 1 row or more.")
    source, target, path = Path(input), Path(output), Path(model)
    _check_paths(source, target)
    schema = FeatureSchema.load(schema_path(path))
    network = Predictor.load(path)
    schema.check_network(network, path)
    job = _Job(source, target, path, chunk)
    with job.open(restart=restart), open_table(source, job.folder, schema) as table:
        return _predict_table(job, table, network, schema, on_progress)


def _predict_table(
    job: "_Job", table: Table, network: Predictor, schema: FeatureSchema, tell: Progress
) -> Summary:
    """Predict the chunks that are not finished, write the output, and remove the parts."""
    began, chunk = time.perf_counter(), job.chunk
    tell(f"reading {job.source.name}", 0, None)
    rows = table.prepare()
    resumed = min(rows, len(job.list_finished_parts()) * chunk)
    tell("predicting", resumed, rows)
    for first in range(resumed, max(rows, 1), chunk):  # one part even without rows
        predictions, errors = _predict_chunk(table, network, schema, first, chunk)
        table.write_predictions(job.name_part(first // chunk), predictions, errors)
        tell("predicting", min(rows, first + chunk), rows)
    tell("writing the output", 0, None)
    parts = job.list_finished_parts()
    refused = table.count_refused(parts)
    # The draft is in the job's folder, so that a killed run leaves nothing beside the output.
    with open_draft(job.target, job.folder / f"whole{job.target.suffix}") as draft:
        table.assemble(parts, draft)
        job.check_unchanged()
    job.clear()
    return Summary(rows, refused, resumed, time.perf_counter() - began)


def _predict_chunk(
    table: Table, network: Predictor, schema: FeatureSchema, first: int, rows: int
) -> tuple[NDArray[np.float32], Errors]:
    """Predict a chunk: predictions (NaN: none), and what is wrong with each row."""
    numbers = table.read_numbers(first, rows)
    accepted = {feature: feature.accepts_each(numbers[feature.name]) for feature in schema.features}
    good = np.logical_and.reduce(list(accepted.values()))
    predictions = np.full(len(good), np.nan, np.float32)
    with np.errstate(over="ignore"):  # too large for float32, in rows that are refused
        examples = np.column_stack([column.astype(np.float32) for column in numbers.values()])
    predictions[good] = predict_in_blocks(network, examples if good.all() else examples[good])
    errors: Errors = [None] * len(good)
    for feature, fits in accepted.items():
        for row in np.flatnonzero(~fits):
            value = numbers[feature.name][row]
            found = "" if np.isnan(value) else f"{value:.10g} is "
            said = f"{feature.name}: {found}not {feature.allowed}"
            errors[row] = "; ".join(filter(None, (errors[row], said)))
    for row in np.flatnonzero(good & ~np.isfinite(predictions)):
        predictions[row], errors[row] = np.nan, "the network's answer is not a number"
    return predictions, errors


def predict_in_blocks(network: Predictor, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predict any number of rows, `BLOCK_ROWS` at a time: one number for each."""
    blocks = (rows[first : first + BLOCK_ROWS] for first in range(0, len(rows), BLOCK_ROWS))
    return np.concatenate([network.predict(block)[:, 0] for block in blocks] or [rows[:, 0]])


def _check_paths(source: Path, target: Path) -> None:
    for path in (source, target):
        if path.suffix.lower() not in (CSV, PARQUET):
            raise ValueError(f"{path.name} has to end in {CSV} or {PARQUET}.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent} to write the output into.")
    if target.exists() and target.samefile(source):
        raise ValueError(f"{target} is the input: name another file for the output.")


class _Job:
    """The folder of finished parts beside an output, and the arguments that they were made with."""

    def __init__(self, source: Path, target: Path, model: Path, chunk: int):
        self.source, self.target, self.chunk = source, target, chunk
        self.folder = target.with_name(f"{target.name}.parts")
        files = (model, schema_path(model))
        self._arguments = {
            "format": JOB_FORMAT,
            "input": _fingerprint(source),
            "model": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
            "chunk": chunk,
        }

    @contextlib.contextmanager
    def open(self, *, restart: bool) -> Iterator[None]:
        """Hold the folder for this process alone; an error leaves it only with finished parts.

        Raises:
            FileExistsError: the output is there and no unfinished run, or the folder is not ours.
            ValueError: another process writes it, or what is there is of another run.
        """
        try:
            lock = machine_lock(self.folder).acquire(timeout=0)
        except Timeout:
            raise ValueError(
                f"Another process is writing {self.target}: wait for it, or name another file."
            ) from None
        with lock:
            known = self._read_job()
            draft = self.folder / f"{JOB}{DRAFT_SUFFIX}"  # of a run killed at its beginning
            if known is None and (self.folder.is_file() or set(self.folder.glob("*")) - {draft}):
                raise FileExistsError(
                    f"{self.folder} is in the way: the parts of the output would be kept there "
                    "until it is complete. Move it, or name another output."
                )
            if known is not None and not restart:
                self._check_arguments(known)
            elif restart or not self.target.exists():
                self.clear()
            else:
                raise FileExistsError(
                    f"{self.target} is there already: name another file, or replace it with "
                    "--restart (restart=True)."
                )
            try:
                self.folder.mkdir(exist_ok=True)
                put(self.folder / JOB, json.dumps(self._arguments, indent=1).encode())
                yield
            except BaseException:
                if not self.list_finished_parts():
                    self.clear()
                raise

    def _read_job(self) -> dict[str, Any] | None:
        """Read the arguments of an unfinished run; None if none of this format can be read."""
        try:
            known = json.loads((self.folder / JOB).read_bytes())
        except (OSError, ValueError):
            return None
        return known if isinstance(known, dict) and known.get("format") == JOB_FORMAT else None

    def _check_arguments(self, known: dict[str, Any]) -> None:
        """Raise ValueError unless an unfinished run had the same arguments."""
        ours = self._arguments
        changed = [name for name in ours if known.get(name) != ours[name]]
        if changed:
            raise ValueError(
                f"{self.folder} is of a run that has not been finished and had another "
                f"{' and another '.join(changed)}. Start that one again to go on with it, or "
                "forget it with --restart (restart=True)."
            )

    def name_part(self, number: int) -> Path:
        """The file for the predictions of one chunk."""
        return self.folder / f"part-{number:06d}.parquet"

    def list_finished_parts(self) -> list[Path]:
        """List the finished parts in order, up to the first that is missing."""
        return list(itertools.takewhile(Path.exists, map(self.name_part, itertools.count())))

    def check_unchanged(self) -> None:
        """Raise ValueError if the input has changed since the run began."""
        if _fingerprint(self.source) != self._arguments["input"]:
            raise ValueError(
                f"{self.source} was changed while it was predicted: predict it again with "
                "--restart (restart=True)."
            )

    def clear(self) -> None:
        """Remove what runs have left in the folder, and the folder if nothing else is in it."""
        for pattern in OUR_FILES:
            for path in self.folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _fingerprint(source: Path) -> list[int | str]:
    """Take size, time of the last change and a digest of both ends: fast for large files, too."""
    found = source.stat()
    with source.open("rb") as file:
        ends = file.read(DIGESTED_BYTES)
        file.seek(max(0, found.st_size - DIGESTED_BYTES))
        ends += file.read(DIGESTED_BYTES)
    return [found.st_size, found.st_mtime_ns, hashlib.sha256(ends).hexdigest()]
