"""Read a request's body, bounded, and take the one file out of a form.

Flask reads bodies and forms too, but checks its limits piece by piece at ten times the cost, and
copies a file four times. The body of a small JSON service is one read.
"""

from collections.abc import Mapping
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder
from werkzeug.wsgi import get_content_length

from course_utils.inference import Fault, describe, pointer
from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate

FORM = "multipart/form-data"
FORM_OVERHEAD_BYTES = 16 * 1024  # that a form takes around its file
MAX_FORM_PARTS = 8  # One is right. A few more are named; a form of hundreds is not read.
MAX_NAME_CHARACTERS = 40  # of a field in an answer
MAX_UPLOADS = 32  # bodies in memory at a time, up to 10 MB each
PIECE_BYTES = 64 * 1024  # of a dropped body held at a time
MAX_DROPPED_BYTES = 32 * 1024 * 1024  # of a refused body still read, so that the refusal arrives


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
    length = get_content_length(environ)
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    limit = limits.get(media_type, limits.get("*/*"))
    if limit is None:
        _drop_body()
        allowed = " or ".join(limits)
        fault = Fault("", "wrong content type", describe(media_type), allowed)
        raise Problem(415, f"The header Content-Type has to say {allowed}.", [fault])
    if length is None or length <= limit:
        # Where the server ends the stream at the body's end, a chunked body (no length) works too.
        unknown = limit + 1 if environ.get("wsgi.input_terminated") else 0
        data = _read(environ["wsgi.input"], unknown if length is None else length)
        if length is not None and len(data) < length:
            fault = Fault("", "the body ends early", f"{len(data)} bytes", f"{length} bytes")
            raise Problem(400, "The body is shorter than the header Content-Length says.", [fault])
        if len(data) <= limit:
            return media_type, data
    _drop_body()
    received = f"more than {limit} bytes" if length is None else f"{length} bytes"
    fault = Fault("", "body too large", received, f"{limit} bytes")
    raise Problem(413, f"The body is too large: at most {limit} bytes.", [fault])


class UploadLimit(Gate):
    """A gate around all that is done with large bodies, so that few are in memory at a time.

    Raises (on entering):
        Problem: 503 with ``Retry-After``; the body has been read and dropped.
    """

    def __init__(self) -> None:
        super().__init__(slots=MAX_UPLOADS, queue=0)

    def __enter__(self) -> None:
        try:
            super().__enter__()
        except Problem:
            _drop_body()
            raise


def get_file(body: bytes, field: str) -> bytes:
    """The content of the file in ``field``, the only one that the form in a body may have.

    The name and the type that the client gives the file are not looked at: only its content says
    what it is. (RFC 7578)

    Raises:
        Problem: 400, with every fault of the form.
    """
    allowed = f"one file, in the field {field}"
    faults: list[Fault] = []
    content = None
    for part, data in _parse_form(body, field):
        if isinstance(part, Field):
            detail = "not a file but a text"
        elif part.name != field:
            detail = "unknown field"
        elif content is not None:
            detail = "more than one file"
        else:
            content = data
            continue
        name = (part.name or "")[:MAX_NAME_CHARACTERS]
        faults.append(Fault(pointer(name), detail, f"the field {describe(name)}", allowed))
    if content is None and all(fault.pointer != pointer(field) for fault in faults):
        faults.append(Fault(pointer(field), "missing", "nothing", allowed))
    if content is None or faults:
        raise Problem(400, f"The form has to have {allowed}.", faults)
    return content


def _parse_form(body: bytes, field: str) -> list[tuple[Field | File, bytes]]:
    """The parts of a form, each with its content; Werkzeug's decoder gets the body in one piece."""
    boundary = request.mimetype_params.get("boundary")
    if not boundary:
        allowed = f"{FORM}; boundary=..., as a client sets it that is given the file"
        fault = Fault("", "no boundary in the Content-Type", describe(request.mimetype), allowed)
        advice = "Leave that header out: the client then sets it with the boundary that it uses."
        raise Problem(400, f"The header Content-Type names no boundary. {advice}", [fault])
    parts: list[tuple[Field | File, bytes]] = []
    try:
        decoder = MultipartDecoder(boundary.encode("ascii"), max_parts=MAX_FORM_PARTS)
        decoder.receive_data(body)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, Data):
                parts[-1] = parts[-1][0], event.data
            elif isinstance(event, Field | File):
                parts.append((event, b""))
    except (ValueError, LookupError, RequestEntityTooLarge):
        detail = f"not parted by the Content-Type's boundary, or more than {MAX_FORM_PARTS} parts"
        allowed = f"a form with one file, in the field {field}"
        fault = Fault("", detail, f"{len(body)} bytes", allowed)
        raise Problem(400, "The body is not a form that can be read.", [fault]) from None
    return parts


def _read(stream: Any, size: int) -> bytes:
    try:
        return stream.read(size)
    except OSError:  # the client left, or its chunks make no sense
        fault = Fault("", "the body ends early", "a part of it", "a complete body")
        raise Problem(400, "The body could not be read to its end.", [fault]) from None


def _drop_body() -> None:
    """Read what is left of the current request's body, and keep nothing of it."""
    left = get_content_length(request.environ)
    if left is None:
        left = MAX_DROPPED_BYTES if request.environ.get("wsgi.input_terminated") else 0
    if left > MAX_DROPPED_BYTES:  # no client gets that far; do not wait for it
        return
    stream = request.environ["wsgi.input"]
    while left > 0 and (piece := _read(stream, min(left, PIECE_BYTES))):
        left -= len(piece)
