"""What the services of pictures share: reading one, and models that take them."""

from pathlib import Path
from typing import Any

import numpy as np

from course_utils import images
from course_utils.inference.predictor import Predictor
from course_utils.inference.schema import Fault, pointer
from course_utils.services.http.errors import Problem

UPLOADS = 32  # bodies in memory at a time, up to 10 MB each
PATIENCE = 1.0  # seconds in the queue; a photo takes about twenty milliseconds


def decoded(data: bytes, field: str, size: tuple[int, int] | None = None, **how: Any) -> np.ndarray:
    """The pixels of a file that a request sent in ``field``, resized to (width, height) if asked.

    ``how`` is passed on to `images.read_image`.

    Raises:
        Problem: 400, it is not an image that is read here.
    """
    try:
        return images.read_image(data, size=size, **how)
    except images.BadImage as error:
        fault = Fault(pointer(field), error.detail, error.received, error.allowed)
        raise Problem(400, "This photo cannot be read; see errors.", [fault]) from None


def check_shapes(path: Path, network: Predictor, labels: list[str]) -> None:
    """Raise ValueError unless the network takes RGB pictures and gives a number for each label."""
    if len(network.input_shape) != 3 or network.input_shape[2] != 3:
        raise ValueError(
            f"{path.name} takes examples of shape {network.input_shape}; the service needs "
            "a model of RGB pictures: (height, width, 3)."
        )
    if network.output_shape != (len(labels),):
        raise ValueError(
            f"{path.name} answers with shape {network.output_shape}, but {len(labels)} class "
            "names stand beside it."
        )


def probabilities(network: Predictor, picture: np.ndarray) -> np.ndarray:
    """The probability of each class for one picture of the network's size.

    Raises:
        ValueError: what the network answers are no probabilities.
    """
    answer: np.ndarray = network.predict(picture[None])[0]
    if not np.isfinite(answer).all() or abs(answer.sum() - 1) > 1e-3:
        raise ValueError("the network's answers are not probabilities: they do not sum to 1")
    return answer
