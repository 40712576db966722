"""The MPG service by LitServe."""

import sys
import time
import uuid
from typing import Any

import litserve
from prometheus_client import CollectorRegistry, Histogram, make_asgi_app, multiprocess

from benchmarks.peers.network import DUTIES, MODEL, Network
from benchmarks.peers.pydantic_car import Car


class Mpg(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.network = Network(MODEL)

    def decode_request(self, request: Car) -> list[float]:  # type: ignore[valid-type]
        return list(request.__dict__.values())

    def predict(self, row: list[float]) -> float:
        start = time.perf_counter()
        miles = self.network.predict_mpg(row)
        if DUTIES:
            self.log("prediction", time.perf_counter() - start)
        return miles

    def encode_response(self, miles: float) -> dict[str, Any]:
        return {"id": str(uuid.uuid4()), "mpg": miles, "errors": []}


class Metrics(litserve.Logger):
    def __init__(self) -> None:
        super().__init__()
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        self.seconds = Histogram("step_seconds", "Time of a step", ["step"], registry=registry)
        self.mount("/metrics", make_asgi_app(registry=registry))

    def process(self, key: str, value: float) -> None:
        self.seconds.labels(step=key).observe(value)


if __name__ == "__main__":
    _, _, port, _, workers = sys.argv
    server = litserve.LitServer(
        Mpg(api_path="/api/mpg"),
        accelerator="cpu",
        workers_per_device=int(workers),
        healthcheck_path="/readyz",
        fast_queue=True,  # its guide: for more than 100 requests per second
        loggers=Metrics() if DUTIES else None,
    )
    level = "info" if DUTIES else "warning"  # the access log is of level info
    server.run(host="127.0.0.1", port=int(port), log_level=level, generate_client_file=False)
