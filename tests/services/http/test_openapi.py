"""What the documents say. tests/faults/test_schemathesis.py checks that answers are like that."""

import uuid
from pathlib import Path

import jsonschema
import pytest
from schemathesis import openapi

from course_utils.datasets import load_auto_mpg
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
    about = [feature.pop("description") for feature in schema["properties"].values()]
    assert all(about)
    assert schema == FeatureSchema.load(MODEL.with_name("mpg.schema.json")).to_json_schema()


def test_the_example_is_a_real_car_with_its_real_answer() -> None:
    client = SERVICES["mpg"].create_app(MODEL).test_client()
    post = client.get("/openapi.json").json["paths"]["/api/mpg"]["post"]
    car = post["requestBody"]["content"]["application/json"]["example"]
    (row,) = (
        load_auto_mpg()
        .query("name == 'chevrolet chevelle malibu' and year == 70")[list(car)]
        .to_dict("records")
    )
    assert car == row
    told = post["responses"]["200"]["content"]["application/json"]["example"]
    answer = client.post("/api/mpg", json=car).json
    assert told == answer | {"id": told["id"]}
    uuid.UUID(told["id"])


def test_a_model_of_other_features_has_no_example_of_a_car(tmp_path: Path) -> None:
    schema = MODEL.with_name("mpg.schema.json").read_text("utf-8").replace('"origin"', '"doors"')
    (tmp_path / "own.tflite").write_bytes(MODEL.read_bytes())
    (tmp_path / "own.schema.json").write_text(schema, "utf-8")
    app = SERVICES["mpg"].create_app(tmp_path / "own.tflite")
    post = app.test_client().get("/openapi.json").json["paths"]["/api/mpg"]["post"]
    assert "description" not in post
    content = post["requestBody"]["content"]["application/json"]
    assert list(content) == ["schema"]
    assert "description" not in content["schema"]["properties"]["doors"]


@pytest.mark.parametrize("name", SERVICES)
def test_examples_of_errors_carry_their_own_status(name: str) -> None:
    model = None if name == "hello" else shipped_model(name)
    document = SERVICES[name].create_app(model).test_client().get("/openapi.json").json
    checker = jsonschema.Draft202012Validator(document["components"]["schemas"]["Problem"])
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["tags"] in (["Service"], ["Operation"])
            for status, answer in operation["responses"].items():
                if status != "200":
                    example = answer["content"]["application/problem+json"]["example"]
                    checker.validate(example)
                    assert example["status"] == int(status)
                    assert bool(example["errors"]) == (status == "400")
