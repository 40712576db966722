"""The pets service: a photo in, cat or dog out. The back end of two services.

``POST /`` takes ``{"image": "..."}``, the photo as base64 (RFC 4648, section 4), also as a browser
writes it, with ``data:image/jpeg;base64,`` in front; the body is read as JSON whatever content
type it claims, since pages post it in several ways. The answer is
``{"prediction": {"cat": 0.93, "dog": 0.07}}``. To a browser ``GET /`` shows a page, which
`pets_front` serves from a port of its own; pages on other origins may ask as far as `cors` lets
them.
"""

import binascii
import re
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify
from werkzeug.exceptions import MethodNotAllowed

from course_utils import images
from course_utils.inference import Fault, find_labels, name_faulty_model
from course_utils.inference.pixels import Pixels
from course_utils.services import classification
from course_utils.services.http import cors, openapi, page
from course_utils.services.http.body import UploadLimit, read_body
from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate
from course_utils.services.http.strict_json import get_text
from course_utils.services.http.telemetry import ALONE, Host

LABELS = ("cat", "dog")
PAGE_FOLDER = Path(__file__).with_name("pets_page")
# Four characters for three bytes, a line break in JSON's \r\n after each 76.
MAX_BODY_BYTES = 4 * -(-images.MAX_BYTES // 3) * 80 // 76 + 1024
DATA_URL_HEAD = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)  # RFC 2397
# Some programs write 76 characters a line.
LINE_BREAKS = {ord(character): None for character in " \t\r\n"}


def create_app(
    model: str | Path | None = None,
    *,
    pixels: str | Pixels | None = None,
    host: Host = ALONE,
) -> Flask:
    """The back end.

    Args:
        model: a ``.keras``, ``.h5`` or ``.tflite`` file that tells cats from dogs, with its
            ``.labels.json`` beside it; by default what `inference.find_model` finds.
        pixels: how the network wants its pixels: a name of `inference.pixels.PIXELS`, such as
            ``"-1..1"``, or a `Pixels`; by default as they are, 0 to 255.
        host: what the server around the app offers it.

    Raises:
        FileNotFoundError: no model, or no labels beside it.
        ValueError: one of them cannot be read, or they do not fit together; or the environment
            variable COURSE_ORIGINS names something else than origins.
    """
    classifier = classification.load_classifier("pets", model, pixels=pixels)
    labels, path = [name.lower() for name in classifier.labels], classifier.path
    with name_faulty_model(path):
        if tuple(sorted(labels)) != LABELS:
            raise ValueError(
                f"{find_labels(path).name} names {', '.join(labels) or 'nothing'}; the service "
                f"needs {' and '.join(LABELS)}. `course serve image --model` takes any names."
            )
    uploads, gate = UploadLimit(), Gate(slots=2, max_wait_s=classification.MAX_WAIT_S)
    app = Flask(__name__, static_folder=None)

    @app.post("/")
    def pets() -> Response:
        with uploads:
            data = read_photo()
            with gate:
                photo = classification.decode_photo(data, "image", size=classifier.size)
                shares = classifier.classify(photo)
        # Always the cat first, whichever order the model has.
        return jsonify(
            prediction={name: round(float(shares[labels.index(name)]), 6) for name in LABELS}
        )

    app.add_url_rule("/settings.json", "settings", lambda: jsonify(ask="./"))
    page.install(app, PAGE_FOLDER, otherwise=lambda: MethodNotAllowed(["OPTIONS", "POST"]))
    title = "Cats and dogs"
    classification.operate_classifier(app, classifier, title=title, paths=PATHS, host=host)
    cors.allow(app)
    return app


def read_photo() -> bytes:
    """The photo in the current request's body.

    Raises:
        Problem: 400 with the faults of the object, else of the photo; or 413.
    """
    _, body = read_body({"*/*": MAX_BODY_BYTES})
    text = get_text(body, "image")
    head = DATA_URL_HEAD.match(text)
    try:
        digits = text[head.end() if head else 0 :].translate(LINE_BREAKS)
        return binascii.a2b_base64(digits, strict_mode=True)
    except ValueError:
        received, allowed = f"{len(text)} characters", "the bytes of a photo in base64"
        fault = Fault("/image", "not base64, or not all of it", received, allowed)
        detail = "The body does not hold a photo in base64; see errors."
        raise Problem(400, detail, [fault]) from None


PREDICTION = openapi.object_schema(**dict.fromkeys(LABELS, openapi.PROBABILITY))
ANSWER = openapi.object_schema(prediction=PREDICTION)
PHOTO = openapi.TEXT | {"contentEncoding": "base64"}
BODY = openapi.json_body(openapi.object_schema(image=PHOTO))
SETTINGS = openapi.object_schema(ask=openapi.TEXT | {"description": "where the page sends photos"})
PAGE: dict[str, Any] = {
    "/": openapi.PAGE,
    "/settings.json": {"get": openapi.operation("What the page has to know", SETTINGS)},
}
POST = openapi.operation("A cat or a dog?", ANSWER, body=BODY)
PATHS: dict[str, Any] = PAGE | {"/": openapi.PAGE | {"post": POST}}
