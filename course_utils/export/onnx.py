"""A Keras network as an ONNX file, which most other runtimes read."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.export.parity import Parity, Tolerance
from course_utils.export.runtime import Runtime
from course_utils.export.source import (
    RAW,
    About,
    Pixels,
    Report,
    Source,
    Unsupported,
    check_path,
    layer_in,
    printed,
    replacing,
)
from course_utils.export.trace import frozen, traced

TOLERANCE = Tolerance(2e-5, 2e-5)  # five times what MobileNet is off on photos
OPSET = 17  # of ONNX; ONNX Runtime reads it since 2022
ONNX_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
LABELS = "labels"  # name of the metadata that holds the classes, as a JSON list


def convert(
    model: Any,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Pixels = RAW,
    about: About | None = None,
    allow_custom: bool = False,
    overwrite: bool = False,
    report: Report = printed,
) -> Path:
    """Write a Keras network as an ONNX file in float32, for any number of examples at a time.

    Args:
        model: as in `coreml.convert`.
        path: of the file, which ends in ``.onnx``.
        labels: names of the classes, stored in the file's metadata as a JSON list, ``labels``.
        preprocess: what the network takes, from pixels of 0 to 255, which the file takes.
        about: what the file says about itself.
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
    path = check_path(path, ".onnx", overwrite)
    source = Source(model, preprocess, allow_custom=allow_custom)
    names = source.check_labels(labels)
    with replacing(path) as draft:
        report("translating the network to ONNX", 0, 2)
        try:
            with _quiet():
                _translate(source, draft)
        except Exception as error:  # the converter raises what the operation makes it raise
            raise _refused(model, str(error) or type(error).__name__) from error
        report(f"writing {path.name}", 1, 2)
        _describe(draft, source, names, about or About())
    report(f"{path.name} is written", 2, 2)
    return path


def _translate(source: Source, path: Path) -> None:
    """By tf2onnx from a frozen graph: Keras' own export loses a Normalization layer's numbers."""
    import tf2onnx

    function = traced(source.with_pixels(), source.shape, "input", examples=None)
    graph, takes, gives = frozen(function)
    tf2onnx.convert.from_graph_def(
        graph,
        name=source.model.name,
        input_names=[takes],
        output_names=[gives],
        tensors_to_rename={takes: "input", gives: "output"},
        opset=OPSET,
        output_path=str(path),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx and Keras talk as they work; what fails raises."""
    names = ("tf2onnx", "tensorflow")
    levels = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    try:
        for log, _ in levels:
            log.setLevel(logging.CRITICAL)
        with quiet_native_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(io.StringIO()):
                yield
    finally:
        for log, level in levels:
            log.setLevel(level)


def _refused(model: Any, said: str) -> Unsupported:
    layer = layer_in(model, said)
    what = f"The layer {layer!r}" if layer else f"The network {model.name!r}"
    return Unsupported(f"{what} cannot be translated to ONNX: {said.strip().splitlines()[0][:200]}")


def _describe(path: Path, source: Source, labels: list[str] | None, about: About) -> None:
    """Check the file by ONNX's own rules and put what it says about itself into it.

    Raises:
        Unsupported: it contains operations that ONNX does not define.
    """
    import onnx

    graph = onnx.load(path)
    for node in graph.graph.node:
        if node.domain not in ONNX_DOMAINS or not onnx.defs.has(node.op_type, node.domain):
            said = f"the operation {node.op_type} ({node.name}) does not exist there"
            raise _refused(source.model, said)
    texts = {
        "author": about.author,
        "licence": about.licence,
        "version": about.version,
        "input": about.input or source.describe_input(),
        "output": about.output or f"{source.classes} numbers",
        LABELS: json.dumps(labels, ensure_ascii=False) if labels else "",
    }
    onnx.helper.set_model_props(graph, {name: text for name, text in texts.items() if text})
    graph.doc_string = about.summary or f"The network {source.model.name}, made with Keras"
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)


def verify(
    path: str | Path,
    model: Any,
    samples: Any,
    *,
    preprocess: Pixels = RAW,
    tolerance: Tolerance | None = None,
    allow_custom: bool = False,
) -> Parity:
    """Reload an ONNX file, run it with ONNX Runtime and compare it with Keras.

    Args:
        path: of the ``.onnx``.
        model: the Keras network it was made from.
        samples: photos ``(n, height, width, channels)`` in uint8 or rows ``(n, features)``.
        preprocess: as it was given to ``convert``; the file does it by itself.
        tolerance: by default `TOLERANCE`.
        allow_custom: as in ``convert``.

    Returns:
        Whether it computes the same, and where not.

    Raises:
        FileNotFoundError: no file is there.
        ValueError: it is no ONNX model, or takes or gives something else than the network.
    """
    path = Path(path)
    source = Source(model, preprocess, allow_custom=allow_custom)
    examples = source.check_samples(samples)
    session, labels = _session(path)
    takes, gives = session.get_inputs()[0], session.get_outputs()[0]
    runtime = Runtime(
        "ONNX Runtime",
        lambda rows: session.run(None, {takes.name: rows.astype(np.float32)})[0],
        tuple(takes.shape[1:]),
        tuple(gives.shape[1:]),
    )
    return runtime.compared(path.name, source, examples, labels, tolerance or TOLERANCE)


def _session(path: Path) -> tuple[Any, list[str] | None]:
    """What runs the file, and the names of its classes."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there.")
    with quiet_native_stderr():
        import onnxruntime
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise ValueError(f"{path.name} cannot be read, it is damaged: {error}") from None
    found = session.get_modelmeta().custom_metadata_map.get(LABELS)
    return session, json.loads(found) if found else None
