"""The smallest service: it says hello (section 13.1 of the chapter)."""

from flask import Flask

from course_utils.services.http import openapi
from course_utils.services.http.operations import operate
from course_utils.services.http.telemetry import ALONE, Host

HELLO = openapi.operation("Say hello", {"const": "Hello World!"}, ok_type="text/html")


def create_app(*, host: Host = ALONE) -> Flask:
    """The hello service: ``GET /`` answers ``Hello World!``."""
    app = Flask(__name__, static_folder=None)

    @app.get("/")
    def hello() -> str:
        return "Hello World!"

    operate(app, title="Hello", paths={"/": {"get": HELLO}}, check=lambda: None, host=host)
    return app
