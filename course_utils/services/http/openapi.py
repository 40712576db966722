"""The OpenAPI document of a service and a docs page that needs no other host."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, send_from_directory

from course_utils import __version__
from course_utils.services.http.errors import CONTENT_TYPE, PROBLEM_SCHEMA

#: Statuses that any operation may answer with, and when.
ANY_OPERATION = {
    "404": "No such path",
    "405": "The path is right, the method is not",
    "500": "An error of ours",
}
#: Statuses that an operation with a body may answer with besides.
WITH_BODY = {
    "400": "The body is not what the operation takes; `errors` names every fault",
    "413": "The body is too large",
    "415": "The content type is not the one the operation takes",
    "503": "More requests than the service can serve; try again after `Retry-After` seconds",
}

DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/css/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/js/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{url: "openapi.json", dom_id: "#page", validatorUrl: null, deepLinking: true}});
</script>
</body>
</html>
"""


def problems(statuses: dict[str, str]) -> dict[str, Any]:
    """OpenAPI responses for problem+json answers."""
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": description, "content": content}
        for status, description in statuses.items()
    }


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
        body: the OpenAPI request body, if the operation takes one.
        others: further statuses with their meaning.
    """
    statuses = ANY_OPERATION | (WITH_BODY if body else {}) | (others or {})
    answers = {"200": {"description": "OK", "content": {ok_type: {"schema": ok}}}}
    document: dict[str, Any] = {"summary": summary, "responses": answers | problems(statuses)}
    if body:
        document["requestBody"] = body
    return document


def install(app: Flask, title: str, paths: dict[str, Any]) -> None:
    """Serve ``/openapi.json`` for ``paths`` and Swagger UI at ``/docs``.

    Links on the page are relative, so it also works behind a proxy that adds a path prefix.
    """
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the features in the model's order
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__},
        "servers": [{"url": ".", "description": "this service"}],
        "paths": paths,
        "components": {"schemas": {"Problem": PROBLEM_SCHEMA}},
    }
    # Only the package's files are used: the spec finds them without importing it.
    spec = find_spec("flask_openapi3_swagger")
    assert spec is not None  # it is a dependency
    assets = Path(str(spec.origin)).parent / "templates" / "swagger"

    def openapi_json() -> Response:
        return jsonify(document)

    def docs() -> Response:
        return Response(DOCS_PAGE.format(title=title), mimetype="text/html")

    def docs_asset(name: str) -> Response:
        return send_from_directory(assets, name, max_age=86_400)

    app.add_url_rule("/openapi.json", view_func=openapi_json)
    app.add_url_rule("/docs", view_func=docs)
    app.add_url_rule("/docs/<path:name>", view_func=docs_asset)
