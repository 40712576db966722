"""A Keras network as a SavedModel in a numbered folder, as TensorFlow Serving wants it.

TensorFlow Serving watches a folder for each network, ``NAME/1``, ``NAME/2`` and so on, loads the
highest number, and changes to a higher one as soon as it is there. Section 13.1 names it for more
requests than a Flask service on one machine can answer.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.export.conversion import Report, print_step, write_export
from course_utils.export.parity import Parity, Shapes, Tolerance, compare_runtime
from course_utils.export.source import RAW, Pixels, Source
from course_utils.inference.tracing import write_savedmodel

TOLERANCE = Tolerance(1e-5, 1e-5)  # it is TensorFlow in both cases
SIGNATURE = "serving_default"  # used for a request that names none


def convert(
    model: Any,
    folder: str | Path,
    *,
    name: str | None = None,
    preprocess: Pixels = RAW,
    report: Report = print_step,
) -> Path:
    """Write a Keras network as ``folder/NAME/VERSION``, one more than the highest version there.

    It becomes visible whole, under its number: a server that watches the folder never meets half
    of it. A version is never replaced, because a server may be using it.

    Args:
        model: as in `coreml.convert`, and so are ``preprocess`` and ``report``.
        folder: that holds a folder for each network; made where it is not there.
        name: under which it is served; by default the network's own.

    Returns:
        ``folder/NAME/VERSION``.

    Raises:
        UnsupportedNetwork: the network cannot be exported; with the name of the layer.
        ValueError: ``preprocess`` does not fit the network, or ``name`` contains a slash.
        OSError: another process has written the same version meanwhile.
    """
    source, name = Source(model, preprocess), name or str(model.name)
    if "/" in name:
        raise ValueError(f"name: expected a name without a slash, got {name!r}")
    versions = Path(folder) / name
    path = versions / str(find_newest(versions) + 1)
    report(f"writing {versions.name}, version {path.name}", 0, 1)
    versions.mkdir(parents=True, exist_ok=True)
    with write_export(path, source, "a SavedModel") as draft:
        write_savedmodel(source.network, draft)
    return path


def find_newest(folder: str | Path) -> int:
    """The highest version in a network's folder, which is the one served; 0 without any."""
    path = Path(folder)
    names = [each.name for each in path.iterdir()] if path.is_dir() else []
    return max((int(name) for name in names if name.isdecimal()), default=0)


def verify(path: str | Path, model: Any, samples: Any, *, preprocess: Pixels = RAW) -> Parity:
    """Reload a SavedModel, run its signature as TensorFlow Serving does, compare it with Keras.

    Args, returns and raises as `coreml.verify`, but for ``path``, which is that of the version's
    folder; `TOLERANCE` is what a difference may be.
    """
    (run, shapes), file = load(path), "/".join(Path(path).parts[-2:])
    return compare_runtime(
        file, Source(model, preprocess), samples, TOLERANCE, run=run, shapes=shapes, labels=None
    )


def load(path: str | Path) -> tuple[Callable[[Any], np.ndarray], Shapes]:
    """Load a SavedModel of one input and one output.

    Returns:
        What runs it, and the shapes of an example and of its answer.

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
        ((entry, given),) = function.structured_input_signature[1].items()
        ((answer, returned),) = function.structured_outputs.items()
    except Exception as error:  # TensorFlow raises what the damage makes it raise
        raise ValueError(f"{path} cannot be read, it is damaged: {error}") from None

    def run(rows: Any) -> np.ndarray:
        # Holds `loaded`, without which its variables would be gone.
        wanted = tf.constant(np.asarray(rows), given.dtype)
        return np.asarray(loaded.signatures[SIGNATURE](**{entry: wanted})[answer])

    return run, (tuple(given.shape[1:]), tuple(returned.shape[1:]))
