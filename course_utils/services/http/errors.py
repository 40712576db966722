"""Errors as messages to a person: ``application/problem+json`` (RFC 9457).

Every 4xx and 5xx of every service has this form, with the list of all faults of the request.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response

from course_utils.inference import Fault
from course_utils.services.http.telemetry import REQUEST_ID

CONTENT_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class Problem(HTTPException):
    """Raise it anywhere in a request: the answer is problem+json with these faults."""

    def __init__(
        self,
        code: int,
        detail: str,
        faults: list[Fault] | None = None,
        *,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(detail)
        self.code = code
        self.faults = faults or []
        self.headers = headers or {}


def get_request_id() -> str:
    """The id of the request being answered."""
    return request.environ[REQUEST_ID]


def install(app: Flask) -> None:
    """Make every error of ``app`` a problem+json answer."""
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def _answer_http(error: HTTPException) -> Response:
    faults = getattr(error, "faults", [])
    detail, request_id = error.description or error.name, get_request_id()
    body = describe_problem(error.code or 500, error.name, detail, request_id, faults)
    answer = error.get_response()  # Werkzeug's own headers stay (Allow of a 405), its HTML goes.
    answer.headers.update(getattr(error, "headers", {}))
    answer.data = json.dumps(body)
    answer.content_type = CONTENT_TYPE
    return answer


def describe_problem(
    status: int, title: str, detail: str, request_id: str, faults: Sequence[Fault] = ()
) -> dict[str, Any]:
    """The members of a problem document."""
    return {
        "type": "about:blank",  # RFC 9457: the status says it all
        "title": title,
        "status": status,
        "detail": detail,
        "errors": [asdict(fault) for fault in faults],
        "request_id": request_id,
    }


def _answer_unexpected(error: Exception) -> Response:
    log.exception("unexpected error in request %s", get_request_id(), exc_info=error)
    return _answer_http(
        InternalServerError(
            "Something went wrong on our side. Nothing of your request is to blame; the log has "
            "the details under this request_id."
        )
    )
