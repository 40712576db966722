"""What Ray Serve says by itself, as problem+json like all else (RFC 9457).

A request that finds the queue full, or whose replica dies during it, never reaches a service: the
proxy answers, with a line of text or with nothing at all. This middleware runs in the proxies,
around everything else.
"""

import http
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from course_utils.services.http.errors import CONTENT_TYPE, describe_problem
from course_utils.services.http.gate import OVERLOADED

Message = MutableMapping[str, Any]
REQUEST_ID = b"x-request-id"
DETAILS = {404: "Nothing is served at this path.", 503: OVERLOADED}
REPLICA_GONE = (
    "The machine that was to answer has gone. Nothing of your request is to blame; send it again."
)


class Problems:
    """ASGI middleware that turns each error into problem+json that is not in this form yet."""

    def __init__(self, app: Callable[..., Awaitable[None]]):
        self._app = app

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/-/"):  # Serve's own pages
            await self._app(scope, receive, send)
            return
        started = replaced = False

        async def pass_on(message: Message) -> None:
            nonlocal started, replaced
            if message["type"] == "http.response.start":
                started = True
                pairs = [(bytes(n).lower(), bytes(v)) for n, v in message["headers"]]
                headers = dict(reversed(pairs))
                # Serve adds a request id of its own behind the one that the service has in its log.
                others = [pair for pair in pairs if pair[0] != REQUEST_ID]
                message["headers"] = [*others, (REQUEST_ID, headers.get(REQUEST_ID, b""))]
                ours = headers.get(b"content-type", b"").startswith(CONTENT_TYPE.encode())
                if message["status"] >= 400 and not ours:
                    replaced = True
                    await make_answer(message["status"], headers)(scope, receive, send)
            if not replaced:
                await send(message)

        try:
            await self._app(scope, receive, pass_on)
        finally:
            if not started:  # the replica has died before it sent anything
                await make_answer(500, dict(scope["headers"]))(scope, receive, send)


def middleware() -> list[Middleware]:
    """Return what Serve's proxies call (``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH``)."""
    return [Middleware(Problems)]


def make_answer(status: int, headers: dict[bytes, bytes]) -> JSONResponse:
    """Make the answer in place of Serve's own with this status.

    Args:
        status: of HTTP; 500 is Serve's where a replica has gone, and is answered with 503. A
            service's own 500 is problem+json already.
        headers: of Serve's answer or of the request; their request id is kept.
    """
    gone = status == 500
    status = 503 if gone else status
    request_id = headers.get(REQUEST_ID, b"").decode("latin-1")
    title = http.HTTPStatus(status).phrase
    detail = REPLICA_GONE if gone else DETAILS.get(status, title)
    problem = describe_problem(status, title, detail, request_id)
    answered = {"X-Request-ID": request_id}
    if status == 503:  # the next try had better meet another proxy
        answered |= {"Retry-After": "1", "Connection": "close"}
    return JSONResponse(problem, status, answered, media_type=CONTENT_TYPE)
