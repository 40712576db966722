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

from course_utils.services import pictures
from course_utils.services.http import openapi, page
from course_utils.services.http.body import admitted, read_body
from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate
from course_utils.services.http.operations import operate
from course_utils.services.http.watch import ALONE, Host
from course_utils.services.pets import ANSWER, BODY, MAX_BODY

PAGE = Path(__file__).with_name("pets_page")
SECONDS = (3, 20)  # to connect, and between two bytes of the answer
PASSED_ON = ("Retry-After",)  # headers of the back end's answer
SETTINGS = {
    "type": "object",
    "required": ["ask"],
    "properties": {"ask": {"type": "string", "description": "where the page sends photos"}},
    "additionalProperties": False,
}
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
    uploads = Gate(slots=pictures.UPLOADS, queue=0)
    app = Flask(__name__, static_folder=None)

    @app.post("/api/pets")
    def pets() -> Response:
        with admitted(uploads):
            media_type, body = read_body({"*/*": MAX_BODY})
            answer = _ask(address, media_type, body)
        headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        kind = answer.headers.get("Content-Type", "application/json")
        return Response(answer.content, answer.status_code, headers, content_type=kind)

    ask = "api/pets" if relay else address
    app.add_url_rule("/settings.json", "settings", lambda: jsonify(ask=ask))

    def check() -> None:
        requests.get(f"{address}readyz", timeout=SECONDS).raise_for_status()

    services = [] if relay else [f"{parts.scheme}://{parts.netloc}"]
    page.install(app, PAGE, built=False, services=services)
    operate(app, title="Cats and dogs: the page", paths=PATHS, check=check, host=host)
    return app


def _ask(address: str, media_type: str, body: bytes) -> requests.Response:
    kind = media_type or "application/json"
    try:
        return requests.post(
            address,
            data=body,
            headers={"Content-Type": kind},
            timeout=SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException:
        raise Problem(502, "The back end does not answer. Is it running?") from None


PATHS: dict[str, Any] = {
    "/": {"get": openapi.operation("The page", {"type": "string"}, ok_type="text/html")},
    "/settings.json": {"get": openapi.operation("What the page has to know", SETTINGS)},
    "/api/pets": {
        "post": openapi.operation(
            "A cat or a dog? The back end says", ANSWER, body=BODY, others=NO_BACK_END
        )
    },
}
