"""Exercises of notebook 06."""

import io
from typing import Any

from course_utils.exercises import Exercise, open_client, serving


def sort_links(html: str) -> tuple[list[str], list[str]]:
    """Addresses that a path prefix breaks, and addresses that the policy blocks."""
    import re

    links = re.findall(r'src="([^"]*)"', html)
    blocked = [link for link in links if link.startswith(("//", "http://", "https://"))]
    breaks = [link for link in links if link.startswith("/") and link not in blocked]
    return breaks, blocked


def _test_links(answer: Any) -> None:
    breaks, blocked = ["/b.js", "/img/c.png"], ["//cdn.example/d.js", "https://cdn.example/e.js"]
    found = ["a.js", *breaks, "./img/f.png", *blocked]
    got = answer("".join(f'<script src="{link}"></script>' for link in found))
    assert got == (breaks, blocked), f"of {found} it should return {(breaks, blocked)}, not {got}."


links = Exercise(
    _test_links, sort_links, ("re.findall finds the addresses.", "First sort out the full ones.")
)


def build_app(page: str, classify: Any) -> Any:
    """A page and its API, whose errors are all JSON."""
    from flask import Flask, request

    app = Flask("exercise")
    app.add_url_rule("/", view_func=lambda: page)

    @app.post("/name")
    def name() -> Any:
        if "photo" not in request.files:
            return {"error": "Send a file in the field photo."}, 400
        try:
            return {"name": classify(request.files["photo"].read())}
        except Exception:
            return {"error": "The photo could not be classified."}, 500

    return app


def _test_build(answer: Any) -> None:
    client = open_client(answer("<h1>Page</h1>", lambda photo: {b"cat": "a cat"}[photo]))
    assert client.get("/").text == "<h1>Page</h1>", "GET / should return the page as it is."
    for field, photo, status in (("photo", "cat", 200), ("image", "cat", 400), ("photo", "x", 500)):
        reply = client.post("/name", data={field: (io.BytesIO(photo.encode()), "a.png")})
        got = reply.status_code, sorted(reply.get_json(silent=True) or {})
        wanted = status, ["name" if status == 200 else "error"]
        assert got == wanted, f"{photo!r} in {field} should give {wanted}, not {got}."
        assert "b'x'" not in reply.text, "the answer contains the text of the exception."


build = Exercise(_test_build, build_app, ("Call classify in a try block, and catch Exception.",))


def ask_links(url: str) -> dict[str, int]:
    """The status of each address in the page at ``url``."""
    import re
    from urllib.parse import urljoin

    import requests

    found = re.findall(r'src="([^"]*)"', requests.get(url, timeout=30).text)
    return {link: requests.get(urljoin(url, link), timeout=30).status_code for link in found}


def _test_own(answer: Any) -> None:
    from flask import Flask

    app = Flask("own")
    app.add_url_rule("/ada/", view_func=lambda: '<img src="a.png"><img src="/a.png">')
    app.add_url_rule("/ada/a.png", "picture", lambda: "a picture")
    with serving(app) as url:
        got = answer(f"{url}/ada/")
    wanted = {"a.png": 200, "/a.png": 404}
    assert got == wanted, f"for a page at /ada/ with a.png beside it {wanted} is right, not {got}."


own_page = Exercise(_test_own, ask_links, ("urljoin(url, link) completes it; requests gets it.",))
