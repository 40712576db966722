"""What the documents say. tests/faults/test_schemathesis.py checks that answers are like that."""

import pytest
from schemathesis import openapi

from course_utils.inference import FeatureSchema, shipped_model
from course_utils.services import SERVICES
from tests.support.serving import MODEL


@pytest.mark.parametrize("name", SERVICES)
def test_the_document_is_openapi(name: str) -> None:
    model = None if name == "hello" else shipped_model(name)
    document = SERVICES[name].create_app(model).test_client().get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    openapi.from_dict(document).validate()  # against the OpenAPI Initiative's own schema


def test_what_it_takes_is_what_the_model_takes() -> None:
    document = SERVICES["mpg"].create_app(MODEL).test_client().get("/openapi.json").json
    body = document["paths"]["/api/mpg"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema == FeatureSchema.load(MODEL.with_name("mpg.schema.json")).to_json_schema()
