"""Exercises of notebook 03."""

import itertools
from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, serving


def predict_all(url: str, cars: list[dict[str, float]]) -> list[float]:
    """Ask the MPG service at ``url`` about each car."""
    import requests

    answers = [requests.post(f"{url}/api/mpg", json=car, timeout=5) for car in cars]
    return [answer.json()["mpg"] for answer in answers]


def _test_predict_all(answer: Callable[[str, list[dict[str, float]]], list[float]]) -> None:
    from course_utils.datasets import load_auto_mpg
    from course_utils.inference import Predictor, shipped_model
    from course_utils.services import mpg

    table = load_auto_mpg().dropna().drop(columns=["mpg", "name"]).head(5)
    wanted = Predictor.load(shipped_model("mpg")).predict(table)[:, 0]
    with serving(mpg.create_app(shipped_model("mpg"))) as url:
        got = answer(url, table.to_dict("records"))
    assert got is not None, "your function returns nothing; it should return a list of numbers."
    assert len(got) == len(wanted), f"5 cars went in, {len(got)} predictions came out."
    for ours, theirs in zip(wanted, got, strict=True):
        assert abs(ours - theirs) < 1e-4, (
            f"the service says {ours:.2f} for a car, not {theirs:.2f}."
        )


predict = Exercise(
    test=_test_predict_all,
    solve=predict_all,
    hints=(
        "requests.post(f'{url}/api/mpg', json=car, timeout=5).json()['mpg'] is one prediction.",
        "Do that for each car, in order, and collect the numbers in a list.",
    ),
)


def patient_post(url: str, car: dict[str, float]) -> float:
    """Ask for a prediction; where the service is overloaded, wait as it asks and try again."""
    import time

    import requests

    for _ in range(3):
        answer = requests.post(url, json=car, timeout=5)
        if answer.status_code != 503:
            break
        time.sleep(float(answer.headers["Retry-After"]))
    answer.raise_for_status()
    return answer.json()["mpg"]


def _test_patient(answer: Callable[[str, dict[str, float]], float]) -> None:
    from flask import Flask

    arrivals = []
    app = Flask("busy")

    @app.post("/api/mpg")
    def mpg() -> tuple[dict[str, Any], int, dict[str, str]]:
        import time

        arrivals.append(time.monotonic())
        if len(arrivals) < 3:
            return {"title": "busy"}, 503, {"Retry-After": "0.2"}
        return {"mpg": 21.0}, 200, {}

    with serving(app) as url:
        got = answer(f"{url}/api/mpg", {"weight": 3000})
    assert arrivals, "your function never asked the service."
    assert got == 21.0, f"on the third try the service answered 21.0; you returned {got!r}."
    waits = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    assert min(waits) >= 0.19, "wait as long as the header Retry-After says before each new try."


patient = Exercise(
    test=_test_patient,
    solve=patient_post,
    hints=(
        "An overloaded service answers with status 503 and says in answer.headers['Retry-After'] "
        "how many seconds to wait.",
        "for _ in range(3): ask; if the status is not 503, leave the loop; else time.sleep(...).",
    ),
)
