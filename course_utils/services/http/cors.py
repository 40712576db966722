"""Which pages on another origin may read a service's answers (CORS; the Fetch standard, 3.2).

A browser sends a page's requests anywhere but shows the page only answers from its own origin
(scheme, host and port), unless the answer itself names the page's origin as welcome. For anything
but the plainest requests the browser asks first, with ``OPTIONS``: the preflight.
"""

import os
import re

from flask import Flask
from flask_cors import CORS

VARIABLE = "COURSE_ORIGINS"
#: Origins allowed by default: pages served by this machine, on any port.
LOOPBACK = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?\Z", re.IGNORECASE)
# Headers of an answer that a page on another origin may read, besides those of the standard.
READABLE_HEADERS = ["Retry-After", "X-Request-ID"]
PREFLIGHT_MAX_AGE_S = 600  # A browser reuses the answer to a preflight for this long.

_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?", re.IGNORECASE)


def allow(app: Flask) -> None:
    """Let pages on other origins call ``app`` and read its answers, refusals included.

    The environment variable COURSE_ORIGINS lists them: ``*`` for every page, else origins such as
    ``https://pets.example:8000``, with commas between. Where it is not set, these are the pages of
    this machine (localhost, 127.0.0.1, [::1]) on any port. Cookies and passwords stay out of it:
    the services know neither.

    Raises:
        ValueError: one of them is no origin.
    """
    CORS(
        app,
        origins=_read_origins(),
        methods=["GET", "HEAD", "POST"],
        expose_headers=READABLE_HEADERS,
        max_age=PREFLIGHT_MAX_AGE_S,
        send_wildcard=True,
    )


def _read_origins() -> "str | list[re.Pattern[str]]":
    value = os.environ.get(VARIABLE, "").strip()
    if not value:
        return [LOOPBACK]
    if value == "*":
        return value
    names = [name.strip().removesuffix("/") for name in value.split(",")]
    for name in names:
        if not _ORIGIN.fullmatch(name):
            raise ValueError(
                f"{name!r} is not an origin. Write scheme, host and, if it is not the usual one, "
                "port, without a path, such as https://pets.example:8000; several with commas "
                f"between, or * alone for every page ({VARIABLE})."
            )
    # Compiled, so that no text is taken for a pattern, and to the end, since it is only matched.
    return [re.compile(re.escape(name) + r"\Z", re.IGNORECASE) for name in names]
