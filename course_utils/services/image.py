"""The image service: a photo in, its five likeliest classes out (section 13.1).

``POST /api/image`` takes the photo as a file (multipart field ``image``) or by its address (JSON
``{"url": ...}``) and answers ``{"pred": [{"name": ..., "prob": ...}, ...]}``, likeliest first. In
front of it stands the web page of section 13.3.

It serves any image classifier that takes RGB pixels of shape ``(n, height, width, 3)``, from 0 to
255 unless ``pixels`` says otherwise, and gives a probability for each class, of shape ``(n,
classes)``, with the names of its classes as a JSON list beside it, in ``NAME.labels.json``, or in
a ``labels.txt`` as Teachable Machine writes it. Of two classes it may give only the probability of
the second, of shape ``(n, 1)``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, jsonify, send_from_directory

from course_utils import images
from course_utils.environment import PACKAGE_FOLDER, data_folder
from course_utils.inference import Predictor
from course_utils.inference.pixels import Pixels
from course_utils.services import classification
from course_utils.services.http import openapi, page
from course_utils.services.http.body import FORM, UploadLimit, get_file, read_body
from course_utils.services.http.gate import Gate
from course_utils.services.http.strict_json import get_text
from course_utils.services.http.telemetry import ALONE, Host

BODY_LIMITS = classification.FORM_LIMITS | {"application/json": 64 * 1024}
TOP_CLASSES = 5  # in an answer
MAX_THUMBNAIL_SIDE_PIXELS = 320
MAX_DOWNLOADS = 8  # at a time; each waits for another host, up to five seconds


def create_app(
    model: str | Path | None = None,
    *,
    predictor: Predictor | None = None,
    pixels: str | Pixels | None = None,
    slots: int = 2,
    host: Host = ALONE,
) -> Flask:
    """The image service and its page.

    Args:
        model: a ``.keras``, ``.h5`` or ``.tflite`` file with its ``.labels.json`` beside it;
            by default what `inference.find_model` finds.
        predictor: used instead of loading ``model``; the labels are read all the same.
        pixels: how the network wants its pixels: a name of `inference.pixels.PIXELS`, such as
            ``"-1..1"``, or a `Pixels`; by default as they are, 0 to 255.
        slots: photos classified at a time; more than the machine has cores only makes all wait.
        host: what the server around the app offers it.

    Raises:
        FileNotFoundError: no model, or no labels beside it.
        ValueError: one of them cannot be read, they do not fit together, or the network certainly
            wants other pixels.
    """
    classifier = classification.load_classifier("image", model, predictor, pixels)
    labels = classifier.labels
    uploads, downloads = UploadLimit(), Gate(slots=MAX_DOWNLOADS, queue=0)
    gate = Gate(slots=slots, max_wait_s=classification.MAX_WAIT_S)
    app = Flask(__name__, static_folder=None)

    @app.post("/api/image")
    def image() -> Response:
        with uploads:
            data, field = read_photo(downloads)
            wants_thumbnail = classification.read_flag("thumbnail")
            with gate:
                photo = classification.decode_photo(data, field, size=classifier.size)
                answer: dict[str, Any] = {"pred": rank_classes(classifier.classify(photo), labels)}
                if wants_thumbnail:
                    small = images.read_image(data, longest=MAX_THUMBNAIL_SIDE_PIXELS)
                    answer["thumbnail"] = classification.make_data_url(small, "jpeg")
        return jsonify(answer)

    about = {"name": classifier.path.stem, "classes": len(labels), "max_bytes": images.MAX_BYTES}
    about["formats"] = list(images.FORMATS)
    app.add_url_rule("/api/model", "about", lambda: jsonify(about))
    page.install(app, PACKAGE_FOLDER / "webapp" / "dist")

    @app.get("/photos/<name>")
    def example(name: str) -> Response:
        return send_from_directory(data_folder() / "photos", name, max_age=3600)

    title = "Image classification"
    classification.operate_classifier(app, classifier, title=title, paths=PATHS, host=host)
    return app


def rank_classes(probabilities: np.ndarray, labels: list[str]) -> list[dict[str, Any]]:
    """The likeliest classes, likeliest first, as the service answers them.

    Args:
        probabilities: shape ``(classes,)``.
        labels: their names.
    """
    order = np.argsort(-probabilities, kind="stable")[:TOP_CLASSES]
    return [{"name": labels[i], "prob": round(float(probabilities[i]), 6)} for i in order]


def read_photo(downloads: Gate) -> tuple[bytes, str]:
    """The photo that the current request sends or names, and the field it came by.

    Raises:
        Problem: 400 with every fault, 413, 415, or 503 where too many downloads are under way.
    """
    media_type, body = read_body(BODY_LIMITS)
    if media_type == FORM:
        return get_file(body, "image"), "image"
    url = get_text(body, "url")
    refusal = classification.answer_refusal("url", "No photo came from this address; see errors.")
    with downloads, refusal:
        return images.download(url), "url"


CLASS = openapi.object_schema(name=openapi.TEXT, prob=openapi.PROBABILITY)
CLASSES = {"type": "array", "items": CLASS, "minItems": 1, "maxItems": TOP_CLASSES}
THUMBNAIL = {"type": "string", "description": "a JPEG as data: URL, if asked for"}
ANSWER = openapi.object_schema(pred=CLASSES, thumbnail=THUMBNAIL) | {"required": ["pred"]}
MODEL = openapi.object_schema(
    name=openapi.TEXT,
    classes={"type": "integer", "minimum": 1},
    max_bytes={"type": "integer"},
    formats={"type": "array", "items": openapi.TEXT},
)
ADDRESS = openapi.object_schema(url={"type": "string", "format": "uri"})
BODY = openapi.form_body("image") | openapi.json_body(ADDRESS)
THUMBNAIL_FLAG = openapi.flag("thumbnail", "1: the answer holds a small picture of the photo, too")
PATHS: dict[str, Any] = {
    "/api/image": {
        "post": openapi.operation("Classify a photo", ANSWER, body=BODY) | THUMBNAIL_FLAG
    },
    "/api/model": {"get": openapi.operation("What is served, and what it takes", MODEL)},
    "/": openapi.PAGE,
}
