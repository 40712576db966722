"""The MPG service by Litestar, its bodies validated by msgspec, for Granian."""

import uuid
from typing import Annotated, Any

import msgspec
from litestar import Litestar, Request, get, post
from litestar.exceptions import ValidationException
from litestar.logging import LoggingConfig
from litestar.middleware.logging import LoggingMiddlewareConfig
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController

from benchmarks.peers.network import DUTIES, MODEL, Network, read_features


class Answer(msgspec.Struct):
    id: str
    mpg: float
    errors: list[str]


kinds, fields = {"integer": int, "number": float}, []
for name, feature in read_features().items():
    limits = msgspec.Meta(ge=feature["minimum"], le=feature["maximum"])
    fields.append((name, Annotated[kinds[feature["type"]], limits]))
decoder = msgspec.json.Decoder(msgspec.defstruct("Car", fields, forbid_unknown_fields=True))
network = Network(MODEL)


# Decoded here: as an argument of the handler, Litestar takes "3504" for a number.
@post("/api/mpg", status_code=200)
async def mpg(request: Request[Any, Any, Any]) -> Answer:
    try:
        car = decoder.decode(await request.body())
    except msgspec.DecodeError as error:
        raise ValidationException(str(error)) from error
    row = list(msgspec.structs.astuple(car))
    return Answer(id=str(uuid.uuid4()), mpg=network.predict_mpg(row), errors=[])


@get("/readyz")
async def readyz() -> str:
    return "ready"


def create_app() -> Litestar:
    """The app, with the log and the metrics where they are wanted."""
    if not DUTIES:
        return Litestar([mpg, readyz], logging_config=None, openapi_config=None)
    # Without the bodies and headers that it would write otherwise; ours does not write them.
    log = LoggingMiddlewareConfig(
        request_log_fields=["path", "method"], response_log_fields=["status_code"]
    )
    return Litestar(
        [mpg, readyz, PrometheusController],
        middleware=[log.middleware, PrometheusConfig().middleware],
        logging_config=LoggingConfig(root={"level": "INFO", "handlers": ["queue_listener"]}),
        openapi_config=None,
    )


app = create_app()
