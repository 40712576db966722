"""What every service needs around its own routes.

``operate(app, ...)`` adds

- ``/healthz``: the process is alive; ``/readyz``: a known sample is really predicted;
- ``/metrics`` and the request log (see `telemetry`);
- ``/version``, where a service has several (see `versions`);
- ``/openapi.json`` and ``/docs`` (see `openapi`);
- problem+json for every error (see `errors`).
"""

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from course_utils.services.http import errors, openapi
from course_utils.services.http.errors import Problem
from course_utils.services.http.openapi import TEXT, object_schema, operation
from course_utils.services.http.telemetry import ALONE, Host, Telemetry

log = logging.getLogger(__name__)
STATUS = object_schema(status=TEXT)
NOT_READY = {"503": "Not ready: shutting down, or a known sample cannot be predicted"}
PATHS = {
    "/healthz": {"get": operation("Is the process alive?", STATUS)},
    "/readyz": {"get": operation("Can it predict?", STATUS, others=NOT_READY)},
    "/metrics": {"get": operation("Prometheus metrics", TEXT, ok_type="text/plain")},
    "/openapi.json": {"get": operation("This document", {"type": "object"})},
    "/docs": {"get": operation("This document for people", TEXT, ok_type="text/html")},
}
VERSION = {"/version": {"get": operation("Which versions serve?", {"type": "object"})}}


def operate(
    app: Flask,
    *,
    title: str,
    paths: dict[str, Any],
    check: Callable[[], object],
    host: Host = ALONE,
) -> None:
    """Add the operations to ``app``.

    Args:
        title: the service's name for people.
        paths: OpenAPI paths of the service's own routes.
        check: predicts a known sample and raises if that fails; run by ``/readyz``. The
            detail of a `Problem` is passed on; of another error the log tells.
        host: what the server around the app offers it.
    """
    errors.install(app)
    operation_paths = PATHS | (VERSION if host.state else {})
    openapi.install(app, title, {"Service": paths, "Operation": operation_paths})
    telemetry = Telemetry(app, host)
    app.wsgi_app = telemetry  # type: ignore[method-assign]  # Flask's documented way

    @app.get("/readyz")
    def readyz() -> Response:
        if host.draining():
            raise Problem(503, "The service is shutting down.", headers={"Retry-After": "5"})
        try:
            check()
        except Problem as problem:
            raise Problem(503, str(problem.description)) from problem
        except Exception as error:
            log.exception("a known sample could not be predicted")
            raise Problem(503, "A known sample could not be predicted; see the log.") from error
        return jsonify(status="ready")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(telemetry.metrics.text(), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule("/healthz", "healthz", lambda: jsonify(status="alive"))
    if state := host.state:
        app.add_url_rule("/version", "version", lambda: jsonify(state()))
