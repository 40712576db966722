"""The MPG service with a predictor that takes its time, served as ``course serve`` serves.

    python -m tests.support.slow_service --port 5000 --workers 1 --seconds 0.05

Beside the request log it prints ``{"began": tag}`` as it takes up a request with the header
``X-Tag``, so that a test knows what the service began, whatever became of it.
"""

import argparse
import functools
import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from course_utils.inference import Predictor
from course_utils.services.http.telemetry import Host
from course_utils.services.mpg import create_app
from course_utils.serving.production import run
from tests.support.serving import MODEL


class SlowPredictor(Predictor):
    """Rests ``seconds`` before each prediction, as a larger network would compute."""

    seconds = 0.0

    def predict(self, batch: Any) -> np.ndarray:
        time.sleep(self.seconds)
        return super().predict(batch)


def create(seconds: float, host: Host) -> Callable[..., Any]:
    predictor = SlowPredictor(MODEL.read_bytes())
    predictor.seconds = seconds
    app = create_app(MODEL, predictor=predictor, host=host)

    def announce(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if tag := environ.get("HTTP_X_TAG"):
            os.write(1, f"{json.dumps({'began': tag})}\n".encode())  # at once, not with the log
        return app(environ, start_response)

    return announce


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.05)
    options = parser.parse_args()
    factory = functools.partial(create, options.seconds)
    run(factory, host="127.0.0.1", port=options.port, workers=options.workers)
