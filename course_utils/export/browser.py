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
import re
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from course_utils.common import atomic_files
from course_utils.environment import PACKAGE_FOLDER, quiet_native_stderr
from course_utils.export import chromium, conversion, parity
from course_utils.export.source import RAW, Pixels, Source
from course_utils.inference import (
    FeatureSchema,
    Predictor,
    as_probabilities,
    fits_labels,
    to_litert,
)
from course_utils.inference.pixels import choose_pixels, find_range

PAGE = PACKAGE_FOLDER / "webapp" / "dist" / "browser"  # what every page is made of
PACKED = ABOUT, RUNTIME, MODEL, WORKER = "model.json", "litert.wasm", "model.tflite", "worker.js"
TOLERANCE = parity.Tolerance(1e-5, 3e-5)  # of a classifier
#: of other networks, in parts of the number: of 50 miles per gallon it is 1e-4
NUMBER_TOLERANCE = parity.Tolerance(1e-5, 2e-6)
DRAWING_PIXELS = 28 * 28
#: what a visitor gives the page, and what the network has to take for it
KINDS = {
    "photo": "it has to take pixels of shape (height, width, 3)",
    "drawing": "it has to take 28 × 28 numbers",
    "row": "it has to take a row of numbers",
}
BLOCK = '<script type="text/plain" id="{}">{}</script>'


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
        model: a Keras network, or the path of a ``.tflite`` file.
        folder: to write.
        kind: what a visitor gives the page: ``"photo"`` for a network that takes RGB pixels,
            ``"drawing"`` for one that takes 28 × 28 numbers, 0 paper to 1 ink, as a digit of
            MNIST's; ``"row"`` for one that takes the numbers of ``schema``.
        labels: names of the classes; of two classes the network may answer only with the
            probability of the second. Without them the classes of a drawing are numbered.
        schema: of a row: its features and their ranges, and what is predicted.
        preprocess: what a network of photos takes, from the pixels of 0 to 255.
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
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}.")
    folder = conversion.check_path(folder, Path(folder).suffix, overwrite)
    if folder.exists() and not (folder / ABOUT).is_file():
        raise FileExistsError(f"{folder} is no page of this course; it is not replaced.")
    if not (PAGE / "index.html").is_file():
        raise FileNotFoundError(
            "The course was installed without its web pages, of which this page is made. Install "
            "it again with a network (in a checkout: make lab)."
        )
    model = Path(model) if isinstance(model, str) else model
    report("translating the network to LiteRT", 0, 2)
    content = _read_network(model, kind, preprocess, folder.name)
    network = Predictor(content)
    name = name or (model.stem if isinstance(model, Path) else model.name)
    if kind == "drawing" and not labels:
        labels = [str(number) for number in range(network.output_shape[0])]
    _check_kind(network, name, kind, labels, schema)
    report(f"writing {folder.name}", 1, 2)
    with conversion.write_whole(folder, overwrite) as draft:
        shutil.copytree(PAGE, draft)
        (draft / MODEL).write_bytes(fix_batch(content))
        with (draft / "NOTICE").open("a", encoding="utf-8") as file:
            file.write(f"\n{notice.strip()}\n")
        about = {
            "kind": kind,
            "name": name,
            "shape": [1, *network.input_shape],
            "labels": labels and [*labels],
            "fields": schema and _describe_fields(schema, descriptions or {}),
            "output": schema.target if schema and not labels else None,
            "files": {part: _describe_file(draft / part) for part in (MODEL, RUNTIME)},
        }
        digests = [atomic_files.hash_file(file) for file in sorted(draft.iterdir())]
        about["version"] = hashlib.sha256(f"{about}{digests}".encode()).hexdigest()[:16]
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
    page, style, script, notice = (
        (folder / part).read_text("utf-8") for part in ("index.html", "look.css", "page.js", "NOTICE")
    )
    # A script in a page ends at the first such text, wherever it stands.
    script = script.replace("</script", r"<\/script").replace("<!--", r"<\!--")
    for old, new in (
        ("script-src 'self'", f"script-src {_hash_source(script)}"),
        ("style-src 'self'", f"style-src {_hash_source(style)}"),
        ("worker-src 'self'", "worker-src blob:"),
        ("'self'", ""),
    ):
        page = page.replace(old, new)
    icon = f"data:image/svg+xml;base64,{_encode(folder / 'icon.svg')}"
    page = re.sub(r"(\./)?icon\.svg", icon, page)
    page = re.sub(r"<link[^>]*look\.css[^>]*>", lambda _: f"<style>{style}</style>", page)
    page = re.sub(r"(<script[^>]*) src=[^>]*page\.js[^>]*>", lambda m: f"{m[1]}>{script}", page)
    blocks = [f'<pre id="NOTICE" hidden>{html.escape(notice)}</pre>']
    blocks += [BLOCK.format(part, _encode(folder / part, gzip.compress)) for part in PACKED]
    page = page.replace("</body>", "\n".join([*blocks, "</body>"]))
    atomic_files.put(path, page.encode())
    return path


