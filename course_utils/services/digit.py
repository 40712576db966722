"""The digit service: a picture of one handwritten digit in, the digit out.

``POST /upload`` (or ``/uploads``) takes the picture as a file, in the multipart field ``file``,
and answers with the digit as a JSON string, ``"7"``, as existing clients expect. ``/api/digit``
takes the same and answers with the ten probabilities, too. In front of it stands a page to draw on.

Whatever was sent, a photo of ink on paper or a drawing, is brought to MNIST's form by `digits`.
Pages on another origin may call it as `cors` allows.
"""

from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, jsonify

from course_utils import images
from course_utils.images import digits
from course_utils.inference import Fault, Predictor, find_model
from course_utils.services import pictures
from course_utils.services.catalog import SERVICES
from course_utils.services.http import openapi, upload
from course_utils.services.http.body import read_body
from course_utils.services.http.errors import Problem
from course_utils.services.http.watch import ALONE, Host

FIELD = "file"
LIMITS = {upload.MEDIA_TYPE: images.MAX_BYTES + upload.FORM_OVERHEAD}
LONGEST = 400  # pixels a side of what is looked at
PAGE = Path(__file__).parent / "digit_page"

DIGIT = {"type": "string", "enum": [str(digit) for digit in range(10)]}
PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
ANSWER = {
    "type": "object",
    "required": ["digit", "probabilities"],
    "properties": {
        "digit": DIGIT,
        "probabilities": {"type": "array", "items": PROBABILITY, "minItems": 10, "maxItems": 10},
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
    """The digit service and its page.

    Args:
        model: a ``.keras``, ``.h5`` or ``.tflite`` file that takes pictures of shape ``(28, 28)``
            or ``(28, 28, 1)``, 0 to 1, and gives ten probabilities; by default what
            `inference.find_model` finds.
        predictor: used instead of loading ``model``.
        slots: pictures read at a time; more than the machine has cores only makes all wait.
        host: what the server around the app offers it.

    Raises:
        FileNotFoundError: no such model.
        ValueError: it cannot be read, or is a model of something else; or the environment
            variable COURSE_ORIGINS is no list of origins.
    """
    network = predictor or Predictor.load(model or find_model("digit"))
    if network.input_shape[:2] != (28, 28) or np.prod(network.input_shape) != 28 * 28:
        raise ValueError(f"the digit service needs a model of 28 × 28, not {network.input_shape}")
    if network.output_shape != (10,):
        raise ValueError(f"the digit service needs ten classes, not {network.output_shape}")
    app, within_bounds = pictures.create_app(
        SERVICES["digit"],
        network,
        PATHS,
        slots=slots,
        host=host,
        page_folder=PAGE,
        cross_origin=True,
    )

    def read() -> bytes:
        _, body = read_body(LIMITS)
        return upload.uploaded_file(body, FIELD)

    def answer() -> np.ndarray:
        return within_bounds(read, lambda data: classify(network, read_digit(data)))

    def digit() -> Response:
        return jsonify(str(answer().argmax()))

    def with_probabilities() -> Response:
        found = answer()
        shares = [round(float(share), 6) for share in found]
        return jsonify(digit=str(found.argmax()), probabilities=shares)

    for path in ("/upload", "/uploads"):
        app.add_url_rule(path, view_func=digit, methods=["POST"])
    app.add_url_rule("/api/digit", view_func=with_probabilities, methods=["POST"])
    return app


def classify(network: Predictor, picture: np.ndarray) -> np.ndarray:
    """The probabilities of the ten digits, shape ``(10,)``, for a picture in MNIST's form.

    Raises:
        ValueError: what the network answers are no probabilities.
    """
    answer = pictures.probabilities(network, picture.reshape(network.input_shape))
    return np.clip(answer, 0, 1)


def read_digit(data: bytes) -> np.ndarray:
    """An uploaded file as a picture in MNIST's form, as `digits.to_mnist` gives it.

    Raises:
        Problem: 400; no picture, or an empty one.
    """
    pixels = pictures.decoded(data, FIELD, longest=LONGEST, background="contrast")
    try:
        return digits.to_mnist(pixels)
    except digits.NothingDrawn as error:
        received = f"a picture of {pixels.shape[1]} × {pixels.shape[0]} pixels, all alike"
        allowed = "a digit, dark on light or light on dark"
        fault = Fault(f"/{FIELD}", str(error), received, allowed)
        raise Problem(400, "No digit can be seen in this picture.", [fault]) from None


_BODY = {"required": True, "content": upload.form_of(FIELD)}
PATHS: dict[str, Any] = {
    "/upload": {"post": openapi.operation("Read a digit", DIGIT, body=_BODY)},
    "/uploads": {"post": openapi.operation("The same", DIGIT, body=_BODY)},
    "/api/digit": {
        "post": openapi.operation("Read a digit: all that is known", ANSWER, body=_BODY)
    },
    "/": {"get": openapi.operation("The page", {"type": "string"}, ok_type="text/html")},
}
