"""The MPG service by BentoML, which has /readyz, an access log and metrics of its own."""

import os
import sys
import uuid

import bentoml

from benchmarks.peers.network import DUTIES, MODEL, Network
from benchmarks.peers.pydantic_car import Answer, Car


@bentoml.service(
    workers=int(os.environ.get("WORKERS", "1")),
    metrics={"enabled": DUTIES},
    logging={"access": {"enabled": DUTIES}},
)
class Mpg:
    def __init__(self) -> None:
        self.network = Network(MODEL)

    # The slash makes the car the whole body, not a value in it.
    @bentoml.api(route="/api/mpg")
    async def mpg(self, car: Car, /) -> Answer:  # type: ignore[valid-type]
        row = list(car.__dict__.values())
        return Answer(id=str(uuid.uuid4()), mpg=self.network.predict_mpg(row), errors=[])


if __name__ == "__main__":
    _, _, port, _, workers = sys.argv
    serve = ["serve", "benchmarks.peers.bentoml_app:Mpg", "--host", "127.0.0.1"]
    command = [sys.executable, "-m", "bentoml", *serve, "--port", port]
    os.environ |= {"WORKERS": workers, "BENTOML_DO_NOT_TRACK": "True"}
    os.execv(sys.executable, command)
