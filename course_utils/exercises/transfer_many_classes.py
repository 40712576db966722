"""Exercises of notebook 11."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise


def macro_accuracy(truth: Any, answer: Any) -> float:
    """The mean of the classes' recalls."""
    import numpy as np

    return float(np.mean([(answer[truth == c] == c).mean() for c in np.unique(truth)]))


def _test_macro(answer: Callable[[Any, Any], float]) -> None:
    import numpy as np

    truth, said = np.array([0] * 8 + [1] * 2), np.array([0] * 8 + [0, 1])
    got = answer(truth, said)
    assert got is not None, "your function returns nothing; it should return a number."
    assert abs(got - 0.9) > 1e-9, (
        "that is the accuracy, 9 of 10. Here class 0 has a recall of 1 and class 1 of 0.5."
    )
    assert abs(got - 0.75) < 1e-9, f"recalls of 1 and 0.5 have the mean 0.75, not {got:g}."
    got = answer(np.array([2, 2, 3, 3]), np.array([2, 7, 3, 3]))
    assert abs(got - 0.75) < 1e-9, (
        "an answer may be a class that does not occur: of truths 2, 2, 3, 3 and answers 2, 7, 3, 3 "
        f"the recalls are 0.5 and 1, the mean is 0.75, not {got:g}."
    )


score = Exercise(
    test=_test_macro,
    solve=macro_accuracy,
    hints=(
        "The recall of class c: (answer[truth == c] == c).mean().",
        "Take the mean of that over all c in np.unique(truth).",
    ),
)


def copies_needed(counts: dict[str, int]) -> dict[str, int]:
    """What each class lacks to be as many as the largest."""
    largest = max(counts.values())
    return {name: largest - count for name, count in counts.items()}


def _test_copies(answer: Callable[[dict[str, int]], dict[str, int]]) -> None:
    for counts, wanted in (
        ({"robin": 40, "wren": 11, "kite": 2}, {"robin": 0, "wren": 29, "kite": 38}),
        ({"owl": 3, "jay": 3}, {"owl": 0, "jay": 0}),
    ):
        got = answer(dict(counts))
        assert got == wanted, f"of {counts} each class needs {wanted}; you returned {got!r}."


lacking = Exercise(
    test=_test_copies,
    solve=copies_needed,
    hints=(
        "max(counts.values()) is the size of the largest class.",
        "{name: largest - count for name, count in counts.items()}",
    ),
)


def class_weights(counts: dict[int, int]) -> dict[int, float]:
    """The rarer, the heavier: the weights of scikit-learn's ``"balanced"``."""
    total = sum(counts.values())
    return {name: total / (len(counts) * count) for name, count in counts.items()}


def _test_weigh(answer: Callable[[dict[int, int]], dict[int, float]]) -> None:
    counts = {0: 60, 1: 30, 2: 10}
    got = answer(dict(counts))
    assert isinstance(got, dict), f"your function should return a dict, not {got!r}."
    assert set(got) == set(counts), "each class needs a weight, and nothing else."
    totals = [counts[name] * got[name] for name in counts]
    assert max(totals) - min(totals) < 1e-9, (
        f"number times weight should be the same for each class; yours gives {totals}."
    )
    assert abs(sum(totals) / 100 - 1) < 1e-9, (
        f"the average weight of the 100 pictures should be 1, not {sum(totals) / 100:g}."
    )


weigh = Exercise(
    test=_test_weigh,
    solve=class_weights,
    hints=(
        "A class of half as many pictures needs twice the weight: some number / count.",
        "That number is the pictures in total, divided by the number of classes.",
    ),
)
