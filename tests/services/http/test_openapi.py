"""What the documents say. tests/faults/test_schemathesis.py checks that answers are like that."""

import re
from typing import Any

import jsonschema
import pytest
import requests
from schemathesis import openapi

from course_utils.inference import FeatureSchema, shipped_model
from course_utils.services import SERVICES
from tests.support.serving import CAR, MODEL, Served


@pytest.fixture(scope="session")
def document(mpg: Served) -> dict[str, Any]:
    return requests.get(f"{mpg.url}/openapi.json", timeout=60).json()


@pytest.mark.parametrize("name", SERVICES)
def test_the_document_is_openapi(name: str) -> None:
    model = None if name == "hello" else shipped_model(name)
    document = SERVICES[name].create_app(model).test_client().get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    openapi.from_dict(document).validate()  # against the OpenAPI Initiative's own schema


def test_what_it_takes_is_what_the_model_takes(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/mpg"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema == FeatureSchema.load(MODEL.with_name("mpg.schema.json")).to_json_schema()
    jsonschema.validate(CAR, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(CAR | {"year": 99}, schema)


def test_every_route_is_in_it_and_works(mpg: Served, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method in operations:
            body = CAR if method == "post" else None
            assert requests.request(method, mpg.url + path, json=body, timeout=60).ok, path


def test_the_docs_come_from_the_service_alone(mpg: Served) -> None:
    page = requests.get(f"{mpg.url}/docs", timeout=60)
    assert page.headers["Content-Type"].startswith("text/html")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 3
    assert not re.search(r"(?:https?:)?//\w", page.text), "an address on another host"
    for link in links:
        assert not link.startswith("/"), "it would miss a proxy's prefix"
        if not link.startswith("data:"):
            asset = requests.get(f"{mpg.url}/{link}", timeout=60)
            assert asset.ok, link
            assert len(asset.content) > 1000, link
