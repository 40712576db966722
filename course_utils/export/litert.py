"""A Keras network as a LiteRT file, for Android and for this course's services."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_utils.export.conversion import Report, check_path, print_step, write_export
from course_utils.export.parity import Parity, Tolerance, compare_runtime
from course_utils.export.source import RAW, Pixels, Source
from course_utils.inference import Predictor, labels_path, load_labels, to_litert, write_labels
from course_utils.inference.pixels import write_pixels

TOLERANCE = Tolerance(3e-5, 3e-5)  # three times MobileNet's difference on photos


def convert(
    model: Any,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Pixels = RAW,
    overwrite: bool = False,
    report: Report = print_step,
) -> Path:
    """Write a Keras network as a LiteRT file in float32, for any number of examples at a time.

    Args, returns and raises as `coreml.convert`, but for:

    Args:
        path: of the file, which ends in ``.tflite``.
        labels: names of the classes, written beside it to ``NAME.labels.json``, as the image
            service reads them. That a network scales pixels itself is in ``NAME.pixels.json``.
    """
    path = check_path(path, ".tflite", overwrite)
    source, replaces = Source(model, preprocess, labels), path.exists()
    report(f"translating the network to LiteRT, writing {path.name}", 0, 1)
    with write_export(path, source, "LiteRT") as draft:
        draft.write_bytes(to_litert(source.network))
    if source.labels:
        write_labels(path, source.labels)
    elif replaces:  # the labels are those of the model that was there
        labels_path(path).unlink(missing_ok=True)
    write_pixels(source.network, path)
    return path


def verify(path: str | Path, model: Any, samples: Any, *, preprocess: Pixels = RAW) -> Parity:
    """Reload a LiteRT file, run it with LiteRT and compare it with Keras.

    Args and returns as `coreml.verify`; `TOLERANCE` is what a difference may be.

    Raises:
        FileNotFoundError: no file is there.
        ValueError: it is no LiteRT model, takes or gives something else than the network, or has
            other labels beside it than outputs.
    """
    path = Path(path)
    predictor = Predictor.load(path)
    labels = load_labels(path) if labels_path(path).is_file() else None
    return compare_runtime(
        path.name,
        Source(model, preprocess),
        samples,
        TOLERANCE,
        run=predictor.predict,
        shapes=(predictor.input_shape, predictor.output_shape),
        labels=labels,
    )
