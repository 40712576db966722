"""Read a request's body, bounded.

Flask reads bodies too, but checks its limits piece by piece at ten times the cost; the body of a
small JSON service is one read.
"""

from flask import request

from course_utils.schema import Fault, describe
from course_utils.services.errors import Problem

DRAINED = 32 * 1024 * 1024  # bytes of a refused body still read, so that the refusal arrives


def read_body(limit: int, content_type: str) -> bytes:
    """The current request's body.

    Args:
        limit: bytes it may have.
        content_type: the only media type accepted; parameters (``charset``) are ignored.

    Raises:
        Problem: 413 or 415. A refused body is read and dropped first (as far as is reasonable):
            a client that is still sending would otherwise see a broken connection, not the answer.
    """
    environ = request.environ
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    # Where the server ends the stream at the body's end, a chunked body (no length) works too.
    ends = environ.get("wsgi.input_terminated")
    expected = int(length) if length else (limit + 1 if ends else 0)
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type == content_type and expected <= limit + (not length):
        data = stream.read(expected)
        if len(data) <= limit:
            return data
    if ends or length:
        stream.read(min(int(length or DRAINED), DRAINED))
    if media_type != content_type:
        raise Problem(
            415,
            f"Send the body as {content_type} and say so in the header Content-Type.",
            [Fault("", "wrong content type", describe(media_type), content_type)],
        )
    raise Problem(
        413,
        f"The body is too large: at most {limit} bytes.",
        [Fault("", "body too large", f"{length or f'more than {limit}'} bytes", f"{limit} bytes")],
    )
