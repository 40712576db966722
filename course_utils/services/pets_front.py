"""The front end of the pets service: a page, on a port of its own.

In one of two ways the photo reaches the back end, `pets`. **The browser asks it directly**: then
it has to be reachable from there, and to welcome this page's origin (see `cors`). Or **this
service asks it** and passes on what it says, ``POST /api/pets``: then only the front end has to be
reachable, as in Colab, where a tunnel or a proxy leads to one port.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask, Response, jsonify

from course_utils.services.http import openapi, page
from course_utils.services.http.body import UploadLimit, read_body
from course_utils.services.http.errors import Problem
from course_utils.services.http.operations import operate
from course_utils.services.http.telemetry import ALONE, Host
from course_utils.services.pets import ANSWER, BODY, MAX_BODY_BYTES

PAGE_FOLDER = Path(__file__).with_name("pets_page")
JSON_TYPE = {"Content-Type": "application/json"}
PASSED_ON = ("Content-Type", "Retry-After")  # headers of the back end's answer
TIMEOUTS_S = (3, 20)  # to connect, and between two bytes of the answer
SETTINGS = openapi.object_schema(ask=openapi.TEXT | {"description": "where the page sends photos"})
NO_BACK_END = {"502": "The back end does not answer"}


def create_app(back_end: str, *, relay: bool = False, host: Host = ALONE) -> Flask:
    """The front end.

    Args:
        back_end: URL of the back end, such as ``http://127.0.0.1:5001/``.
        relay: the page asks this service, which asks the back end; else it asks the back end.
        host: what the server around the app offers it.

    Raises:
        ValueError: ``back_end`` is not the URL of a web service.
    """
    parts = urlsplit(back_end)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ValueError(
            f"{back_end!r} is not the address of a back end; give one such as "
            "http://127.0.0.1:5001/"
        )
    address = back_end.removesuffix("/") + "/"
    uploads = UploadLimit()
    app = Flask(__name__, static_folder=None)

    @app.post("/api/pets")
    def pets() -> Response:
        with uploads:
            _, body = read_body({"*/*": MAX_BODY_BYTES})
            try:
                answer = requests.post(
                    address, body, headers=JSON_TYPE, timeout=TIMEOUTS_S, allow_redirects=False
                )
            except requests.RequestException:
                raise Problem(502, "The back end does not answer. Is it running?") from None
        passed_on = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        return Response(answer.content, answer.status_code, JSON_TYPE | passed_on)

    ask = "api/pets" if relay else address
    app.add_url_rule("/settings.json", "settings", lambda: jsonify(ask=ask))

    def check() -> None:
        requests.get(f"{address}readyz", timeout=TIMEOUTS_S).raise_for_status()

    services = [] if relay else [f"{parts.scheme}://{parts.netloc}"]
    page.install(app, PAGE_FOLDER, built=False, services=services)
    operate(app, title="Cats and dogs: the page", paths=PATHS, check=check, host=host)
    return app


PATHS: dict[str, Any] = {
    "/": openapi.PAGE,
    "/settings.json": {"get": openapi.operation("What the page has to know", SETTINGS)},
    "/api/pets": {
        "post": openapi.operation(
            "A cat or a dog? The back end says", ANSWER, body=BODY, others=NO_BACK_END
        )
    },
}
