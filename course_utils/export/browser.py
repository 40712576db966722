"""A Keras network as a page that computes in the browser of whoever opens it.

`convert` writes a folder for any host of files, `pack` makes one file of it, and `verify` compares
what the page answers with Keras. The network is in LiteRT's format here, too: LiteRT.js runs it.
"""

import base64
import gzip
import hashlib
import html
import io
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from course_utils import inference
from course_utils.common import atomic_files
from course_utils.environment import PACKAGE_FOLDER, quiet_native_stderr
from course_utils.export import chromium, conversion, parity
from course_utils.export.source import RAW, Pixels, Source
from course_utils.inference import FeatureSchema, Predictor
from course_utils.inference.pixels import find_range

PAGE = PACKAGE_FOLDER / "webapp" / "dist" / "browser"  # what every page is made of
SINGLE = "single.html"  # the whole page without its files, for `pack`
MODEL, RUNTIME, ABOUT, WORKER = "model.tflite", "litert.wasm", "model.json", "worker.js"
BLOCK = '<script type="text/plain" id="{}">{}</script>\n'
DRAWING_PIXELS = 28 * 28
TOLERANCE = parity.Tolerance(1e-5, 3e-5)  # of a classifier
#: of other networks, in parts of the number: of 50 miles per gallon it is 1e-4
NUMBER_TOLERANCE = parity.Tolerance(1e-5, 2e-6)


