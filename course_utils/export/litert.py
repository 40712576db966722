"""A Keras network as a LiteRT file, for Android and for this course's services."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_utils.environment import quiet_native_stderr
from course_utils.export.parity import Parity, Tolerance
from course_utils.export.runtime import Runtime
from course_utils.export.source import (
    RAW,
    Pixels,
    Report,
    Source,
    Unsupported,
    check_path,
    layer_in,
    printed,
    replacing,
)
from course_utils.inference import Predictor, labels_path, load_labels, to_litert, write_labels

TOLERANCE = Tolerance(3e-5, 3e-5)  # thrice what MobileNet is off on photos: it sums otherwise


def convert(
    model: Any,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Pixels = RAW,
    allow_custom: bool = False,
    overwrite: bool = False,
    report: Report = printed,
) -> Path:
    """Write a Keras network as a LiteRT file in float32.

    Args:
        model: as in `coreml.convert`.
        path: of the file, which ends in ``.tflite``.
        labels: names of the classes, written beside it to ``NAME.labels.json``, as the image
            service reads them.
        preprocess: what the network takes, from pixels of 0 to 255, which the file takes.
        allow_custom: try layers that Keras does not bring, too.
        overwrite: replace what is at ``path``.
        report: is called as the work goes on; by default each step is printed.

    Returns:
        ``path``.

    Raises:
        Unsupported: the network cannot be converted; with the name of the layer.
        ValueError: a parameter is none of those allowed, or ``path`` ends otherwise.
        FileExistsError: ``path`` is there, without ``overwrite``.
    """
    path = check_path(path, ".tflite", overwrite)
    source = Source(model, preprocess, allow_custom=allow_custom)
    names = source.check_labels(labels)
    report("translating the network to LiteRT", 0, 2)
    try:
        with quiet_native_stderr():
            content = to_litert(source.with_pixels())
    except Exception as error:  # the converter raises what the operation makes it raise
        raise _refused(model, str(error) or type(error).__name__) from error
    report(f"writing {path.name}", 1, 2)
    with replacing(path) as draft:
        draft.write_bytes(content)
    labels_path(path).unlink(missing_ok=True)  # of a model that was there before
    if names:
        write_labels(path, names)
    report(f"{path.name} is written", 2, 2)
    return path


def _refused(model: Any, said: str) -> Unsupported:
    """The converter's own words, and the layer that they are about."""
    layer, operation = layer_in(model, said), re.search(r"'tf\.(\w+)' op", said)
    what = f"The layer {layer!r}" if layer else f"The network {model.name!r}"
    reason = f"LiteRT has no {operation.group(1)}" if operation else said.strip().splitlines()[0]
    return Unsupported(f"{what} cannot be translated to LiteRT: {reason[:200]}")


def verify(
    path: str | Path,
    model: Any,
    samples: Any,
    *,
    preprocess: Pixels = RAW,
    tolerance: Tolerance | None = None,
    allow_custom: bool = False,
) -> Parity:
    """Reload a LiteRT file, run it with LiteRT and compare it with Keras.

    Args:
        path: of the ``.tflite``.
        model: the Keras network it was made from.
        samples: photos ``(n, height, width, channels)`` in uint8 or rows ``(n, features)``.
        preprocess: as it was given to ``convert``; the file does it by itself.
        tolerance: by default `TOLERANCE`.
        allow_custom: as in ``convert``.

    Returns:
        Whether it computes the same, and where not.

    Raises:
        FileNotFoundError: no file is there.
        ValueError: it is no LiteRT model, takes or gives something else than the network, or has
            other labels beside it than outputs.
    """
    path = Path(path)
    source = Source(model, preprocess, allow_custom=allow_custom)
    examples = source.check_samples(samples)
    predictor = Predictor.load(path)
    labels = load_labels(path) if labels_path(path).is_file() else None
    runtime = Runtime("LiteRT", predictor.predict, predictor.input_shape, predictor.output_shape)
    return runtime.compared(path.name, source, examples, labels, tolerance or TOLERANCE)
