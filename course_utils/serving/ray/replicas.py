"""What runs in Serve's replicas: the Flask app itself, and the image network beside it.

Nothing of a service is written a second time. Its app is WSGI; a2wsgi lets Serve call it as ASGI.
"""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
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

MAX_ONGOING_REQUESTS = 16  # of a replica at a time; the others wait in the proxies
MAX_BATCH_PHOTOS = 8
NETWORK_TIMEOUT_S = 30  # that a photo may wait for the network, its replica's restart included
BATCH_SIZE_BUCKETS = (1, 2, 3, 4, 6, 8)
Shape = tuple[int, ...]


def build_asgi_app(
    name: str,
    model: Path,
    metrics: Path,
    network: "RemotePredictor | None" = None,
) -> WSGIMiddleware:
    """Build one of the services as an ASGI app, as Serve's ingress calls it.

    Args:
        name: of the service.
        model: the file of its network.
        metrics: the folder in which the replicas of one machine gather their metrics.
        network: that of the image service, which is not run here.
    """
    share_metrics(metrics)
    options = {"predictor": network, "slots": MAX_ONGOING_REQUESTS} if network else {}
    app = SERVICES[name].create_app(model, **options)

    def call(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input_terminated"] = True  # a2wsgi ends the stream where the body ends
        return app(environ, start_response)

    return WSGIMiddleware(call, workers=MAX_ONGOING_REQUESTS)


def share_metrics(folder: Path) -> None:
    """Let ``/metrics`` count the requests of all replicas on this machine, whichever answers."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


class RemotePredictor:
    """Has a `Predictor`'s interface; the network runs in another deployment."""

    def __init__(self, network: Any, input_shape: Shape, output_shape: Shape):
        """``network`` is the handle of a `Network`; the shapes are those of its `Predictor`."""
        self._network = network
        self.input_shape, self.output_shape = input_shape, output_shape

    def predict(self, batch: Any) -> np.ndarray:
        """Predict as `Predictor.predict` does; each picture may share a batch with those of others.

        Raises:
            Problem: 503, the network's replica has died or has too much to do.
        """
        try:
            waiting = [self._network.predict.remote(picture) for picture in batch]
            return np.stack([answer.result(timeout_s=NETWORK_TIMEOUT_S) for answer in waiting])
        except (RayError, RayServeException, TimeoutError) as error:
            raise Problem(
                503,
                "The network's replica has gone or has too much to do. Send the request again.",
                headers={"Retry-After": "1"},
            ) from error


class Network:
    """A network that predicts pictures that arrive at the same moment, up to eight, in one batch.

    No picture waits for a batch to fill, so a single request is not delayed. Serve cuts the batches
    as pictures arrive, also while an earlier batch runs: they stay small. A longer
    ``batch_wait_timeout_s`` makes them larger, and each request later by so much.
    """

    def __init__(self, model: Path, metrics: Path):
        share_metrics(metrics)
        self._predictor = Predictor.load(model)
        self._sizes = Histogram(
            "network_batch_size",
            "Pictures that the network was given in one go.",
            buckets=BATCH_SIZE_BUCKETS,
            registry=CollectorRegistry(),
        )

    @serve.batch(max_batch_size=MAX_BATCH_PHOTOS, batch_wait_timeout_s=0)  # type: ignore[untyped-decorator]
    async def predict(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """Predict one picture; Serve gathers the calls that wait into a list."""
        self._sizes.observe(len(pictures))
        # In a thread, so that the next pictures are accepted meanwhile.
        return list(await asyncio.to_thread(self._predictor.predict, np.stack(pictures)))
