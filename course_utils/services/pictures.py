"""What the services of pictures share: their app, reading a picture, and models that take them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from flask import Flask

from course_utils import images
from course_utils.inference import Fault, Predictor, find_model, labels_path, load_labels, pointer
from course_utils.services.catalog import Service
from course_utils.services.http import cors, page
from course_utils.services.http.body import admitted
from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate
from course_utils.services.http.operations import operate
from course_utils.services.http.watch import Host

UPLOADS = 32  # bodies in memory at a time, up to 10 MB each
PATIENCE = 1.0  # seconds in the queue; a photo takes about twenty milliseconds
Received = TypeVar("Received")
Answer = TypeVar("Answer")


class BoundedWork:
    """Reads a request's body, then works on it, both within bounds.

    Few bodies are in memory at a time, and as many pictures are worked on as there are slots.
    """

    def __init__(self, *, slots: int):
        self._uploads = Gate(slots=UPLOADS, queue=0)
        self._gate = Gate(slots=slots, patience=PATIENCE)

    def __call__(self, read: Callable[[], Received], work: Callable[[Received], Answer]) -> Answer:
        """What ``work`` makes of what ``read`` has taken from the current request.

        Raises:
            Problem: 503 where there are too many requests.
        """
        with admitted(self._uploads):
            received = read()
            with self._gate:
                return work(received)


def create_app(
    service: Service,
    network: Predictor,
    paths: dict[str, Any],
    *,
    slots: int,
    host: Host,
    page_folder: Path | None = None,
    built: bool = False,
    cross_origin: bool = False,
) -> tuple[Flask, BoundedWork]:
    """The app of a service of pictures, without its own routes, and the bounds they work in.

    Args:
        service: of the catalog.
        network: its model; a black picture is what ``/readyz`` lets it predict.
        paths: OpenAPI paths of its routes.
        slots: pictures worked on at a time.
        host: what the server around the app offers it.
        page_folder: of the page in front of it, if it has one.
        built: whether a build has made that page (see `page.install`).
        cross_origin: whether pages on other origins may ask it (see `cors.allow`).

    Raises:
        ValueError: the environment variable COURSE_ORIGINS is no list of origins.
    """
    app = Flask(service.module, static_folder=None)

    def check() -> None:
        probabilities(network, np.zeros(network.input_shape, np.float32))

    if page_folder:
        page.install(app, page_folder, built=built)
    operate(app, title=service.title, paths=paths, check=check, host=host)
    if cross_origin:
        cors.allow(app)
    return app, BoundedWork(slots=slots)


def load_classifier(
    name: str,
    model: str | Path | None,
    predictor: Predictor | None,
    *,
    two_classes: tuple[str, str] | None = None,
) -> tuple[Path, Predictor, list[str]]:
    """A classifier of RGB pictures, and the names of its classes.

    Args:
        name: of the service.
        model: a model file with its labels beside it; by default what `find_model` finds.
        predictor: used instead of loading ``model``.
        two_classes: the names that it has to have, sorted; by default it may have any.

    Returns:
        The model's path, the network, the names in the order of its outputs.

    Raises:
        FileNotFoundError: no model, or no labels beside it.
        ValueError: one of them cannot be read, or they do not fit together.
    """
    path = Path(model) if model else find_model(name)
    labels = load_labels(path)
    if two_classes and tuple(sorted(labels)) != two_classes:
        raise ValueError(
            f"{labels_path(path).name} names {', '.join(labels) or 'nothing'}; the {name} service "
            f"needs a model of two classes, {' and '.join(two_classes)}."
        )
    network = predictor or Predictor.load(path)
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
    return path, network, labels


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


def probabilities(network: Predictor, picture: np.ndarray) -> np.ndarray:
    """The probability of each class for one picture of the network's size.

    Raises:
        ValueError: what the network answers are no probabilities.
    """
    answer: np.ndarray = network.predict(picture[None])[0]
    if not np.isfinite(answer).all() or abs(answer.sum() - 1) > 1e-3:
        raise ValueError("the network's answers are not probabilities: they do not sum to 1")
    return answer
