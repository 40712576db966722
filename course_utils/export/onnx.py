"""A Keras network as an ONNX file, which most other runtimes read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.export.conversion import Report, check_path, print_step, write_export
from course_utils.export.graph import freeze_graph
from course_utils.export.parity import Parity, Tolerance, compare_runtime
from course_utils.export.source import RAW, Pixels, Source
from course_utils.inference.tracing import trace_network

TOLERANCE = Tolerance(2e-5, 2e-5)  # five times MobileNet's difference on photos
OPSET = 17  # of ONNX; ONNX Runtime reads it since 2022
LABELS = "labels"  # name of the metadata that holds the classes, as a JSON list


def convert(
    model: Any,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Pixels = RAW,
    overwrite: bool = False,
    report: Report = print_step,
) -> Path:
    """Write a Keras network as an ONNX file in float32, for any number of examples at a time.

    Args, returns and raises as `coreml.convert`, but for:

    Args:
        path: of the file, which ends in ``.onnx``.
        labels: names of the classes, stored in the file's metadata as a JSON list, ``labels``.
    """
    path = check_path(path, ".onnx", overwrite)
    source = Source(model, preprocess, labels)
    report(f"translating the network to ONNX, writing {path.name}", 0, 1)
    with write_export(path, source, "ONNX") as draft:
        _translate(source, draft)
    return path


def _translate(source: Source, path: Path) -> None:
    """By tf2onnx from a frozen graph: Keras' own export loses a Normalization layer's numbers."""
    import onnx
    import tf2onnx

    traced = trace_network(source.network, source.shape, "input").get_concrete_function()
    graph, input_name, output_name = freeze_graph(traced)
    translated, _ = tf2onnx.convert.from_graph_def(
        graph,
        name=source.model.name,
        input_names=[input_name],
        output_names=[output_name],
        tensors_to_rename={input_name: "input", output_name: "output"},
        opset=OPSET,
    )
    if source.labels:
        labels = json.dumps(source.labels, ensure_ascii=False)
        onnx.helper.set_model_props(translated, {LABELS: labels})
    # tf2onnx keeps an operation that ONNX does not have; this refuses it.
    onnx.checker.check_model(translated, full_check=True)
    onnx.save(translated, path)


def verify(path: str | Path, model: Any, samples: Any, *, preprocess: Pixels = RAW) -> Parity:
    """Reload an ONNX file, run it with ONNX Runtime and compare it with Keras.

    Args and returns as `coreml.verify`; `TOLERANCE` is what a difference may be.

    Raises:
        FileNotFoundError: no file is there.
        ValueError: it is no ONNX model, or takes or gives something else than the network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there.")
    with quiet_native_stderr():
        import onnxruntime
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise ValueError(f"{path.name} cannot be read, it is damaged: {error}") from None
    entry, answer = session.get_inputs()[0], session.get_outputs()[0]
    labels = session.get_modelmeta().custom_metadata_map.get(LABELS)
    return compare_runtime(
        path.name,
        Source(model, preprocess),
        samples,
        TOLERANCE,
        run=lambda rows: session.run(None, {entry.name: rows.astype(np.float32)})[0],
        shapes=(tuple(entry.shape[1:]), tuple(answer.shape[1:])),
        labels=json.loads(labels) if labels else None,
    )
