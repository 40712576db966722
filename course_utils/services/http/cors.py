"""Which pages on another origin may read a service's answers (CORS; the Fetch standard, 3.2).

A browser sends a page's requests anywhere but shows the page only answers from its own origin
(scheme, host and port), unless the answer itself names the page's origin as welcome. For anything
but the plainest requests the browser asks first, with ``OPTIONS``: the preflight.
"""

import os
import re
from collections.abc import Iterable

from flask import Flask
from flask_cors import CORS

VARIABLE = "COURSE_ORIGINS"
#: pages that this machine serves itself, on any port
LOOPBACK = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?\Z", re.IGNORECASE)
READABLE = ["Retry-After", "X-Request-ID"]  # headers that a page may read besides the usual ones
PREFLIGHT_SECONDS = 600  # for which a browser need not ask again

_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?", re.IGNORECASE)


def allow(app: Flask, origins: str | Iterable[str] | None = None) -> None:
    """Let pages of these origins call ``app`` and read its answers, refusals included.

    Cookies and passwords stay out of it: the services know neither.

    Args:
        app: the service, with all of it or before; what is added later is covered, too.
        origins: ``"*"`` for every page, else origins such as ``https://pets.example:8000``, as
            a list or in one text with commas between. By default what the environment variable
            COURSE_ORIGINS says in this way; where it is not set, pages of this machine
            (localhost, 127.0.0.1, [::1]) on any port.

    Raises:
        ValueError: one of them is no origin.
    """
    if origins is None:
        origins = os.environ.get(VARIABLE, "").strip() or None
    allowed = [LOOPBACK] if origins is None else _patterns(origins)
    CORS(
        app,
        origins=allowed,
        methods=["GET", "HEAD", "POST"],
        expose_headers=READABLE,
        max_age=PREFLIGHT_SECONDS,
        send_wildcard=True,
    )


def _patterns(origins: str | Iterable[str]) -> "str | list[re.Pattern[str]]":
    names = origins.split(",") if isinstance(origins, str) else list(origins)
    names = [name.strip().removesuffix("/") for name in names]
    if names == ["*"]:
        return "*"
    for name in names:
        if not _ORIGIN.fullmatch(name):
            raise ValueError(
                f"{name!r} is not an origin. Write scheme, host and, if it is not the usual one, "
                "port, without a path, such as https://pets.example:8000; several with commas "
                f"between, or * alone for every page ({VARIABLE})."
            )
    # Compiled, so that no text is taken for a pattern, and to the end, since it is only matched.
    return [re.compile(re.escape(name) + r"\Z", re.IGNORECASE) for name in names]
