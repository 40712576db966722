import uuid
from pathlib import Path

import pytest

from course_utils.inference import Predictor
from course_utils.services.mpg import create_app
from tests.support.cars import cars
from tests.support.serving import CAR, FEATURES, MODEL, Served, ask_mpg, serving


def test_the_answer_has_the_shape_that_the_chapters_clients_expect(mpg: Served) -> None:
    answer = ask_mpg(mpg.url)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert list(body) == ["id", "mpg", "errors"]
    assert str(uuid.UUID(body["id"])) == body["id"]
    assert body["errors"] == []


def test_the_service_says_what_the_network_says(mpg: Served) -> None:
    network = Predictor.load(MODEL)
    for car in cars(20, seed=13):
        expected = network.predict([[car[name] for name in FEATURES]])[0, 0]
        assert ask_mpg(mpg.url, car).json()["mpg"] == float(expected)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;"]
)
def test_parameters_of_the_content_type_do_not_matter(content_type: str) -> None:
    client = create_app(MODEL).test_client()
    body = b'{"cylinders": 1}'
    answer = client.post("/api/mpg", data=body, content_type=content_type)
    assert answer.status_code == 400  # read, and found wanting


def test_it_serves_the_model_it_is_given(tmp_path: Path) -> None:
    schema = MODEL.with_name("mpg.schema.json").read_text("utf-8")
    narrow = schema.replace('"maximum": 8\n', '"maximum": 6\n')
    assert narrow != schema
    (tmp_path / "own.tflite").write_bytes(MODEL.read_bytes())
    (tmp_path / "own.schema.json").write_text(narrow, "utf-8")
    with serving("mpg", model=tmp_path / "own.tflite") as served:
        assert "own.tflite" in served.said()
        assert "Recording" not in served.said()  # unless asked for
        assert ask_mpg(served.url, CAR | {"cylinders": 6}).status_code == 200
        fault = ask_mpg(served.url).json()["errors"][0]
    assert fault["pointer"] == "/cylinders"
    assert fault["allowed"] == "an integer from 3 to 6"
