"""Exercises of notebook 10."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, serving


def cat_or_dog(url: str, path: Any) -> str:
    """What the back end at ``url`` takes the photo in a file for."""
    import base64

    import requests

    photo = base64.b64encode(path.read_bytes()).decode()
    answer = requests.post(url, json={"image": photo}, timeout=10)
    shares = answer.json()["prediction"]
    return max(shares, key=shares.get)


def _test_ask(answer: Callable[[str, Any], str]) -> None:
    from course_utils.environment import data_folder
    from course_utils.inference import shipped_model
    from course_utils.services import pets

    with serving(pets.create_app(shipped_model("pets"))) as url:
        for name, wanted in (("cat.png", "cat"), ("dog.jpg", "dog")):
            got = answer(f"{url}/", data_folder() / "photos" / name)
            assert got is not None, "your function returns nothing; it should return a name."
            assert got == wanted, f"for {name} the service says {wanted}; you returned {got!r}."


ask = Exercise(
    test=_test_ask,
    solve=cat_or_dog,
    hints=(
        "base64.b64encode(path.read_bytes()).decode() is the photo as a text; post it with "
        "json={'image': ...}.",
        "answer.json()['prediction'] is a dict of two probabilities; max(shares, key=shares.get) "
        "is the name of the larger one.",
    ),
)


def counts(truth: Any, answers: Any) -> Any:
    """How often class i was taken for class j: row i, column j."""
    import numpy as np

    table = np.zeros((2, 2), int)
    for true, said in zip(truth, answers, strict=True):
        table[true, said] += 1
    return table


def _test_confusion(answer: Callable[[Any, Any], Any]) -> None:
    import numpy as np

    truth, answers = np.array([0, 0, 0, 1, 1, 0]), np.array([0, 1, 1, 1, 0, 0])
    table = answer(truth, answers)
    assert table is not None, "your function returns nothing; it should return a table."
    assert np.shape(table) == (2, 2), f"the table should be 2 x 2, not {np.shape(table)}."
    wanted = [[2, 2], [1, 1]]
    assert np.sum(table) == 6, "six pictures are to be counted, each once."
    turned = np.asarray(table).T.tolist() == wanted
    assert not turned, "rows and columns have changed places: a row is what it truly is."
    assert np.asarray(table).tolist() == wanted, f"expected {wanted}, got {table!r}."


confusion = Exercise(
    test=_test_confusion,
    solve=counts,
    hints=(
        "Start with np.zeros((2, 2), int) and go through both at once with zip.",
        "table[true, said] += 1",
    ),
)


def cat_dog_or_none(shares: dict[str, float], least: float) -> str | None:
    """The likelier of the two, if it is likely enough."""
    name = max(shares, key=lambda name: shares[name])
    return name if shares[name] >= least else None


def _test_doubt(answer: Callable[[dict[str, float], float], str | None]) -> None:
    for cat, least, wanted in ((0.9, 0.8, "cat"), (0.1, 0.8, "dog"), (0.6, 0.8, None)):
        shares = {"cat": cat, "dog": round(1 - cat, 1)}
        got = answer(shares, least)
        assert got == wanted, (
            f"for {shares} and at least {least} your function should return {wanted!r}, not "
            f"{got!r}."
        )


doubt = Exercise(
    test=_test_doubt,
    solve=cat_dog_or_none,
    hints=(
        "First find the name with the larger share, then look at the share.",
        "name = max(shares, key=shares.get); then `return name if ... else None`.",
    ),
)
