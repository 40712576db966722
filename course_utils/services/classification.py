"""What the services of photos share: decoding a photo, and the network that classifies it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask

from course_utils import images
from course_utils.inference import Fault, Predictor, find_model, load_labels, pointer
from course_utils.services.http.body import FORM, FORM_OVERHEAD_BYTES
from course_utils.services.http.errors import Problem
from course_utils.services.http.operations import operate

FORM_LIMITS = {FORM: images.MAX_BYTES + FORM_OVERHEAD_BYTES}
MAX_WAIT_S = 1.0  # in the queue; a photo takes about twenty milliseconds


def load_classifier(
    name: str, model: str | Path | None, predictor: Predictor | None = None
) -> tuple[Path, Predictor, list[str]]:
    """A classifier of RGB pictures, and the names of its classes.

    Args:
        name: of the service.
        model: a model file with its labels beside it; by default what `find_model` finds.
        predictor: used instead of loading ``model``.

    Returns:
        The model's path, the network, the names in the order of its outputs.

    Raises:
        FileNotFoundError: no model, or no labels beside it.
        ValueError: one of them cannot be read, or they do not fit together.
    """
    path = Path(model) if model else find_model(name)
    labels = load_labels(path)
    network = predictor or Predictor.load(path)
    if network.input_shape[2:] != (3,) or network.output_shape != (len(labels),):
        raise ValueError(
            f"{path.name} takes examples of shape {network.input_shape} and answers with "
            f"{network.output_shape}; the service needs a model of RGB pictures, (height, width, "
            f"3), with an answer for each of the {len(labels)} class names beside it."
        )
    return path, network, labels


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


def predict_probabilities(network: Predictor, photo: np.ndarray) -> np.ndarray:
    """The probability of each class for one photo in the network's input shape.

    Raises:
        ValueError: what the network answers are no probabilities.
    """
    answer: np.ndarray = network.predict(photo.reshape(1, *network.input_shape))[0]
    if not np.isfinite(answer).all() or abs(answer.sum() - 1) > 1e-3:
        raise ValueError("the network's answers are not probabilities: they do not sum to 1")
    return answer


def operate_classifier(app: Flask, network: Predictor, **options: Any) -> None:
    """Add what `operate` adds, with the ``options`` that it takes; ``/readyz`` predicts a photo."""
    black = np.zeros(network.input_shape, np.float32)
    operate(app, check=lambda: predict_probabilities(network, black), **options)
