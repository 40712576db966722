"""The yardstick: Flask gives back the JSON it gets, on the server that `course serve` uses."""

import argparse
from collections.abc import Callable
from typing import Any

from flask import Flask, jsonify, request

from course_utils.services.http.telemetry import Host
from course_utils.serving.production import run


def create(host: Host) -> Callable[..., Any]:
    app = Flask(__name__, static_folder=None)

    @app.post("/api/mpg")
    def echo() -> Any:
        return jsonify(request.get_json())

    @app.get("/readyz")
    def readyz() -> str:
        return "ready"

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    run(create, host="127.0.0.1", port=options.port, workers=options.workers)
