"""What the services of photos share: decoding a photo, and the network that classifies it."""

import base64
import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, request
from PIL import Image

from course_utils import images
from course_utils.inference import (
    Fault,
    Predictor,
    as_probabilities,
    check_photo_network,
    describe,
    find_model,
    load_labels,
    name_faulty_model,
    pointer,
)
from course_utils.inference.pixels import RAW, Pixels, choose_pixels
from course_utils.services.http.body import FORM, FORM_OVERHEAD_BYTES
from course_utils.services.http.errors import Problem
from course_utils.services.http.operations import operate

FORM_LIMITS = {FORM: images.MAX_BYTES + FORM_OVERHEAD_BYTES}
MAX_WAIT_S = 1.0  # in the queue; a photo takes about twenty milliseconds


@dataclass(frozen=True)
class Classifier:
    """A network that classifies pictures, and what belongs to it."""

    path: Path
    """Of its file."""
    network: Predictor
    labels: list[str]
    """The names of its classes, in the order of its outputs."""
    pixels: Pixels = RAW
    """How it wants what `classify` is given."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a picture."""
        return self.network.input_shape[1], self.network.input_shape[0]

    def classify(self, picture: np.ndarray) -> np.ndarray:
        """The probability of each class for one picture in the network's input shape.

        A single output is the probability of the second of two classes.

        Raises:
            ValueError: what the network answers are no probabilities.
        """
        if self.pixels is not RAW:
            picture = self.pixels.apply(picture)
        answer: np.ndarray = self.network.predict(picture.reshape(1, *self.network.input_shape))
        return as_probabilities(answer)[0]

    def check(self, brightest: float) -> None:
        """Classify a black picture, a bright one and a noisy one.

        Raises:
            Exception: that cannot be done.
        """
        noise = np.random.default_rng(0).random(self.network.input_shape, np.float32)
        for picture in (0 * noise, np.ones_like(noise), noise):
            self.classify(picture * brightest)


def load_classifier(
    name: str,
    model: str | Path | None,
    predictor: Predictor | None = None,
    pixels: str | Pixels | None = None,
) -> Classifier:
    """A classifier of RGB pictures, tried on some.

    Args:
        name: of the service.
        model: a model file with its labels beside it; by default what `find_model` finds.
        predictor: used instead of loading ``model``; it is not tried.
        pixels: as `choose_pixels` takes them.

    Raises:
        FileNotFoundError: no model, or no labels beside it.
        ValueError: one of them cannot be read, they do not fit together, or the answers are no
            probabilities.
    """
    path = Path(model) if model else find_model(name)
    with name_faulty_model(path):
        labels, wanted = load_labels(path), choose_pixels(path, pixels)
        classifier = Classifier(path, predictor or Predictor.load(path), labels, wanted)
        network = classifier.network
        check_photo_network(path, network.input_shape, network.output_shape, labels)
        if predictor is None:
            classifier.check(255)
    return classifier


def decode_photo(data: bytes, field: str, **options: Any) -> np.ndarray:
    """The pixels of a file that a request sent in ``field``, as `images.read_image` gives them.

    Raises:
        Problem: 400, it is not an image that is read here.
    """
    with answer_refusal(field, "This photo cannot be read; see errors."):
        return images.read_image(data, **options)


@contextlib.contextmanager
def answer_refusal(field: str, detail: str) -> Iterator[None]:
    """Answer 400 where `images` does not take the file or the URL in ``field`` of a request."""
    try:
        yield
    except images.Refusal as error:
        fault = Fault(pointer(field), error.detail, error.received, error.allowed)
        raise Problem(400, detail, [fault]) from None


def read_flag(name: str) -> bool:
    """A switch in the query.

    Raises:
        Problem: 400, neither 0 nor 1.
    """
    value = request.args.get(name, "0")
    if value not in ("0", "1"):
        fault = Fault(pointer(name), "not a switch", describe(value), "0 or 1")
        raise Problem(400, f"The parameter {name} of the address has to be 0 or 1.", [fault])
    return value == "1"


def make_data_url(pixels: np.ndarray, kind: str) -> str:
    """A picture, as a ``data:`` URL (RFC 2397) of a ``jpeg`` or a ``png``."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=80)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def operate_classifier(app: Flask, classifier: Classifier, **options: Any) -> None:
    """Add what `operate` adds, with the ``options`` that it takes; ``/readyz`` predicts a photo."""
    black = np.zeros(classifier.network.input_shape, np.float32)
    operate(app, check=lambda: classifier.classify(black), **options)
