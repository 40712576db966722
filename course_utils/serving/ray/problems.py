"""What Ray Serve says by itself, as problem+json like all else (RFC 9457).

A request that finds the queue full, or whose replica dies under it, never reaches a service: the
proxy answers, with a line of text or with nothing at all. This stands in the proxies, around all.
"""

import http
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware import Middleware

from course_utils.services.http.errors import ABOUT_BLANK, CONTENT_TYPE

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
DETAILS = {
    404: "Nothing is served at this path.",
    408: "The answer took too long.",
    503: "The service has more requests than it can serve. Wait a second and try again.",
}
GONE = (
    "The machine that was to answer has gone. Nothing of your request is to blame; send it again."
)


class Problems:
    """ASGI middleware: an error that is not problem+json yet becomes it."""

    def __init__(self, app: Callable[..., Awaitable[None]]):
        self._app = app

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/-/"):  # Serve's own pages
            await self._app(scope, receive, send)
            return
        state = {"started": False, "replaced": False}

        async def passed_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                state["started"] = True
                headers = {bytes(n).lower(): bytes(v) for n, v in message["headers"]}
                if message["status"] >= 400 and not _is_ours(headers):
                    state["replaced"] = True
                    await _answer(send, message["status"], headers)
                    return
            if not state["replaced"]:
                await send(message)

        try:
            await self._app(scope, receive, passed_on)
        finally:
            if not state["started"]:  # the replica has died before it said a word
                await _answer(send, 503, dict(scope["headers"]), GONE)


def middleware() -> list[Middleware]:
    """What Serve's proxies call (``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH``)."""
    return [Middleware(Problems)]


def _is_ours(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-type", b"").startswith(CONTENT_TYPE.encode())


async def _answer(
    send: Send, status: int, headers: dict[bytes, bytes], detail: str | None = None
) -> None:
    if status == 500:  # Serve says it where a replica has gone; a service's own has our form
        status, detail = 503, GONE
    request_id = headers.get(b"x-request-id", b"")
    title = http.HTTPStatus(status).phrase
    body = json.dumps(
        {
            "type": ABOUT_BLANK,
            "title": title,
            "status": status,
            "detail": detail or DETAILS.get(status, title),
            "errors": [],
            "request_id": request_id.decode("latin-1"),
        }
    ).encode()
    answered = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id),
    ]
    if status == 503:  # the next try had better meet another proxy
        answered += [(b"retry-after", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": answered})
    await send({"type": "http.response.body", "body": body})
