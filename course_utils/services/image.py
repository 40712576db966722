"""The image service: a photo in, its five likeliest classes out (section 13.1).

``POST /api/image`` takes the photo as a file (multipart field ``image``) or by its address (JSON
``{"url": ...}``) and answers ``{"pred": [{"name": ..., "prob": ...}, ...]}``, likeliest first. In
front of it stands the web page of section 13.3.

It serves any image classifier that takes RGB pixels from 0 to 255, of shape
``(n, height, width, 3)``, and gives a probability for each class, of shape ``(n, classes)``, with
the names of its classes as a JSON list beside it, in ``NAME.labels.json``.
"""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, jsonify, request
from PIL import Image

from course_utils import images
from course_utils.environment import PACKAGE_FOLDER
from course_utils.inference import Fault, Predictor, describe, pointer
from course_utils.services import pictures
from course_utils.services.catalog import SERVICES
from course_utils.services.http import openapi, upload
from course_utils.services.http.body import parse_json, read_body
from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate
from course_utils.services.http.watch import ALONE, Host

LIMITS = {upload.MEDIA_TYPE: images.MAX_BYTES + upload.FORM_OVERHEAD, "application/json": 64 * 1024}
SHOWN = 5  # classes in an answer
THUMBNAIL = 320  # pixels a side, at most
DOWNLOADS = 8  # at a time; each waits for another host, up to five seconds

NUMBER = {"type": "number", "minimum": 0, "maximum": 1}
CLASS = {
    "type": "object",
    "required": ["name", "prob"],
    "properties": {"name": {"type": "string"}, "prob": NUMBER},
    "additionalProperties": False,
}
ANSWER = {
    "type": "object",
    "required": ["pred"],
    "properties": {
        "pred": {"type": "array", "items": CLASS, "minItems": 1, "maxItems": SHOWN},
        "thumbnail": {"type": "string", "description": "a JPEG as data: URL, if asked for"},
    },
    "additionalProperties": False,
}
MODEL = {
    "type": "object",
    "required": ["name", "classes", "max_bytes", "formats"],
    "properties": {
        "name": {"type": "string"},
        "classes": {"type": "integer", "minimum": 1},
        "max_bytes": {"type": "integer"},
        "formats": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}


def create_app(
    model: str | Path | None = None,
    *,
    predictor: Predictor | None = None,
    slots: int = 2,
    host: Host = ALONE,
) -> Flask:
    """The image service and its page.

    Args:
        model: a ``.keras``, ``.h5`` or ``.tflite`` file with its ``.labels.json`` beside it;
            by default what `inference.find_model` finds.
        predictor: used instead of loading ``model``; the labels are read all the same.
        slots: photos classified at a time; more than the machine has cores only makes all wait.
        host: what the server around the app offers it.

    Raises:
        FileNotFoundError: no model, or no labels beside it.
        ValueError: one of them cannot be read, or they do not fit together.
    """
    path, network, labels = pictures.load_classifier("image", model, predictor)
    height, width, _ = network.input_shape
    downloads = Gate(slots=DOWNLOADS, queue=0)
    app, within_bounds = pictures.create_app(
        SERVICES["image"],
        network,
        PATHS,
        slots=slots,
        host=host,
        page_folder=PACKAGE_FOLDER / "webapp" / "dist",
        built=True,
    )

    def read() -> tuple[bytes, str, bool]:
        return *read_photo(downloads), _flag("thumbnail")

    def classify(received: tuple[bytes, str, bool]) -> dict[str, Any]:
        data, field, wants_thumbnail = received
        pixels = pictures.decoded(data, field, (width, height))
        answer: dict[str, Any] = {"pred": top(pictures.probabilities(network, pixels), labels)}
        return answer | {"thumbnail": _thumbnail(data)} if wants_thumbnail else answer

    @app.post("/api/image")
    def image() -> Response:
        return jsonify(within_bounds(read, classify))

    about = {"name": path.stem, "classes": len(labels), "max_bytes": images.MAX_BYTES}
    about["formats"] = list(images.FORMATS)
    app.add_url_rule("/api/model", "about", lambda: jsonify(about))
    return app


def top(probabilities: np.ndarray, labels: list[str]) -> list[dict[str, Any]]:
    """The likeliest classes, likeliest first, as the service answers them.

    Args:
        probabilities: shape ``(classes,)``.
        labels: their names.
    """
    order = np.argsort(-probabilities, kind="stable")[:SHOWN]
    return [{"name": labels[i], "prob": round(float(probabilities[i]), 6)} for i in order]


def read_photo(downloads: Gate) -> tuple[bytes, str]:
    """The photo that the current request sends or names, and the field it came by.

    Raises:
        Problem: 400 with every fault, 413, 415, or 503 where too many downloads are under way.
    """
    media_type, body = read_body(LIMITS)
    if media_type == upload.MEDIA_TYPE:
        return upload.uploaded_file(body, "image"), "image"
    url = _read_url(body)
    with downloads:
        try:
            return images.download(url, max_bytes=images.MAX_BYTES), "url"
        except images.BadURL as error:
            fault = Fault("/url", error.detail, error.received, error.allowed)
            raise Problem(400, "No photo came from this address; see errors.", [fault]) from None


def _flag(name: str) -> bool:
    """A switch in the query.

    Raises:
        Problem: 400, neither 0 nor 1.
    """
    value = request.args.get(name, "0")
    if value not in ("0", "1"):
        fault = Fault(pointer(name), "not a switch", describe(value), "0 or 1")
        raise Problem(400, f"The parameter {name} of the address has to be 0 or 1.", [fault])
    return value == "1"


def _read_url(body: bytes) -> str:
    value, faults = parse_json(body)
    allowed = 'an object with the key "url"'
    if not isinstance(value, dict):
        faults.append(Fault("", "not an object", describe(value), allowed))
    else:
        unknown = [name for name in value if name != "url"]
        faults += [Fault(pointer(n[:40]), "unknown key", "the key", allowed) for n in unknown[:20]]
        if not isinstance(value.get("url"), str):
            received = describe(value["url"]) if "url" in value else "nothing"
            faults.append(Fault("/url", "not a text", received, "an http or https address"))
    if faults:
        raise Problem(400, "The body does not name a photo; see errors.", faults)
    return value["url"]


def _thumbnail(data: bytes) -> str:
    """A photo that has been read before, as a small JPEG in a ``data:`` URL (RFC 2397)."""
    jpeg = io.BytesIO()
    pixels = images.read_image(data, longest=THUMBNAIL)
    Image.fromarray(pixels).save(jpeg, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode("ascii")


_BODY = {
    "required": True,
    "content": upload.form_of("image")
    | {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["url"],
                "properties": {"url": {"type": "string", "format": "uri"}},
                "additionalProperties": False,
            }
        },
    },
}
_THUMBNAIL_PARAMETER = {
    "name": "thumbnail",
    "in": "query",
    "description": "1: the answer holds a small picture of the photo, too",
    "schema": {"enum": ["0", "1"]},
}
PATHS: dict[str, Any] = {
    "/api/image": {
        "post": openapi.operation("Classify a photo", ANSWER, body=_BODY)
        | {"parameters": [_THUMBNAIL_PARAMETER]}
    },
    "/api/model": {"get": openapi.operation("What is served, and what it takes", MODEL)},
    "/": {"get": openapi.operation("The page", {"type": "string"}, ok_type="text/html")},
}
