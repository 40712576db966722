"""Exercises of notebook 03."""

import json
from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, serving


def predict_all(url: str, cars: list[dict[str, Any]]) -> list[float | None]:
    """Ask the MPG service at ``url`` about each car; None where it rejects the car."""
    import requests

    predictions = []
    with requests.Session() as session:
        for car in cars:
            response = session.post(f"{url}/api/mpg", json=car, timeout=5)
            predictions.append(response.json()["mpg"] if response.status_code == 200 else None)
    return predictions


def _test_predict_all(answer: Callable[[str, list[dict[str, Any]]], list[float | None]]) -> None:
    from course_utils.datasets import load_auto_mpg
    from course_utils.inference import Predictor, shipped_model
    from course_utils.services import mpg

    table = load_auto_mpg().dropna().drop(columns=["mpg", "name"]).head(5)
    wanted = [*Predictor.load(shipped_model("mpg")).predict(table)[:, 0]]
    cars = table.to_dict("records")
    cars[2:2] = [{**cars[0], "weight": 21300}]
    wanted[2:2] = [None]
    with serving(mpg.create_app(shipped_model("mpg"))) as url:
        got = answer(url, cars)
    assert len(got) == len(wanted), f"6 cars went in, {len(got)} predictions came out."
    assert got[2] is None, f"the third car weighs 21300 pounds; it should get None, not {got[2]}."
    for ours, theirs in zip(wanted, got, strict=True):
        if ours is not None:
            assert theirs is not None, f"you return None where the service predicts {ours:.2f}."
            close = abs(ours - theirs) < 1e-4
            assert close, f"the service predicts {ours:.2f} for a car, not {theirs:.2f}."


predict = Exercise(
    test=_test_predict_all,
    solve=predict_all,
    hints=(
        "requests.post(f'{url}/api/mpg', json=car, timeout=5) asks about one car.",
        "Check response.status_code first: 200 has a prediction in response.json()['mpg'], "
        "400 has none.",
    ),
)


def explain(response: Any) -> str:
    """One line about a response of `requests`, whatever it holds."""
    import requests

    try:
        content = response.json()
    except requests.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        return f"status {response.status_code}, not a JSON object"
    if response.status_code == 200 and "mpg" in content:
        return f"{content['mpg']:.1f} miles per gallon"
    faults = [f"{fault['pointer']} {fault['detail']}" for fault in content.get("errors", [])]
    return "; ".join([f"status {response.status_code}", *faults])


def _test_explain(answer: Callable[[Any], str]) -> None:
    import requests

    fault = {"pointer": "/year", "detail": "missing"}
    other = {"pointer": "/weight", "detail": "30 is too light"}
    cases = [
        (200, json.dumps({"mpg": 21.04}), ["21.0 miles per gallon"]),
        (400, json.dumps({"errors": [fault, other]}), ["400", "/year missing", "/weight 30 is"]),
        (500, json.dumps({"title": "Internal Server Error"}), ["500"]),
        (502, "<h1>Bad Gateway</h1>", ["502"]),
        (500, json.dumps(["no", "object"]), ["500"]),
    ]
    for status, body, parts in cases:
        given = requests.Response()
        given.status_code, given._content = status, body.encode()
        got = answer(given)
        for part in parts:
            assert part in got, f"for status {status} and {body}: {part!r} is not in {got!r}."


explained = Exercise(
    test=_test_explain,
    solve=explain,
    hints=(
        "response.json() raises requests.JSONDecodeError where the body is not JSON: catch it.",
        "A body can be JSON and still not an object: isinstance(content, dict).",
        "content.get('errors', []) is the list of faults, or an empty list where there is none.",
    ),
)


def count_responses(url: str, bodies: list[Any]) -> dict[int | str, int]:
    """Count the responses per status code, and under "no response" the requests without one."""
    import requests

    counts: dict[int | str, int] = {}
    for body in bodies:
        try:
            status: int | str = requests.post(url, json=body, timeout=5).status_code
        except requests.RequestException:
            status = "no response"
        counts[status] = counts.get(status, 0) + 1
    return counts


def _test_count(answer: Callable[[str, list[Any]], dict[int | str, int]]) -> None:
    from flask import Flask, request

    app = Flask("yours")

    @app.post("/predict")
    def predict() -> tuple[dict[str, Any], int]:
        return {}, request.get_json()["status"]

    bodies = [{"status": status} for status in (200, 400, 200, 503, 200)]
    with serving(app) as url:
        got = answer(f"{url}/predict", bodies)
    wanted: dict[int | str, int] = {200: 3, 400: 1, 503: 1}
    assert dict(got) == wanted, f"the service returned {wanted}; you counted {got}."
    try:
        got = answer(f"{url}/predict", bodies[:2])  # the service has stopped
    except Exception as error:
        raise AssertionError(
            f"where there is no service, your function raises {type(error).__name__}."
        ) from None
    assert got == {"no response": 2}, f"2 requests without a response; you counted {got}."


counted = Exercise(
    test=_test_count,
    solve=count_responses,
    hints=(
        "All errors of requests have one parent: except requests.RequestException.",
        "counts[status] = counts.get(status, 0) + 1 counts one more.",
    ),
)
