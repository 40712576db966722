"""The front end of the pets service: a page, on a port of its own.

In one of two ways the photo reaches the back end, `pets`. **The browser asks it directly**: then
it has to be reachable from there, and to welcome this page's origin (see `cors`). Or **this
service asks it** and passes on what it says, ``POST /api/pets``: then only the front end has to be
reachable, as in Colab, where a tunnel or a proxy leads to one port.
"""

import functools
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask, Response, jsonify
from urllib3.exceptions import HTTPError, ProtocolError

from course_utils.services.http import openapi, page
from course_utils.services.http.body import UploadLimit, read_body
from course_utils.services.http.errors import CONTENT_TYPE, Problem
from course_utils.services.http.operations import operate
from course_utils.services.http.telemetry import ALONE, Host
from course_utils.services.pets import ANSWER, BODY, LABELS, MAX_BODY_BYTES, PAGE, PAGE_FOLDER

JSON_TYPE = {"Content-Type": "application/json"}
PASSED_ON = ("Content-Type", "Retry-After")  # headers of the back end's answer
MAX_ANSWER_BYTES = 65_536
TIMEOUTS_S = (3, 20)  # to connect, and for the answer to begin and then to end
READY_TIMEOUTS_S = (2, 5)
# Without it, a free tunnel of ngrok answers with a page that warns of the tunnel.
HEADERS = JSON_TYPE | {"ngrok-skip-browser-warning": "1"}
#: What may answer in the back end's place: how to know it, what it is, and what to do.
STRANGERS = json.loads((PAGE_FOLDER / "strangers.json").read_text("utf-8"))
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
    origin = _find_origin(back_end)
    address = back_end.removesuffix("/") + "/"
    uploads = UploadLimit()
    app = Flask(__name__, static_folder=None)

    @app.post("/api/pets")
    def pets() -> Response:
        with uploads:
            _, body = read_body({"*/*": MAX_BODY_BYTES})
            answer, said = _ask("POST", address, _is_prediction, TIMEOUTS_S, body)
        passed_on = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        return Response(json.dumps(said), answer.status_code, JSON_TYPE | passed_on)

    ask = "api/pets" if relay else address
    app.add_url_rule("/settings.json", "settings", lambda: jsonify(ask=ask))

    def check() -> None:
        answer, said = _ask("GET", f"{address}readyz", _is_ready, READY_TIMEOUTS_S)
        if answer.status_code != 200:
            raise Problem(503, f"The back end is not ready. {said.get('detail', '')}")
        # Any of our services may be ready there; only the right one refuses an empty photo.
        _ask("POST", address, lambda _: False, READY_TIMEOUTS_S)

    page.install(app, PAGE_FOLDER, services=[] if relay else [origin])
    operate(app, title="Cats and dogs: the page", paths=PATHS, check=check, host=host)
    return app


def _find_origin(back_end: str) -> str:
    """What a page that asks the back end has to be allowed to ask."""
    with suppress(ValueError):
        parts = urlsplit(back_end)
        host = (parts.hostname or "").encode("idna").decode()
        is_plain = re.fullmatch(r"[\w.:-]+", host) and parts.port != 0 and parts.username is None
        if parts.scheme in ("http", "https") and is_plain and not parts.query + parts.fragment:
            if ":" in host:  # the rules that a page gives a browser cannot name an IPv6 address
                return f"{parts.scheme}:"
            return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    raise ValueError(
        f"{back_end!r} is not the address of a back end; give one such as http://127.0.0.1:5001/"
    )


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read where a redirect leads even if it does not go there."""


def _ask(
    method: str,
    url: str,
    is_answer: Callable[[dict[str, Any]], bool],
    timeouts_s: tuple[float, float],
    body: bytes | None = None,
) -> tuple[requests.Response, dict[str, Any]]:
    """The head of the back end's answer and its JSON, of a known form or a refusal (RFC 9457).

    Raises:
        Problem: nothing answers, or something else than the back end.
    """
    try:
        with _Session() as session:
            answer = session.request(
                method, url, data=body, headers=HEADERS, timeout=timeouts_s, stream=True
            )
            with answer:
                content = _read(answer, time.monotonic() + timeouts_s[1])
    except (requests.RequestException, HTTPError) as error:
        if any(isinstance(cause, ProtocolError) for cause in error.args):
            raise _refuse_stranger(0, "text") from None
        raise Problem(502, "The back end does not answer. Is it running?") from None
    status, said = answer.status_code, None
    with suppress(ValueError, RecursionError):
        said = json.loads(content)
    # The back end has these paths: who says that they are not there is another service.
    is_known = is_answer if status == 200 else functools.partial(_is_refusal, answer)
    if isinstance(said, dict) and status not in (404, 405) and is_known(said):
        return answer, said
    form = "page" if content.lstrip().startswith(b"<") else "text"
    raise _refuse_stranger(status, form if said is None else "json")


def _read(answer: requests.Response, deadline: float) -> bytes:
    """The answer's body, or how it begins where it is too long, too slow or damaged."""
    content = bytearray()
    with suppress(requests.RequestException, HTTPError):
        for piece in answer.iter_content(1):  # of more bytes each one could take the whole time
            content += piece
            if len(content) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                break
    return bytes(content)


def _is_refusal(answer: requests.Response, said: dict[str, Any]) -> bool:
    is_problem = answer.headers.get("Content-Type", "").startswith(CONTENT_TYPE)
    is_told = isinstance(said.get("detail"), str) and said["detail"] != ""
    return answer.status_code >= 400 and is_problem and is_told and type(said.get("errors")) is list


def _is_ready(said: dict[str, Any]) -> bool:
    return said.get("status") == "ready"


def _is_prediction(said: dict[str, Any]) -> bool:
    shares = said.get("prediction")
    if not isinstance(shares, dict) or shares.keys() != set(LABELS):
        return False
    return all(type(share) in (int, float) and 0 <= share <= 1 for share in shares.values())


def _refuse_stranger(status: int, form: str) -> Problem:
    """Say what has probably answered in the back end's place, and what to do.

    Args:
        status: of its answer; 0 where that was no HTTP.
        form: of its answer's body: ``json``, ``page`` or ``text``.
    """
    answer = f"{status} {form}"
    who, remedy = next(said for kind, *said in STRANGERS if re.search(kind, answer))
    how = f"status {status}" if status else "no HTTP"
    what = f"Something else answered in place of the back end ({how}): probably {who}."
    return Problem(502, f"{what} {remedy}")


PATHS: dict[str, Any] = PAGE | {
    "/api/pets": {
        "post": openapi.operation(
            "A cat or a dog? The back end says", ANSWER, body=BODY, others=NO_BACK_END
        )
    },
}
