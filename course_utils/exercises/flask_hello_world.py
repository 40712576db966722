"""Exercises of notebook 01."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from course_utils.exercises import Exercise, serving


def greeting_app() -> Any:
    """An app that greets whoever is named in the path."""
    from flask import Flask

    app = Flask("greeting")

    @app.get("/hello/<name>")
    def hello(name: str) -> str:
        return f"Hello {name}!"

    return app


def _test_greeting(answer: Callable[[], Any]) -> None:
    import requests

    with _served(answer()) as url:
        for name in ("Ada", "Grace"):
            got = requests.get(f"{url}/hello/{name}", timeout=5)
            assert got.status_code == 200, f"/hello/{name} answered {got.status_code}, not 200."
            assert got.text == f"Hello {name}!", f"/hello/{name} said {got.text!r}."


greeting = Exercise(
    test=_test_greeting,
    solve=greeting_app,
    hints=(
        "A part of a route in angle brackets, /hello/<name>, becomes an argument of the function.",
        "Build the app inside your function, add the route, and return the app.",
    ),
)


def adding_app() -> Any:
    """An app that adds two numbers and is strict about what a number is."""
    import math

    from flask import Flask, request

    app = Flask("adding")

    @app.get("/add")
    def add() -> tuple[dict[str, Any], int]:
        try:
            total = float(request.args["a"]) + float(request.args["b"])
        except (KeyError, ValueError):
            total = math.nan
        if not math.isfinite(total):
            return {"error": "send two numbers, for example /add?a=1&b=2"}, 400
        return {"sum": total}, 200

    return app


def _test_adding(answer: Callable[[], Any]) -> None:
    import requests

    with _served(answer()) as url:
        got = requests.get(f"{url}/add?a=2&b=40", timeout=5)
        assert got.status_code == 200, f"/add?a=2&b=40 answered {got.status_code}, not 200."
        assert got.json() == {"sum": 42}, f"/add?a=2&b=40 answered {got.text.strip()}."
        for wrong in ("/add?a=2", "/add?a=2&b=two", "/add?a=2&b=nan", "/add?a=-inf&b=2"):
            status = requests.get(url + wrong, timeout=5).status_code
            assert status == 400, f"{wrong} is the client's fault (400), not {status}."


adding = Exercise(
    test=_test_adding,
    solve=adding_app,
    hints=(
        "What follows the question mark is in request.args, as text.",
        "Flask turns a dictionary into JSON; `return {...}, 400` sets the status, too.",
        "request.args['b'] raises KeyError if b is missing, float('two') raises ValueError.",
        "float('nan') and float('inf') raise nothing; math.isfinite tells them from numbers.",
    ),
)


def lookup_app(rows: dict[str, dict[str, Any]]) -> Any:
    """An app that serves the rows of a table by their names."""
    from flask import Flask

    app = Flask("lookup")

    @app.get("/rows")
    def names() -> dict[str, Any]:
        return {"names": sorted(rows)}

    @app.get("/rows/<name>")
    def row(name: str) -> tuple[dict[str, Any], int]:
        if name not in rows:
            return {"error": f"no row is named {name!r}"}, 404
        return rows[name], 200

    return app


def _test_lookup(answer: Callable[[dict[str, dict[str, Any]]], Any]) -> None:
    import requests

    rows: dict[str, dict[str, Any]] = {"tea": {"price": 2.5}, "apple pie": {"price": 4, "left": 3}}
    with _served(answer(rows)) as url:
        got = requests.get(f"{url}/rows", timeout=5)
        assert got.status_code == 200, f"/rows answered {got.status_code}, not 200."
        assert got.json() == {"names": ["apple pie", "tea"]}, f"/rows answered {got.text.strip()}."
        for name, values in rows.items():
            got = requests.get(f"{url}/rows/{name}", timeout=5)
            assert got.status_code == 200, f"/rows/{name} answered {got.status_code}, not 200."
            assert got.json() == values, f"/rows/{name} answered {got.text.strip()}."
        got = requests.get(f"{url}/rows/coffee", timeout=5)
        assert got.status_code == 404, f"there is no row coffee (404), not {got.status_code}."
        kind = got.headers["Content-Type"]
        assert "json" in kind, f"the 404 of /rows/coffee should be JSON as well, not {kind}."


lookup = Exercise(
    test=_test_lookup,
    solve=lookup_app,
    hints=(
        "A function inside your function can use `rows`; sorted(rows) gives its keys in order.",
        "/rows/<name> hands the name to the function, a space in it already decoded.",
        "Flask's own 404 is HTML; `return {'error': ...}, 404` sends JSON with that status.",
    ),
)


def _served(app: Any) -> AbstractContextManager[str]:
    from flask import Flask

    assert isinstance(app, Flask), "your function should return a Flask app."
    app.logger.disabled = True  # an answer that raises is a 500; its traceback helps nobody here
    return serving(app)
