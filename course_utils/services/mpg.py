"""The MPG service: seven facts about a car in, its fuel economy out (section 13.1).

``POST /api/mpg`` takes the features as one JSON object and answers
``{"id": uuid, "mpg": miles per gallon, "errors": []}``, the shape that the chapter's clients
expect. Whatever is wrong with a request comes back as problem+json, all faults at once.
"""

import functools
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import NotFound

from course_utils.inference import (
    FeatureSchema,
    InvalidExample,
    Predictor,
    Recorder,
    find_model,
    name_faulty_model,
    schema_path,
)
from course_utils.services.http import openapi, page
from course_utils.services.http.body import read_body
from course_utils.services.http.errors import Problem, get_request_id
from course_utils.services.http.gate import Gate
from course_utils.services.http.operations import operate
from course_utils.services.http.strict_json import parse_json
from course_utils.services.http.telemetry import ALONE, Host

TARGET = "mpg"  # what the schema has to name
MAX_MPG = 150  # no car with a combustion engine comes near
PAGE_FOLDER = Path(__file__).with_name("mpg_page")
MAX_BODY_BYTES = 64 * 1024  # a car takes about 120
ANSWER = openapi.object_schema(
    id=openapi.TEXT | {"description": "of the request, as in the log"},
    mpg={"type": "number", "description": "fuel economy, in miles per gallon"},
    errors={"type": "array", "maxItems": 0},
)
#: What the features mean, with their units, and an example, for models of these cars.
CARS = json.loads((PAGE_FOLDER / "cars.json").read_text("utf-8"))


def create_app(
    model: str | Path | None = None,
    *,
    predictor: Predictor | None = None,
    slots: int = 2,
    host: Host = ALONE,
    record: str | Path | None = None,
) -> Flask:
    """The MPG service.

    Args:
        model: a ``.keras``, ``.h5`` or ``.tflite`` file with its ``.schema.json`` beside it;
            by default what `inference.find_model` finds.
        predictor: used instead of loading ``model``; the schema is read all the same.
        slots: predictions at a time; more than the machine has cores only makes all of them wait.
        host: what the server around the app offers it.
        record: a folder in which to keep every accepted car with its time and prediction, for
            `inference.read_examples`; bounded, the oldest go first. Off by default: what people
            send is theirs, so tell them before you keep it.

    Raises:
        FileNotFoundError: no model or no schema beside it.
        ValueError: one of them cannot be read, they do not fit together, or predict something else.
    """
    path = Path(model) if model else find_model("mpg")
    with name_faulty_model(path):
        schema, network = load_network(path, predictor)
    gate = Gate(slots=slots)
    recorder = Recorder(record, schema.names, version=host.version) if record else None
    app = Flask(__name__, static_folder=None)

    @app.post("/api/mpg")
    def mpg() -> Response:
        row = list(read_example(schema).values())
        with gate:
            miles = predict_mpg(network, row)
        if recorder:
            recorder(row, miles)
        # Two values that need no escaping; a JSON encoder takes longer than the network.
        answer = f'{{"id": "{get_request_id()}", "mpg": {miles!r}, "errors": []}}'.encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
        # Passed on as it is: Werkzeug would count it again, and wrap it.
        return Response([answer], headers=headers, direct_passthrough=True)

    page.install(app, PAGE_FOLDER, otherwise=NotFound)
    paths = describe_paths(schema, None if predictor else network)
    check = functools.partial(predict_mpg, network, schema.make_example())
    operate(app, title="Miles per gallon", paths=paths, check=check, host=host)
    return app


def load_network(path: Path, predictor: Predictor | None) -> tuple[FeatureSchema, Predictor]:
    """The schema beside a model, and its network, tried on a car.

    Args:
        path: of the model.
        predictor: used instead of loading it, and not tried.

    Raises:
        FileNotFoundError: no model or no schema beside it.
        ValueError: one of them cannot be read, they do not fit together, or predict something else.
    """
    schema = FeatureSchema.load(schema_path(path))
    if schema.target != TARGET:
        raise ValueError(
            f"{schema_path(path).name} is of a model that predicts {schema.target!r}; this service "
            f"needs one that predicts {TARGET!r}. Choose another with --model."
        )
    if predictor:
        return schema, predictor
    network = Predictor.load(path)
    schema.check_network(network, path)
    miles = predict_mpg(network, schema.make_example())
    if not 0 <= miles <= MAX_MPG:
        raise ValueError(
            f"{path.stem} predicts {miles:.0f} mpg for a car in the middle of the schema's ranges; "
            f"0 to {MAX_MPG} are possible. Train it again, on these features."
        )
    return schema, network


def describe_paths(schema: FeatureSchema, network: Predictor | None) -> dict[str, Any]:
    """The OpenAPI paths, with a real car and what ``network`` answers to it."""
    features, car = schema.to_json_schema(), CARS["car"]
    for name in CARS["features"].keys() & features["properties"].keys():
        features["properties"][name]["description"] = CARS["features"][name]
    body = openapi.json_body(features)
    summary = "Predict a car's fuel economy in miles per gallon"
    post = openapi.operation(summary, ANSWER, body=body)
    with suppress(InvalidExample):  # of a model of other features, or of other ranges
        row = list(schema.validate(car).values())
        body["application/json"]["example"] = car
        meanings = [f"- `{name}`: {meaning}" for name, meaning in CARS["features"].items()]
        post["description"] = "\n".join([*meanings, "", CARS["about"]])
        if network:
            answer = {"id": openapi.EXAMPLE_ID, "mpg": predict_mpg(network, row), "errors": []}
            post["responses"]["200"]["content"]["application/json"]["example"] = answer
    return {"/api/mpg": {"post": post}, "/": openapi.PAGE}


def predict_mpg(network: Predictor, row: list[float]) -> float:
    """Miles per gallon of one car."""
    miles = float(network.predict([row])[0, 0])
    if not math.isfinite(miles):  # JSON has no NaN; a 500 tells what is wrong
        raise ValueError("its answer to a car within the schema is not a number. Train it again.")
    return miles


def read_example(schema: FeatureSchema) -> dict[str, float]:
    """The current request's body as an example of ``schema``.

    Raises:
        Problem: 400 with every fault, 413 or 415.
    """
    detail = "The body does not describe a valid car; see errors."
    _, body = read_body({"application/json": MAX_BODY_BYTES})
    value, faults = parse_json(body)
    try:
        example = schema.validate(value)
    except InvalidExample as error:
        raise Problem(400, detail, faults + error.faults) from None
    if faults:
        raise Problem(400, detail, faults)
    return example