def verify(path: str | Path, model: Any, samples: Any, *, preprocess: Pixels = RAW) -> parity.Parity:
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
        FileNotFoundError: the page is not there, or (`BrowserNotFound`) no such browser.
        ValueError: a file is not as it was written, or the page was made from another network.
        RuntimeError: the page does not work; with what it says.
        TimeoutError: it does not answer.
    """
    path = Path(path)
    about, content = _read_page(path)
    kind, labels = about["kind"], about["labels"]
    source, network = _make_source(model, kind, preprocess), Predictor(content)
    takes = (DRAWING_PIXELS,) if kind == "drawing" else network.input_shape
    parity.check_origin(path.name, source, (takes, network.output_shape), None)
    if kind == "drawing":
        samples = np.reshape(samples, (-1, DRAWING_PIXELS))
    examples = source.check_samples(samples)
    write = _write_png if kind == "photo" else np.ndarray.tobytes
    got = np.array(chromium.ask_page(path, kind, [write(each) for each in examples]), np.float64)
    wanted = source.predict(examples)
    if labels and len(labels) > source.classes:
        wanted = as_probabilities(wanted)
    tolerance = TOLERANCE if parity.is_classifier(wanted) else NUMBER_TOLERANCE
    checks = parity.compare_answers(got, wanted, tolerance, labels)
    agreement = parity.measure_agreement(got, wanted)
    return parity.Parity(path.name, "float32", len(examples), tuple(checks), agreement)


def fix_batch(content: bytes) -> bytes:
    """A LiteRT file that takes one example at a time: LiteRT.js refuses one that takes any number.

    Args:
        content: of a file whose batch axis may be open.
    """
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
    if kind == "drawing" and find_range(model)[1] == "0..255":
        raise ValueError(
            "The network scales its pixels from 0..255, and the page gives it ink from 0 to 1. "
            "Build it without its first layer, and divide the digits by 255 before they train it."
        )
    if isinstance(model, Path):
        Predictor.load(model)  # which says what is wrong with the file
        if kind == "photo":
            choose_pixels(model)
        return model.read_bytes()
    source = _make_source(model, kind, preprocess)
    conversion.warn_of_pixels(file, source, stacklevel=4)
    return to_litert(source.network)


def _make_source(model: Any, kind: str, preprocess: Pixels) -> Source:
    """The network; one of drawings takes their pixels as a row."""
    if kind == "drawing":
        with quiet_native_stderr():
            import keras
        pixels = keras.Input((DRAWING_PIXELS,))
        model = keras.Model(pixels, model(keras.layers.Reshape(model.input_shape[1:])(pixels)))
    return Source(model, preprocess)


def _check_kind(
    network: Predictor,
    name: str,
    kind: str,
    labels: Sequence[str] | None,
    schema: FeatureSchema | None,
) -> None:
    """Check that a network takes what the page gives it, and answers as it is said.

    Raises:
        ValueError: it does not.
    """
    takes, answers = network.input_shape, network.output_shape
    if schema:
        schema.check_network(network, Path(name), labels)
    if kind == "row" and not schema:
        raise ValueError("A page of rows needs schema=, such as FeatureSchema.from_frame(...).")
    if (kind == "photo" and takes[2:] != (3,)) or (
        kind == "drawing" and math.prod(takes) != DRAWING_PIXELS
    ):
        raise ValueError(f"{name} takes examples of shape {takes}; for a {kind} {KINDS[kind]}.")
    if labels and not fits_labels(answers, labels):
        raise ValueError(f"{name} answers with shape {answers}; there are {len(labels)} labels.")


def _describe_fields(
    schema: FeatureSchema, descriptions: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The features, each with the middle of its range, which the page shows first."""
    return [
        {"name": feature.name, **feature.to_json_schema()}
        | {"description": descriptions.get(feature.name, "")}
        | {"value": round(middle) if feature.integer else middle}
        for feature, middle in zip(schema.features, schema.make_example(), strict=True)
    ]


def _encode(file: Path, pack: Callable[[bytes], bytes] = bytes) -> str:
    return base64.b64encode(pack(file.read_bytes())).decode()


def _hash_source(text: str) -> str:
    """A script or a style as a policy allows it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _describe_file(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": atomic_files.hash_file(file)}


def _read_page(path: Path) -> tuple[dict[str, Any], bytes]:
    """What `convert` has written of a network, and the network, after comparing the digests.

    Raises:
        FileNotFoundError: the page is not there.
        ValueError: a file in it is not as it was written.
    """
    text = "" if path.is_dir() else path.read_text("utf-8")
    parts = {}
    for part in (ABOUT, RUNTIME, MODEL):
        try:
            if path.is_dir():
                parts[part] = (path / part).read_bytes()
            else:
                block = re.search(BLOCK.format(re.escape(part), "(.*?)"), text)
                parts[part] = gzip.decompress(base64.b64decode(block[1]))
            about = json.loads(parts[ABOUT])
            if part != ABOUT and hashlib.sha256(parts[part]).hexdigest() != about["files"][part]["sha256"]:
                raise ValueError
        except (TypeError, ValueError, KeyError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{part} of {path.name} is not as it was written.") from error
    return about, parts[MODEL]


def _write_png(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "png")
    return file.getvalue()
