"""The directive ``openapi``: what a service takes and answers, from its own OpenAPI document."""

import json
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from course_utils.services import SERVICES, pets_front


class OpenAPI(SphinxDirective):
    """Show the operations of the named service that bear a tag, by default ``Service``."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, tag = [*self.arguments, "Service"][:2]
        text = "\n".join(describe_service(read_document(name), tag))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def read_document(name: str) -> dict[str, Any]:
    """The OpenAPI document of a service, as the service itself answers it."""
    if name == "pets_front":
        app = pets_front.create_app("http://127.0.0.1:5000")
    else:
        app = SERVICES[name].create_app()
    return json.loads(app.test_client().get("/openapi.json").text)


def describe_service(document: dict[str, Any], tag: str) -> Iterator[str]:
    """The operations with this tag as lines of Markdown."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if tag in operation["tags"]:
                yield from describe_operation(f"{method.upper()} {path}", operation)


def describe_operation(title: str, operation: dict[str, Any]) -> Iterator[str]:
    """An operation: what it takes, what it answers, and each status."""
    yield from (f"### `{title}`", "", finish(operation["summary"]), "")
    for parameter in operation.get("parameters", []):
        yield from (finish(f"Parameter `{parameter['name']}`: {parameter['description']}"), "")
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from describe_body(f"Request, `{media_type}`", content)
    responses = operation["responses"]
    for media_type, content in responses["200"].get("content", {}).items():
        yield from describe_body(f"Response 200, `{media_type}`", content)
    yield from ("| status | when |", "|---|---|")
    yield from (
        f"| {status} | {responses[status]['description']} |" for status in sorted(responses)
    )
    yield ""


def finish(sentence: str) -> str:
    """The sentence with a full stop, where it is no question."""
    return sentence if sentence.endswith("?") else f"{sentence}."


def describe_body(title: str, content: dict[str, Any]) -> Iterator[str]:
    """A body: its example where there is one, and its JSON Schema."""
    if "example" in content:
        yield from (f"{title}, for example:", "", *write_json(content["example"]))
    yield from (f"{title}, JSON Schema:", "", *write_json(content["schema"]))


def write_json(value: Any) -> tuple[str, ...]:
    """A value as a block of JSON."""
    return ("```json", json.dumps(value, indent=2, ensure_ascii=False), "```", "")


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.add_directive("openapi", OpenAPI)
    return {"parallel_read_safe": True, "version": "1"}
