"""What every ``convert`` shares: it reports its steps and writes whole files."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from course_utils.export.source import Source
from course_utils.inference.pixels import RAW, find_range
from course_utils.inference.tracing import explain_failure

#: called with the step that begins, the number of steps done, and their total
Report = Callable[[str, int, int], None]


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

    It warns of a network that was certainly trained on other pixels than it is given.

    Raises:
        UnsupportedNetwork: whatever the converter raises, in one sentence that names the layer.
    """
    warn_of_pixels(path.name, source)
    with write_whole(path, replace_folder) as draft, explain_failure(source.model, format_name):
        yield draft


def warn_of_pixels(file: str, source: Source, stacklevel: int = 5) -> None:
    """Warn of a network that was certainly trained on other pixels than it is given."""
    name, _ = find_range(source.model)
    if name and source.pixels == RAW:
        said = f"{file} takes pixels from 0 to 255, and Keras' {name} was trained on others."
        said += " Say preprocess=, such as coreml.MINUS_ONE_TO_ONE."
        warnings.warn(said, stacklevel=stacklevel)


@contextmanager
def write_whole(path: Path, replace_folder: bool) -> Iterator[Path]:
    """Yield the place to write a file or a folder; it becomes ``path`` once it is complete."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        draft = Path(folder) / path.name
        yield draft
        if replace_folder:
            shutil.rmtree(path, ignore_errors=True)
        draft.replace(path)
