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
    from flask import Flask, request

    app = Flask("adding")

    @app.get("/add")
    def add() -> tuple[dict[str, Any], int]:
        try:
            total = float(request.args["a"]) + float(request.args["b"])
        except (KeyError, ValueError):
            return {"error": "send two numbers, for example /add?a=1&b=2"}, 400
        return {"sum": total}, 200

    return app


def _test_adding(answer: Callable[[], Any]) -> None:
    import requests

    with _served(answer()) as url:
        got = requests.get(f"{url}/add?a=2&b=40", timeout=5)
        assert got.status_code == 200, f"/add?a=2&b=40 answered {got.status_code}, not 200."
        assert got.json() == {"sum": 42}, f"/add?a=2&b=40 answered {got.text.strip()}."
        for wrong in ("/add?a=2", "/add?a=2&b=two"):
            status = requests.get(url + wrong, timeout=5).status_code
            assert status == 400, f"{wrong} is the caller's mistake (400), not {status}."


adding = Exercise(
    test=_test_adding,
    solve=adding_app,
    hints=(
        "What follows the question mark is in request.args, as text.",
        "Flask turns a dictionary into JSON; `return {...}, 400` sets the status, too.",
        "request.args['b'] raises KeyError if b is missing, float('two') raises ValueError.",
    ),
)


def _served(app: Any) -> AbstractContextManager[str]:
    from flask import Flask

    assert isinstance(app, Flask), "your function should return a Flask app."
    app.logger.disabled = True  # an answer that raises is a 500; its traceback helps nobody here
    return serving(app)
