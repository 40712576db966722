"""A Keras network as a SavedModel in a numbered folder, as TensorFlow Serving wants it.

TensorFlow Serving watches a folder for each network, ``NAME/1``, ``NAME/2`` and so on, loads the
highest number and goes over to a higher one as soon as it is there (section 13.1 names it for what
one machine's Flask service cannot bear).
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.export.parity import Parity, Tolerance
from course_utils.export.runtime import Runtime
from course_utils.export.source import RAW, Pixels, Report, Source, printed

TOLERANCE = Tolerance(1e-5, 1e-5)  # it is TensorFlow in both cases
SIGNATURE = "serving_default"  # what a request without a name asks


def convert(
    model: Any,
    folder: str | Path,
    *,
    version: int,
    name: str | None = None,
    preprocess: Pixels = RAW,
    allow_custom: bool = False,
    report: Report = printed,
) -> Path:
    """Write a Keras network as ``folder/NAME/VERSION``.

    It becomes visible whole, under its number: a server that watches the folder never meets half
    of it. A version is never replaced, for somebody may be served by it.

    Args:
        model: as in `coreml.convert`.
        folder: that holds a folder for each network; made where it is not there.
        version: 1 or more, and a number that is not taken.
        name: under which it is served; by default the network's own.
        preprocess: what the network takes, from pixels of 0 to 255, which the SavedModel takes.
        allow_custom: take layers that Keras does not bring, too.
        report: is called as the work goes on; by default each step is printed.

    Returns:
        ``folder/NAME/VERSION``.

    Raises:
        Unsupported: the network cannot be exported; with the name of the layer.
        ValueError: a parameter is none of those allowed.
        FileExistsError: the version is there.
    """
    source = Source(model, preprocess, allow_custom=allow_custom)
    path = _path(Path(folder), name or str(model.name), version)
    report(f"writing {path.parent.name}, version {version}", 0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as place:
        draft = Path(place) / path.name
        with quiet_native_stderr():
            source.with_pixels().export(draft, format="tf_saved_model", verbose=False)
        _publish(draft, path)
    report(f"{path.parent.name}, version {version}, is written", 1, 1)
    return path


def _path(folder: Path, name: str, version: int) -> Path:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"version is a number, 1 or more, not {version!r}")
    if not name or name != Path(name).name or name.startswith("."):
        raise ValueError(f"name is that of a folder, such as 'mpg', not {name!r}")
    path = folder / name / str(version)
    if path.exists():
        raise _taken(path)
    return path


def _publish(draft: Path, path: Path) -> None:
    """Give the folder its name, unless somebody has taken that in the meantime."""
    try:
        draft.rename(path)  # no folder that holds something is ever replaced by this
    except OSError:
        if path.exists():
            raise _taken(path) from None
        raise


def _taken(path: Path) -> FileExistsError:
    return FileExistsError(
        f"{path} is there already, and a version is never replaced; the next free number is "
        f"{newest(path.parent) + 1}."
    )


def newest(folder: str | Path) -> int:
    """The highest version in a network's folder, which is the one served; 0 without any."""
    path = Path(folder)
    names = [each.name for each in path.iterdir()] if path.is_dir() else []
    return max((int(name) for name in names if name.isdecimal()), default=0)


def verify(
    path: str | Path,
    model: Any,
    samples: Any,
    *,
    preprocess: Pixels = RAW,
    tolerance: Tolerance | None = None,
    allow_custom: bool = False,
) -> Parity:
    """Reload a SavedModel, ask its signature as TensorFlow Serving does, compare it with Keras.

    Args:
        path: of the version's folder.
        model: the Keras network it was made from.
        samples: photos ``(n, height, width, channels)`` in uint8 or rows ``(n, features)``.
        preprocess: as it was given to ``convert``; the SavedModel does it by itself.
        tolerance: by default `TOLERANCE`.
        allow_custom: as in ``convert``.

    Returns:
        Whether it computes the same, and where not.

    Raises:
        FileNotFoundError: no SavedModel is there.
        ValueError: it cannot be read, or takes or gives something else than the network.
    """
    path = Path(path)
    source = Source(model, preprocess, allow_custom=allow_custom)
    examples = source.check_samples(samples)
    runtime = load(path)
    file = f"{path.parent.name}/{path.name}"
    return runtime.compared(file, source, examples, None, tolerance or TOLERANCE)


def load(path: str | Path) -> Runtime:
    """A SavedModel of one input and one output, ready to be asked.

    Raises:
        FileNotFoundError: no SavedModel is there.
        ValueError: it cannot be read.
    """
    path = Path(path)
    if not (path / "saved_model.pb").is_file():
        raise FileNotFoundError(f"{path} holds no SavedModel (saved_model.pb).")
    with quiet_native_stderr():
        import tensorflow as tf
    try:
        with quiet_native_stderr():
            loaded = tf.saved_model.load(str(path))
        function = loaded.signatures[SIGNATURE]
        ((entry, takes),) = function.structured_input_signature[1].items()
        ((answer, gives),) = function.structured_outputs.items()
    except Exception as error:  # TensorFlow raises what the damage makes it raise
        raise ValueError(f"{path} cannot be read, it is damaged: {error}") from None

    def run(rows: Any) -> np.ndarray:
        # Holds `loaded`, without which its variables would be gone.
        wanted = tf.constant(np.asarray(rows), takes.dtype)
        return np.asarray(loaded.signatures[SIGNATURE](**{entry: wanted})[answer])

    return Runtime("TensorFlow", run, tuple(takes.shape[1:]), tuple(gives.shape[1:]))
