"""What runs in Serve's replicas: the Flask app itself, and the image network beside it.

Nothing of a service is written a second time. Its app is WSGI; a2wsgi lets Serve call it as ASGI.
"""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
from a2wsgi import WSGIMiddleware
from prometheus_client import CollectorRegistry, Histogram, values
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from course_utils.inference import Predictor
from course_utils.services import SERVICES
from course_utils.services.http.errors import Problem
from course_utils.services.http.telemetry import REQUEST_ID

ONGOING = 16  # requests that a replica takes in at a time; the others wait in the proxies
LARGEST_BATCH = 8  # photos
PATIENCE = 30  # seconds that a photo may wait for the network, its replica's restart included
SIZES = (1, 2, 3, 4, 6, 8)
Shape = tuple[int, ...]
Wsgi = Callable[..., Iterable[bytes]]


def asgi_app(
    name: str, model: str, metrics: str, network: "Elsewhere | None" = None
) -> WSGIMiddleware:
    """One of the services, as Serve's ingress calls it.

    Args:
        name: of the service.
        model: the file of its network.
        metrics: a name for the folder in which the replicas of one machine gather their metrics.
        network: that of the image service, which is not run here.
    """
    share_metrics(metrics)
    options = {"predictor": network, "slots": ONGOING} if network else {}
    app = SERVICES[name].create_app(model, **options)
    return WSGIMiddleware(under_serve(app), workers=ONGOING)


def share_metrics(name: str) -> None:
    """Let ``/metrics`` tell of all replicas on this machine, whichever answers."""
    folder = metrics_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


def metrics_folder(name: str) -> Path:
    """Where they gather them."""
    return Path(gettempdir(), f"course-scale-{name}")


def under_serve(app: Wsgi) -> Wsgi:
    """The app, with the request ids that Serve gives: its log and its answers name the same."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input_terminated"] = True  # a2wsgi ends the stream where the body ends
        given = environ.get("HTTP_X_REQUEST_ID", "")
        if not _is_uuid(given):  # the client chose it: Serve sends it back, the service has its own
            return app(environ, start_response)
        environ[REQUEST_ID] = given

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            others = [(name, value) for name, value in headers if name.lower() != "x-request-id"]
            return start_response(status, others, exc_info)

        return app(environ, start)

    return call


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


class Elsewhere:
    """Looks like a `Predictor`; the network runs in another deployment."""

    def __init__(self, network: Any, input_shape: Shape, output_shape: Shape):
        """``network`` is the handle of a `Network`; the shapes are those of its `Predictor`."""
        self._network = network
        self.input_shape, self.output_shape = input_shape, output_shape

    def predict(self, batch: Any) -> np.ndarray:
        """As `Predictor.predict`; each picture may be run together with those of others.

        Raises:
            Problem: 503, the network's replica has died or has too much to do.
        """
        try:
            waiting = [self._network.predict.remote(picture) for picture in batch]
            return np.stack([answer.result(timeout_s=PATIENCE) for answer in waiting])
        except (RayError, RayServeException, TimeoutError) as error:
            raise Problem(
                503,
                "The network's replica has gone or has too much to do. Send the request again.",
                headers={"Retry-After": "1"},
            ) from error


class Network:
    """A network that takes whatever pictures are waiting, up to eight, in one go.

    Nobody waits for a batch to fill: the next one is whatever came while the last was running, so
    batches form under load by themselves and a lone request loses nothing.
    """

    def __init__(self, model: str, metrics: str):
        share_metrics(metrics)
        self._predictor = Predictor.load(model)
        self._sizes = Histogram(
            "network_batch_size",
            "Pictures that the network was given in one go.",
            buckets=SIZES,
            registry=CollectorRegistry(),
        )

    @serve.batch(max_batch_size=LARGEST_BATCH, batch_wait_timeout_s=0)  # type: ignore[untyped-decorator]
    async def predict(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """Called with one picture; Serve gathers them."""
        return await self.run(pictures)

    async def run(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """The answers to several pictures, in a thread: the next ones are taken in meanwhile."""
        self._sizes.observe(len(pictures))
        return list(await asyncio.to_thread(self._predictor.predict, np.stack(pictures)))
