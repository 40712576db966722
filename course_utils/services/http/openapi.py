"""The OpenAPI document of a service and a docs page that needs no other host."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, send_from_directory
from werkzeug.http import HTTP_STATUS_CODES

from course_utils import __version__
from course_utils.environment import PACKAGE_FOLDER
from course_utils.inference import Fault, pointer
from course_utils.services.http.body import FORM
from course_utils.services.http.errors import CONTENT_TYPE, describe_problem

#: The document without the paths, with the form of every error (RFC 9457; see `errors`). Then the
#: statuses that any operation may answer with, and when, and those that one with a body adds.
COMMON = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))

DOCS_PAGE = Path(__file__).with_name("docs.html")
SHARED = PACKAGE_FOLDER / "webapp" / "src" / "shared"  # the look and the scripts of all pages
EXAMPLE_ID = "6f2c9f0e-3f0b-4c1c-9d62-0b6f3a9d4c55"  # of a request


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of an object with just these keys, all of them required."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


TEXT: dict[str, Any] = {"type": "string"}
PROBABILITY: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """The content of a request with JSON of this schema."""
    return {"application/json": {"schema": schema}}


def form_body(field: str) -> dict[str, Any]:
    """The content of a request with a form that holds one picture."""
    picture = TEXT | {"contentMediaType": "image/*"}
    return {FORM: {"schema": object_schema(**{field: picture})}}


def flag(name: str, description: str) -> dict[str, Any]:
    """The parameters of an operation with one switch in its query."""
    switch = {"in": "query", "schema": {"enum": ["0", "1"]}}
    return {"parameters": [switch | {"name": name, "description": description}]}


def operation(
    summary: str,
    ok: dict[str, Any],
    *,
    ok_type: str = "application/json",
    body: dict[str, Any] | None = None,
    others: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One OpenAPI operation.

    Args:
        summary: one line.
        ok: JSON Schema of the 200 answer.
        ok_type: its content type.
        body: the content of its request, by media type, if the operation takes one.
        others: further statuses with their meaning.
    """
    statuses = COMMON["any operation"] | (COMMON["operation with a body"] if body else {})
    statuses |= others or {}
    answers: dict[str, Any] = {"200": {"description": "OK", "content": {ok_type: {"schema": ok}}}}
    for status, description in statuses.items():
        name, named = HTTP_STATUS_CODES[int(status)], []
        if status == "400" and body:
            (field, *_) = next(iter(body.values()))["schema"]["properties"]
            named = [Fault(pointer(field), "missing", "nothing", f"the field {field}")]
        example = describe_problem(int(status), name, description, EXAMPLE_ID, named)
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        answers[status] = {"description": description, "content": {CONTENT_TYPE: problem}}
    document: dict[str, Any] = {"summary": summary, "responses": answers}
    if body:
        document["requestBody"] = {"required": True, "content": body}
    return document


#: The operation of a service's page.
PAGE = {"get": operation("The page", TEXT, ok_type="text/html")}


def install(app: Flask, title: str, groups: dict[str, dict[str, Any]]) -> None:
    """Serve ``/openapi.json``, Swagger UI at ``/docs``, and what all pages share.

    Links on the page are relative, so it also works behind a proxy that adds a path prefix.
    """
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the features in the model's order
    document = COMMON["document"] | {
        "info": {"title": title, "version": __version__},
        "paths": {
            path: {method: {"tags": [tag]} | described for method, described in methods.items()}
            for tag, paths in groups.items()
            for path, methods in paths.items()
        },
    }
    # Only the package's files are used: the spec finds them without importing it.
    spec = find_spec("flask_openapi3_swagger")
    assert spec is not None  # it is a dependency
    assets = Path(str(spec.origin)).parent / "templates" / "swagger"

    docs_page = DOCS_PAGE.read_text("utf-8").replace("{title}", title)
    app.add_url_rule("/openapi.json", "openapi", lambda: jsonify(document))
    app.add_url_rule("/docs", "docs", lambda: Response(docs_page, mimetype="text/html"))

    @app.get("/docs/<path:name>")
    def docs_asset(name: str) -> Response:
        return send_from_directory(assets, name, max_age=86_400)

    @app.get("/shared/<name>")
    def shared_asset(name: str) -> Response:
        return send_from_directory(SHARED, name, max_age=0)
