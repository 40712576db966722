"""The front end of the pets service: a page, on a port of its own.

In one of two ways the photo reaches the back end, `pets`. **The browser asks it directly**: then
it has to be reachable from there, and to welcome this page's origin (see `cors`). Or **this
service asks it** and passes on what it says, ``POST /api/pets``: then only the front end has to be
reachable, as in Colab, where a tunnel or a proxy leads to one port.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask, Response, jsonify

from course_utils.services.http import openapi, page
from course_utils.services.http.body import UploadLimit, read_body
from course_utils.services.http.errors import CONTENT_TYPE, Problem
from course_utils.services.http.operations import operate
from course_utils.services.http.telemetry import ALONE, Host
from course_utils.services.pets import ANSWER, BODY, MAX_BODY_BYTES

PAGE_FOLDER = Path(__file__).with_name("pets_page")
JSON_TYPE = {"Content-Type": "application/json"}
PASSED_ON = ("Content-Type", "Retry-After")  # headers of the back end's answer
TIMEOUTS_S = (3, 20)  # to connect, and between two bytes of the answer
READY_TIMEOUTS_S = (2, 5)
# Without it, a free tunnel of ngrok answers with a page that warns of the tunnel.
NO_WARNING_PAGE = {"ngrok-skip-browser-warning": "1"}
SETTINGS = openapi.object_schema(ask=openapi.TEXT | {"description": "where the page sends photos"})
NO_BACK_END = {"502": "The back end does not answer, or something else in its place"}


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
            answer, _ = _ask("POST", address, _is_prediction, TIMEOUTS_S, body)
        passed_on = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        return Response(answer.content, answer.status_code, JSON_TYPE | passed_on)

    ask = "api/pets" if relay else address
    app.add_url_rule("/settings.json", "settings", lambda: jsonify(ask=ask))

    def check() -> None:
        answer, said = _ask("GET", f"{address}readyz", _is_ready, READY_TIMEOUTS_S)
        if answer.status_code != 200:
            raise Problem(503, f"The back end is not ready. {said.get('detail', '')}")

    services = [] if relay else [f"{parts.scheme}://{parts.netloc}"]
    page.install(app, PAGE_FOLDER, built=False, services=services)
    operate(app, title="Cats and dogs: the page", paths=PATHS, check=check, host=host)
    return app


def _ask(
    method: str,
    url: str,
    is_answer: Callable[[dict[str, Any]], bool],
    timeouts_s: tuple[float, float],
    body: bytes | None = None,
) -> tuple[requests.Response, dict[str, Any]]:
    """The back end's answer and its JSON, which `is_answer` knows, or a refusal (RFC 9457).

    Raises:
        Problem: nothing answers, or something else than the back end.
    """
    headers = JSON_TYPE | NO_WARNING_PAGE
    try:
        answer = requests.request(
            method, url, data=body, headers=headers, timeout=timeouts_s, allow_redirects=False
        )
    except requests.RequestException:
        raise Problem(502, "The back end does not answer. Is it running?") from None
    status, said = answer.status_code, None
    with suppress(ValueError):
        said = answer.json()
    # The back end has these paths: who says that they are not there is another service.
    if isinstance(said, dict) and status not in (404, 405):
        is_refusal = answer.headers.get("Content-Type", "").startswith(CONTENT_TYPE)
        if is_answer(said) if status == 200 else is_refusal:
            return answer, said
    who, remedy = _name_stranger(answer, is_json=said is not None)
    raise Problem(
        502,
        f"Something else answered in place of the back end (status {status}): probably {who}. "
        f"{remedy}",
    )


def _is_prediction(said: dict[str, Any]) -> bool:
    return isinstance(said.get("prediction"), dict)


def _is_ready(said: dict[str, Any]) -> bool:
    return said.get("status") == "ready"


def _name_stranger(answer: requests.Response, *, is_json: bool) -> tuple[str, str]:
    """What has probably answered in the back end's place, and what to do."""
    status, is_page = answer.status_code, answer.content.lstrip().startswith(b"<")
    start = (
        "See that the back end is running there, and give the front end the address that the "
        "back end printed."
    )
    if 300 <= status < 400:
        return "a login page, or a proxy that sends requests elsewhere", start
    if status == 413:
        return "a proxy that lets nothing of this size pass", "Send a smaller photo."
    if is_json or status in (404, 405, 501) or (status < 300 and not is_page):
        return "another program on its port, or a tunnel whose service has ended", start
    if status >= 500:
        return "a proxy or tunnel that does not reach it, or another program that failed", start
    if status >= 400:
        return "a proxy that refuses the request", "Ask whoever runs the proxy to let it pass."
    return (
        "the warning page of a tunnel, or the login page of a proxy",
        "Open the back end's address in a browser to see it, or give one that needs no login.",
    )


PATHS: dict[str, Any] = {
    "/": openapi.PAGE,
    "/settings.json": {"get": openapi.operation("What the page has to know", SETTINGS)},
    "/api/pets": {
        "post": openapi.operation(
            "A cat or a dog? The back end says", ANSWER, body=BODY, others=NO_BACK_END
        )
    },
}
