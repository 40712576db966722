"""Read a request's body, bounded.

Flask reads bodies too, but checks its limits piece by piece at ten times the cost; the body of a
small JSON service is one read.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from flask import request

from course_utils.inference import Fault, describe
from course_utils.services.http import strict_json
from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate

PIECE = 64 * 1024  # bytes of it held at a time
DRAINED = 32 * 1024 * 1024  # bytes of a refused body still read, so that the refusal arrives


def read_body(limits: Mapping[str, int]) -> tuple[str, bytes]:
    """The current request's body.

    Args:
        limits: the media types accepted, each with the bytes that a body of it may have;
            ``*/*`` stands for all others.

    Returns:
        Its media type, without parameters such as ``charset``, and the body.

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
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    limit = limits.get(media_type, limits.get("*/*", -1))
    # Where the server ends the stream at the body's end, a chunked body (no length) works too.
    ends = environ.get("wsgi.input_terminated")
    # Twenty digits are more than enough to be refused; Python reads at most 4,300.
    expected = int(length[:20]) if length else (limit + 1 if ends else 0)
    if limit >= 0 and expected <= limit + (not length):
        data = _read(stream, expected)
        if len(data) == expected <= limit or (not length and len(data) <= limit):
            return media_type, data
        if length:
            fault = Fault("", "the body ends early", f"{len(data)} bytes", f"{expected} bytes")
            raise Problem(400, "The body is shorter than the header Content-Length says.", [fault])
    if ends or length:
        _drop(stream, expected if length else DRAINED)
    if limit < 0:
        allowed = " or ".join(limits)
        fault = Fault("", "wrong content type", describe(media_type), allowed)
        raise Problem(415, f"The header Content-Type has to say {allowed}.", [fault])
    received = f"{expected if length else f'more than {limit}'} bytes"
    fault = Fault("", "body too large", received, f"{limit} bytes")
    raise Problem(413, f"The body is too large: at most {limit} bytes.", [fault])


@contextlib.contextmanager
def admitted(gate: Gate) -> Iterator[None]:
    """A gate around all that is done with a large body, so that few are in memory at a time.

    Raises:
        Problem: 503 (see `Gate`); the body has been read and dropped.
    """
    try:
        gate.__enter__()
    except Problem:
        length = request.environ.get("CONTENT_LENGTH", "").strip()
        if length.isdecimal() or request.environ.get("wsgi.input_terminated"):
            size = int(length[:20]) if length.isdecimal() else DRAINED
            _drop(request.environ["wsgi.input"], size)
        raise
    try:
        yield
    finally:
        gate.__exit__(None, None, None)


def parse_json(data: bytes) -> tuple[Any, list[Fault]]:
    """A body as `strict_json.loads` reads it.

    Raises:
        Problem: 400, it is not JSON.
    """
    try:
        return strict_json.loads(data)
    except strict_json.MalformedJSON as error:
        raise Problem(400, "The body is not JSON.", error.faults) from None


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
