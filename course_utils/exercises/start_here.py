"""Exercises of notebook 00."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, serving

FEATURES = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin"]
# The third drives furthest, though another is lighter and another newer.
CARS: list[dict[str, Any]] = [
    dict(zip(FEATURES, values, strict=True))
    for values in (
        (4, 91.0, 53.0, 1795.0, 17.4, 76, 3),
        (4, 108.0, 75.0, 2350.0, 16.8, 81, 3),
        (4, 90.0, 48.0, 2085.0, 21.7, 80, 2),
        (8, 307.0, 130.0, 3504.0, 12.0, 70, 1),
    )
]
ON_THE_PAGE = CARS[1], CARS[3]


def find_best_car(url: str, cars: list[dict[str, Any]]) -> dict[str, Any]:
    """The car for which the service at ``url`` predicts most miles per gallon."""
    import requests

    predicted = []
    for car in cars:
        response = requests.post(f"{url}/api/mpg", json=car, timeout=10)
        predicted.append(response.json()["mpg"])
    return cars[predicted.index(max(predicted))]


def _test_find_best_car(answer: Callable[[str, list[dict[str, Any]]], dict[str, Any]]) -> None:
    with serving(_mpg_app()) as url:
        for cars in CARS, CARS[:2], CARS[:1]:
            got, wanted = answer(url, cars), find_best_car(url, cars)
            assert got in cars, "your function should return one of the cars of the list."
            assert got == wanted, (
                f"the service predicts {_ask(url, wanted)['mpg']:.1f} mpg for one of the cars; "
                f"your function returned one with {_ask(url, got)['mpg']:.1f} mpg."
            )


best = Exercise(
    test=_test_find_best_car,
    solve=find_best_car,
    hints=(
        "Ask about each car in a loop, as the function ask of this notebook does.",
        "Collect the predictions in a list p; p.index(max(p)) is the place of the largest.",
    ),
)


def is_ready(url: str) -> bool:
    """Whether the service at ``url`` can take requests."""
    import requests

    try:
        return requests.get(f"{url}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def _test_is_ready(answer: Callable[[str], bool]) -> None:
    from course_utils.services import hello

    with serving(hello.create_app()) as url:
        assert answer(url) is True, "the service was up and ready: it should return True."
    assert answer(url) is False, "no service listened any more: it should return False."


ready = Exercise(
    test=_test_is_ready,
    solve=is_ready,
    hints=(
        "Every service of the course responds to GET /readyz with status 200 when it can predict.",
        "Where no service listens, requests raises requests.ConnectionError: catch it.",
    ),
)


def describe_car() -> dict[str, Any]:
    """The features of a VW Golf GTI of 1976, in round figures."""
    return {
        "cylinders": 4,
        "displacement": 97.0,
        "horsepower": 108.0,
        "weight": 1790.0,
        "acceleration": 9.0,
        "year": 76,
        "origin": 2,
    }


def _test_describe_car(answer: Callable[[], dict[str, Any]]) -> None:
    car = answer()
    assert car not in ON_THE_PAGE, "that is a car of this notebook; describe another one."
    with serving(_mpg_app()) as url:
        errors = [f"{e['pointer']}: {e['detail']}" for e in _ask(url, car)["errors"]]
    assert not errors, f"the service rejects it ({'; '.join(errors)})."


own_car = Exercise(
    test=_test_describe_car,
    solve=describe_car,
    hints=(
        "1 kg is 2.2 pounds, 1 litre is 61 cubic inches, 1 kW is 1.34 horsepower. The seconds from "
        "0 to 100 km/h will do for the acceleration.",
        "The service takes the years 70 to 82. For a newer car write 82.",
    ),
)


def _mpg_app() -> Any:
    from course_utils.inference import shipped_model
    from course_utils.services import mpg

    return mpg.create_app(shipped_model("mpg"))


def _ask(url: str, car: dict[str, Any]) -> Any:
    import requests

    return requests.post(f"{url}/api/mpg", json=car, timeout=10).json()
