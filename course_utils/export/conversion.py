"""What every ``convert`` shares: it writes whole files, silences converters, explains errors."""

import io
import logging
import re
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from course_utils.environment import quiet_native_stderr
from course_utils.export.graph import find_layer
from course_utils.export.source import Source, UnsupportedNetwork

#: called with the step that begins, the number of steps done, and their total
Report = Callable[[str, int, int], None]
LOGGERS = ("coremltools", "tensorflow", "tf2onnx")
#: how the converters name an operation that does not exist in their format
MISSING_OPERATION = r"TF op '(\w+)' not|'tf\.(\w+)' op|No Op registered for (\w+)"


def print_step(step: str, done: int, total: int) -> None:
    """A report for notebooks: a line for each step, the same in every run."""
    print(f"{done + 1}/{total} {step} ...", flush=True)


def check_path(path: str | Path, suffix: str, overwrite: bool) -> Path:
    """Where an export is to be written.

    Raises:
        ValueError: the name ends otherwise.
        FileExistsError: something is there already, and ``overwrite`` was not said.
        FileNotFoundError: the folder is not there.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"{path.name}: the name has to end in {suffix}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; say overwrite=True to replace it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} is not there.")
    return path


@contextmanager
def write_export(
    path: Path, source: Source, format_name: str, *, replace_folder: bool = False
) -> Iterator[Path]:
    """Yield the place to convert a network into; it becomes ``path`` once it is complete.

    Raises:
        UnsupportedNetwork: whatever the converter raises, in one sentence that names the layer.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        draft = Path(folder) / path.name
        # A failed converter's frames keep its temporary folders alive. They are cleared here, so
        # that Python deletes the folders while the warnings about it are still off.
        with quiet_native_stderr(), quiet_converters():
            try:
                yield draft
            except OSError:  # of the disk, not of the network
                raise
            except Exception as error:  # a converter raises what the operation makes it raise
                traceback.clear_frames(error.__traceback__)
                said = str(error) or type(error).__name__
                raise UnsupportedNetwork(_explain(source.model, format_name, said)) from error
        if replace_folder:
            shutil.rmtree(path, ignore_errors=True)
        draft.replace(path)


@contextmanager
def quiet_converters() -> Iterator[None]:
    """Drop what the converters log, warn of and draw while they work; what fails raises.

    coremltools warns that it was not tested with a TensorFlow this new, and that it cannot predict
    on this system: `coreml.verify` makes up for both.
    """
    logs = [logging.getLogger(name) for name in LOGGERS]
    levels = [log.level for log in logs]
    try:
        for log in logs:
            log.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _explain(model: Any, format_name: str, said: str) -> str:
    """Why a network cannot be converted: the layer, and the operation or the converter's words."""
    layer = find_layer(model, said)
    subject = f"The layer {layer!r}" if layer else f"The network {model.name!r}"
    operation = re.search(MISSING_OPERATION, said)
    if operation:
        name = next(filter(None, operation.groups()))
        return (
            f"{subject} uses the operation {name}, which cannot be translated to {format_name}. "
            "Build the layer from others."
        )
    reason = said.strip().splitlines()[0][:200]
    return f"{subject} cannot be translated to {format_name}: {reason}."
