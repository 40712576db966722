"""A single-page app in front of a service: ``/`` and ``/assets/``."""

from collections.abc import Sequence
from pathlib import Path

from flask import Flask, Response, send_from_directory

from course_utils.services.http.errors import Problem

SHARED = ("base.css", "ask.js")  # assets that plain pages share, in this folder
# The page runs its own scripts and asks its own host, nothing else; pictures may also come from
# the visitor's own computer.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
NOT_BUILT = (
    "This service runs without its page, which was not built when the course was installed. "
    "Install the course again with a network (in a checkout `make demo` does), or use the API: "
    "see /docs."
)


def install(app: Flask, folder: Path, *, built: bool = True, services: Sequence[str] = ()) -> None:
    """Serve the app in ``folder``: ``index.html`` and ``assets/``.

    The page's links are relative, so it also works behind a proxy that adds a path prefix.
    Without the file, ``/`` says so.

    Args:
        app: the service.
        folder: of the page.
        built: a build has put a digest of its content into each asset's name, so that browsers
            may keep it for a year. A page that is not built may also use `SHARED`.
        services: origins of other services that the page may ask.
    """
    policy = f"{POLICY}; connect-src 'self' {' '.join(services)}" if services else POLICY

    @app.get("/")
    def page() -> Response:
        if not (folder / "index.html").is_file():
            raise Problem(404, NOT_BUILT)
        answer = send_from_directory(folder, "index.html", max_age=0)
        answer.headers["Content-Security-Policy"] = policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    @app.get("/assets/<path:name>")
    def asset(name: str) -> Response:
        if built:
            return send_from_directory(folder / "assets", name, max_age=31_536_000)
        place = Path(__file__).parent if name in SHARED else folder / "assets"
        return send_from_directory(place, name, max_age=0)
