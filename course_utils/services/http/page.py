"""A single-page app in front of a service: ``/`` and ``/assets/``."""

from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from course_utils.services.http.errors import Problem

# The page runs its own scripts and asks its own host, nothing else; pictures may also come from
# the visitor's own computer.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
MEDIA_TYPES = ("application/json", "text/html")  # who takes both alike gets the first
NOT_BUILT = (
    "This service runs without its page, which was not built when the course was installed. "
    "Install the course again with a network (in a checkout `make demo` does), or use the API: "
    "see /docs."
)


def install(
    app: Flask,
    folder: Path,
    *,
    services: Sequence[str] = (),
    otherwise: Callable[[], Exception] | None = None,
) -> None:
    """Serve the app in ``folder``: ``index.html`` and ``assets/``.

    The page's links are relative, so it also works behind a proxy that adds a path prefix.
    Without the file, ``/`` says so.

    Args:
        app: the service.
        folder: of the page. Where a build made it, ``dist``, a digest of its content stands in each
            asset's name, so that browsers may keep it for a year. Other pages use ``shared/`` (see
            `openapi`).
        services: origins of other services that the page may ask.
        otherwise: what is raised for a client that does not ask for HTML, as browsers do.
    """
    policy = f"{POLICY}; connect-src 'self' {' '.join(services)}" if services else POLICY

    @app.get("/")
    def page() -> Response:
        if otherwise and request.accept_mimetypes.best_match(MEDIA_TYPES) != "text/html":
            raise otherwise()
        if not (folder / "index.html").is_file():
            raise Problem(404, NOT_BUILT)
        answer = send_from_directory(folder, "index.html", max_age=0)
        answer.headers["Content-Security-Policy"] = policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.vary.add("Accept")
        return answer

    @app.get("/assets/<path:name>")
    def asset(name: str) -> Response:
        max_age = 31_536_000 if folder.name == "dist" else 0
        return send_from_directory(folder / "assets", name, max_age=max_age)