def convert(
    model: Any,
    folder: str | Path,
    *,
    kind: str,
    labels: Sequence[str] | None = None,
    schema: FeatureSchema | None = None,
    preprocess: Pixels = RAW,
    name: str = "",
    descriptions: Mapping[str, str] | None = None,
    notice: str = "",
    overwrite: bool = False,
    report: conversion.Report = conversion.print_step,
) -> Path:
    """Write a folder with a page that has the network in it, for any host of files.

    Args:
        model: a Keras network, or the `Path` of a ``.tflite`` file.
        folder: to write.
        kind: what a visitor gives the page: ``"photo"`` for a network that takes RGB pixels,
            ``"drawing"`` for one that takes 28 × 28 numbers, 0 paper to 1 ink, as a digit of
            MNIST's; ``"row"`` for one that takes the numbers of ``schema``.
        labels: names of the classes; of two classes the network may answer only with the
            probability of the second.
        schema: of a row: its features and their ranges, and what is predicted.
        preprocess: what a Keras network of photos takes, from the pixels of 0 to 255.
        name: the page's title; by default the network's name.
        descriptions: of the features, by their names.
        notice: licences of weights and labels, for the file NOTICE.
        overwrite: replace a folder that `convert` has written.
        report: is called as the work goes on; by default each step is printed.

    Returns:
        ``folder``.

    Raises:
        UnsupportedNetwork: the network cannot be converted; with the name of the layer.
        ValueError: it takes or answers something else than ``kind``, ``labels`` and ``schema`` say.
        FileExistsError: ``folder`` is there, without ``overwrite``, or holds something else.
        FileNotFoundError: the course was installed without its web pages.
    """
    folder = conversion.check_path(folder, Path(folder).suffix, overwrite)
    if folder.exists() and not (folder / ABOUT).is_file():
        raise FileExistsError(f"{folder} is no page of this course, so it is not replaced.")
    if not (PAGE / SINGLE).is_file():
        raise FileNotFoundError("The course was installed without its web pages; install it again.")
    name = name or getattr(model, "name", folder.name)
    report("translating the network to LiteRT", 0, 2)
    content = _read_network(model, kind, preprocess, folder.name)
    network = Predictor(content)
    _check_network(network, name, kind, labels, schema)
    report(f"writing {folder.name}", 1, 2)
    about = {
        "kind": kind,
        "name": name,
        "shape": [1, *network.input_shape],
        "labels": labels and [*labels],
        "fields": schema and _describe_fields(schema, descriptions or {}),
        "output": schema.target if schema and not labels else None,
    }
    with conversion.write_whole(folder, overwrite) as draft:
        shutil.copytree(PAGE, draft, ignore=shutil.ignore_patterns(SINGLE))
        (draft / MODEL).write_bytes(fix_batch(content))
        said = f"{(draft / 'NOTICE').read_text('utf-8')}\n{notice.strip()}\n"
        (draft / "NOTICE").write_text(said, "utf-8")
        files = {file.name: _describe_file(file) for file in sorted(draft.iterdir())}
        about["files"] = {part: files[part] for part in (MODEL, RUNTIME)}
        about["version"] = hashlib.sha256(f"{about}{files}".encode()).hexdigest()[:16]
        (draft / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    return folder


def pack(folder: str | Path, path: str | Path, *, overwrite: bool = False) -> Path:
    """Make one file of a page, which opens with a double click, also without a network.

    Args:
        folder: that `convert` has written.
        path: of the file, which ends in ``.html``.
        overwrite: replace what is at ``path``.

    Raises:
        ValueError: ``path`` ends otherwise.
        FileExistsError: ``path`` is there, without ``overwrite``.
        FileNotFoundError: ``folder`` is no such folder.
    """
    folder, path = Path(folder), conversion.check_path(path, ".html", overwrite)
    notice = html.escape((folder / "NOTICE").read_text("utf-8"))
    parts = [(PAGE / SINGLE).read_text("utf-8"), f'<pre id="NOTICE" hidden>{notice}</pre>\n']
    for file in (folder / ABOUT, folder / RUNTIME, folder / MODEL, PAGE / WORKER):
        packed = base64.b64encode(gzip.compress(file.read_bytes(), mtime=0)).decode()
        parts.append(BLOCK.format(file.name, packed))
    atomic_files.put(path, "".join(parts).encode())
    return path


def verify(
    path: str | Path, model: Any, samples: Any, *, preprocess: Pixels = RAW
) -> parity.Parity:
    """Open a page in headless Chromium, Chrome or Edge, and compare its answers with Keras'.

    Args:
        path: the folder of `convert`, or the file of `pack`.
        model: the Keras network that it was made from.
        samples: photos in uint8, ``(n, height, width, 3)``, which go through the page as PNG files;
            rows, ``(n, features)``, which do, too; or drawings as the network takes them,
            ``(n, 28, 28)``, 0 to 1, which are given to the network in the page.
        preprocess: as `convert` was told.

    Returns:
        All outputs compared: `TOLERANCE`, or `NUMBER_TOLERANCE`, is what a difference may be.

    Raises:
        FileNotFoundError: the page is not there, or (`chromium.BrowserNotFound`) no such browser.
        ValueError: the page was made from another network, its files are not as they were written,
            or it does not work; with what it says.
        TimeoutError: it does not answer.
    """
    path, source = Path(path), _make_source(model, preprocess)
    kind = "photo" if source.is_image else "row" if source.model is model else "drawing"
    if kind == "drawing":
        samples = np.reshape(samples, (-1, DRAWING_PIXELS))
    examples = source.check_samples(samples)
    encode = _encode_png if kind == "photo" else np.ndarray.tobytes
    said = chromium.ask_page(path, kind, math.prod(source.shape), [*map(encode, examples)])
    got, wanted = np.array(said["answers"], np.float64), source.predict(examples)
    if got.shape[1] > source.classes:
        wanted = inference.as_probabilities(wanted)
    tolerance = TOLERANCE if parity.is_classifier(wanted) else NUMBER_TOLERANCE
    checks = parity.compare_answers(got, wanted, tolerance, said["labels"])
    agreement = parity.measure_agreement(got, wanted)
    return parity.Parity(path.name, "float32", len(examples), tuple(checks), agreement)


def fix_batch(content: bytes) -> bytes:
    """A LiteRT file of one example at a time: LiteRT.js refuses one that takes any number."""
    from ai_edge_litert import schema_py_generated as schema

    fixed = bytearray(content)
    model = schema.Model.GetRootAs(fixed)
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            if not tensor.ShapeSignatureIsNone():
                signature = tensor.ShapeSignatureAsNumpy()  # a view of `fixed`
                signature[signature == -1] = 1
    return bytes(fixed)


def _read_network(model: Any, kind: str, preprocess: Pixels, file: str) -> bytes:
    """A network as the content of a LiteRT file, which takes what the page makes of an input.

    Raises:
        ValueError: it cannot be read, or takes other pixels.
    """
    known, pixels = find_range(model)
    if kind == "drawing" and pixels == "0..255":
        raise ValueError(
            "The network scales pixels of 0..255, and the page gives it ink from 0 to 1: train it "
            "on such digits, without its first layer."
        )
    if isinstance(model, Path):
        Predictor.load(model)  # which says what is wrong with a file
        if known:
            said = f"{model.name} is Keras' {known} without its preprocessing"
            raise ValueError(f"{said}: export it from Keras, and say preprocess=.")
        return model.read_bytes()
    source = _make_source(model, preprocess)
    conversion.warn_of_pixels(file, source, stacklevel=4)
    return inference.to_litert(source.network)


def _make_source(model: Any, preprocess: Pixels) -> Source:
    """The network; one of drawings takes their pixels as a row."""
    shape = getattr(model, "input_shape", ())[1:]
    if shape in ((28, 28), (28, 28, 1)):
        with quiet_native_stderr():
            import keras
        pixels = keras.Input((DRAWING_PIXELS,))
        model = keras.Model(pixels, model(keras.layers.Reshape(shape)(pixels)))
    return Source(model, preprocess)


def _check_network(
    network: Predictor, name: str, kind: str, labels: Any, schema: FeatureSchema | None
) -> None:
    """Check that a network takes what the page gives it, and answers as is said.

    Raises:
        ValueError: it does not.
    """
    takes, answers = network.input_shape, network.output_shape
    fits = {"photo": takes[2:] == (3,), "drawing": math.prod(takes) == DRAWING_PIXELS}
    if not fits.get(kind, kind == "row" and schema):
        raise ValueError(
            f"{name} takes examples of shape {takes}, and kind={kind!r}. A photo needs a network "
            "of (height, width, 3) pixels, a drawing one of 28 × 28, a row one of its schema=."
        )
    if schema:
        schema.check_network(network, Path(name), labels)
    elif labels and not inference.fits_labels(answers, labels):
        raise ValueError(f"{name} answers with shape {answers}; there are {len(labels)} labels.")


def _describe_fields(schema: FeatureSchema, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The features, each with the middle of its range, which the page shows first."""
    fields = []
    for feature, middle in zip(schema.features, schema.make_example(), strict=True):
        value, text = round(middle) if feature.integer else middle, texts.get(feature.name, "")
        about = {"name": feature.name, "description": text, "value": value}
        fields.append(about | feature.to_json_schema())
    return fields


def _describe_file(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": atomic_files.hash_file(file)}


def _encode_png(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "png")
    return file.getvalue()
