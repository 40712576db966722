"""The digit service: a picture of one handwritten digit in, the digit out.

``POST /upload`` (or ``/uploads``) takes the picture as a file, in the multipart field ``file``,
and answers with the digit as a JSON string, ``"7"``, as existing clients expect. ``/api/digit``
takes the same, answers with the ten probabilities, too, and says when the network is unsure. In
front of it stands a page to draw on.

Whatever was sent, a photo of ink on paper or a drawing, is brought to MNIST's form by `digits`.
Pages on another origin may call it as `cors` allows.
"""

from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, jsonify

from course_utils.images import digits
from course_utils.inference import Fault, Predictor, find_model, name_faulty_model
from course_utils.inference.pixels import Pixels, choose_pixels
from course_utils.services import classification
from course_utils.services.http import cors, openapi, page
from course_utils.services.http.body import UploadLimit, get_file, read_body
from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate
from course_utils.services.http.telemetry import ALONE, Host

FIELD = "file"
DIGITS = [str(digit) for digit in range(10)]
MIN_SURE_PROBABILITY = 0.8  # of the likeliest digit; below it the answer is unsure
MAX_SIDE_PIXELS = 400  # of the picture in which the digit is looked for
PAGE_FOLDER = Path(__file__).with_name("digit_page")


def create_app(model: str | Path | None = None, *, host: Host = ALONE) -> Flask:
    """The digit service and its page.

    Args:
        model: a ``.keras``, ``.h5`` or ``.tflite`` file that takes pictures of shape ``(28, 28)``
            or ``(28, 28, 1)``, 0 to 1 (0 to 255 where it scales
            them itself), and gives ten probabilities; by default what
            `inference.find_model` finds.
        host: what the server around the app offers it.

    Raises:
        FileNotFoundError: no such model.
        ValueError: it cannot be read, or is a model of something else; or the environment
            variable COURSE_ORIGINS is no list of origins.
    """
    path = Path(model) if model else find_model("digit")
    with name_faulty_model(path):
        wanted = choose_pixels(path, default="0..1")
        pixels = Pixels(wanted.scale * 255, wanted.bias)  # pictures of digits are 0 to 1
        classifier = classification.Classifier(path, Predictor.load(path), DIGITS, pixels)
        takes, answers = classifier.network.input_shape, classifier.network.output_shape
        if takes not in ((28, 28), (28, 28, 1)) or answers != (10,):
            raise ValueError(
                f"the digit service needs a model of 28 × 28 grey pixels and 10 classes; "
                f"{path.stem} takes {takes} and answers {answers}. Choose another with --model."
            )
        classifier.check(1)
    uploads, gate = UploadLimit(), Gate(slots=2, max_wait_s=classification.MAX_WAIT_S)
    app = Flask(__name__, static_folder=None)

    def classify_upload() -> tuple[np.ndarray, np.ndarray]:
        with uploads:
            _, body = read_body(classification.FORM_LIMITS)
            data = get_file(body, FIELD)
            with gate:
                picture = read_digit(data)
                return classifier.classify(picture), picture

    @app.post("/upload")
    @app.post("/uploads")
    def digit() -> Response:
        return jsonify(str(classify_upload()[0].argmax()))

    @app.post("/api/digit")
    def with_probabilities() -> Response:
        wants_picture = classification.read_flag("picture")
        found, picture = classify_upload()
        shares = [round(float(share), 6) for share in found]
        answer: dict[str, Any] = {"digit": str(found.argmax()), "probabilities": shares}
        answer["unsure"] = bool(found.max() < MIN_SURE_PROBABILITY)
        if wants_picture:
            grey = (255 * picture).round().astype(np.uint8)
            answer["picture"] = classification.make_data_url(grey, "png")
        return jsonify(answer)

    page.install(app, PAGE_FOLDER)
    classification.operate_classifier(app, classifier, title="Digits", paths=PATHS, host=host)
    cors.allow(app)
    return app


def read_digit(data: bytes) -> np.ndarray:
    """An uploaded file as a picture in MNIST's form, as `digits.to_mnist` gives it.

    Raises:
        Problem: 400; no picture, an empty one, or one of more than one digit.
    """
    pixels = classification.decode_photo(
        data, FIELD, longest=MAX_SIDE_PIXELS, background="contrast"
    )
    try:
        return digits.to_mnist(pixels)
    except (digits.NothingDrawn, digits.SeveralDigits) as error:
        received = f"a picture of {pixels.shape[1]} × {pixels.shape[0]} pixels"
        allowed = "one digit, dark on light or light on dark"
        fault = Fault(f"/{FIELD}", str(error), received, allowed)
        raise Problem(400, "This is no picture of one digit.", [fault]) from None


DIGIT = {"type": "string", "enum": DIGITS}
TEN = {"type": "array", "items": openapi.PROBABILITY, "minItems": 10, "maxItems": 10}
PICTURE = {"type": "string", "description": "what the network gets, as data: URL, if asked for"}
UNSURE = {"type": "boolean", "description": f"no probability reaches {MIN_SURE_PROBABILITY}"}
ANSWER = openapi.object_schema(digit=DIGIT, probabilities=TEN, unsure=UNSURE, picture=PICTURE)
ANSWER |= {"required": ["digit", "probabilities", "unsure"]}
PICTURE_FLAG = openapi.flag("picture", "1: the answer holds the picture that the network gets, too")
BODY = openapi.form_body(FIELD)
PATHS: dict[str, Any] = {
    "/upload": {"post": openapi.operation("Read a digit", DIGIT, body=BODY)},
    "/uploads": {"post": openapi.operation("The same", DIGIT, body=BODY)},
    "/api/digit": {
        "post": openapi.operation("Read a digit, with its probabilities", ANSWER, body=BODY)
        | PICTURE_FLAG
    },
    "/": openapi.PAGE,
}
