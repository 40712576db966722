"""Exercises of notebook 01."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, open_client


def greeting_app() -> Any:
    """An app that greets whoever is named in the path."""
    from flask import Flask

    app = Flask("greeting")

    @app.get("/hello/<name>")
    def hello(name: str) -> str:
        return f"Hello {name}!"

    return app


def _test_greeting(answer: Callable[[], Any]) -> None:
    client = open_client(answer())
    for name in ("Ada", "Grace"):
        got = client.get(f"/hello/{name}")
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
    client = open_client(answer())
    _expect_json(client, "/add?a=2&b=40", {"sum": 42})
    for wrong in ("/add?a=2", "/add?a=2&b=two", "/add?a=2&b=nan", "/add?a=-inf&b=2"):
        status = client.get(wrong).status_code
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
    rows: dict[str, dict[str, Any]] = {"tea": {"price": 2.5}, "apple pie": {"price": 4, "left": 3}}
    client = open_client(answer(rows))
    _expect_json(client, "/rows", {"names": ["apple pie", "tea"]})
    for name, values in rows.items():
        _expect_json(client, f"/rows/{name}", values)
    got = client.get("/rows/coffee")
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


def _expect_json(client: Any, path: str, wanted: dict[str, Any]) -> None:
    got = client.get(path)
    assert got.status_code == 200, f"{path} answered {got.status_code}, not 200."
    content = got.get_json(force=True, silent=True)
    assert content == wanted, f"{path} answered {got.text.strip()}."
