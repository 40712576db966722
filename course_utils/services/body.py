"""Read a request's body, bounded.

Flask reads bodies too, but checks its limits piece by piece at ten times the cost; the body of a
small JSON service is one read.
"""

from typing import Any

from flask import request

from course_utils.schema import Fault, describe
from course_utils.services.errors import Problem

PIECE = 64 * 1024  # bytes of it held at a time
DRAINED = 32 * 1024 * 1024  # bytes of a refused body still read, so that the refusal arrives


def read_body(limit: int, content_type: str) -> bytes:
    """The current request's body.

    Args:
        limit: bytes it may have.
        content_type: the only media type accepted; parameters (``charset``) are ignored.

    Raises:
        Problem: 400 where the body is not as long as the request says, 413 or 415. A refused body
            is read and dropped first (as far as is reasonable): a client that is still sending
            would otherwise see a broken connection, not the answer.
    """
    environ = request.environ
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH", "").strip()
    if length and not length.isdecimal():
        fault = Fault("", "not a length", describe(length), "a number of bytes")
        raise Problem(400, "The header Content-Length is not a number.", [fault])
    # Where the server ends the stream at the body's end, a chunked body (no length) works too.
    ends = environ.get("wsgi.input_terminated")
    # Twenty digits are more than enough to be refused; Python reads at most 4,300.
    expected = int(length[:20]) if length else (limit + 1 if ends else 0)
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type == content_type and expected <= limit + (not length):
        data = _read(stream, expected)
        if len(data) == expected <= limit or (not length and len(data) <= limit):
            return data
        if length:
            fault = Fault("", "the body ends early", f"{len(data)} bytes", f"{expected} bytes")
            raise Problem(400, "The body is shorter than the header Content-Length says.", [fault])
    if ends or length:
        _drop(stream, expected if length else DRAINED)
    if media_type != content_type:
        fault = Fault("", "wrong content type", describe(media_type), content_type)
        raise Problem(415, f"The header Content-Type has to say {content_type}.", [fault])
    received = f"{expected if length else f'more than {limit}'} bytes"
    fault = Fault("", "body too large", received, f"{limit} bytes")
    raise Problem(413, f"The body is too large: at most {limit} bytes.", [fault])


def _read(stream: Any, size: int) -> bytes:
    try:
        return stream.read(size)
    except OSError:  # the client left, or its chunks make no sense
        fault = Fault("", "the body ends early", "a part of it", "a complete body")
        raise Problem(400, "The body could not be read to its end.", [fault]) from None


def _drop(stream: Any, size: int) -> None:
    if size > DRAINED:  # no client gets that far; do not wait for it
        return
    while size > 0 and (piece := _read(stream, min(size, PIECE))):
        size -= len(piece)
