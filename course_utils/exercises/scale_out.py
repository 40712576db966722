"""Exercises of notebook 13."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise

Moments = tuple[int, float, float]


def ask_anyone(ask: Any, addresses: list[str]) -> Any:
    """The answer of the first address at which somebody answers."""
    for address in addresses:
        try:
            return ask(address)
        except ConnectionError:
            continue
    raise ConnectionError("nobody answers")


def _test_second_address(answer: Callable[[Any, list[str]], Any]) -> None:
    asked: list[str] = []

    def ask(address: str) -> str:
        asked.append(address)
        if address.startswith("dead"):
            raise ConnectionError(address)
        if address.startswith("wrong"):
            raise ValueError(address)
        return f"answer of {address}"

    got = answer(ask, ["alive", "other"])
    assert got is not None, "your function returns nothing."
    assert (got, asked) == ("answer of alive", ["alive"]), "the first answers: ask it alone."
    asked.clear()
    got = answer(ask, ["dead 1", "dead 2", "alive"])
    assert got == "answer of alive", "two are dead; the third should have been asked."
    assert asked == ["dead 1", "dead 2", "alive"], "ask each address once, in order."
    try:
        answer(ask, ["wrong", "alive"])
    except ValueError:
        pass
    else:
        raise AssertionError("only a ConnectionError means that nobody is there; let others pass.")
    try:
        answer(ask, ["dead 1", "dead 2"])
    except ConnectionError:
        return
    raise AssertionError("where nobody answers, raise a ConnectionError.")


second_address = Exercise(
    test=_test_second_address,
    solve=ask_anyone,
    hints=(
        "Go through the addresses with a for loop; return as soon as one answers.",
        "try: return ask(address); except ConnectionError: go on. Raise after the loop.",
    ),
)


def weakest(parts: dict[str, tuple[int, float]]) -> tuple[str, float]:
    """The part that runs out first, and requests a second of the whole."""
    most = {name: number / seconds for name, (number, seconds) in parts.items()}
    name = min(most, key=lambda part: most[part])
    return name, most[name]


def _test_bottleneck(answer: Callable[[dict[str, tuple[int, float]]], Any]) -> None:
    got = answer({"proxy": (1, 0.002), "network": (8, 0.02)})
    assert got is not None, "your function returns nothing."
    name, most = got
    assert name == "network", "one proxy can do 500 a second, eight networks 400: the networks."
    assert abs(most - 400) < 1e-6, f"eight networks of 0.02 s answer 400 a second, not {most:g}."
    name, most = answer({"proxy": (1, 0.002), "network": (80, 0.02)})
    assert (name, round(most)) == ("proxy", 500), "eighty networks: now it is the proxy, with 500."
    name, most = answer({"app": (2, 0.008), "disk": (3, 0.016), "network": (8, 0.02)})
    assert name == "disk", "any parts may be given, not only a proxy and networks; here: the disks."
    assert abs(most - 187.5) < 1e-6, f"three disks of 0.016 s answer 187.5 a second, not {most:g}."


bottleneck = Exercise(
    test=_test_bottleneck,
    solve=weakest,
    hints=(
        "One that is busy for s seconds a request answers 1 / s a second; n of them n / s.",
        "min(most, key=most.get) is the name of the smallest value in a dict.",
    ),
)


def merge(one: Any, other: Any) -> tuple[int, float, float]:
    """Number, mean and squared distances of two parts together."""
    n = one[0] + other[0]
    away = other[1] - one[1]
    mean = one[1] + away * other[0] / n
    return n, mean, one[2] + other[2] + away**2 * one[0] * other[0] / n


def _test_merging(answer: Callable[[Moments, Moments], Any]) -> None:
    import numpy as np

    def moments(values: Any) -> Moments:
        return len(values), float(values.mean()), float(((values - values.mean()) ** 2).sum())

    got = answer((1, 2.0, 0.0), (1, 4.0, 0.0))
    assert got is not None, "your function returns nothing."
    assert got[:2] == (2, 3.0), "of 2 and 4, the number is 2 and the mean 3."
    assert abs(got[2] - 2) < 1e-9, "2 and 4 are 1 away from their mean each: the squares are 2."
    values = np.random.default_rng(0).normal(1e6, 1, 1_000)
    got, all_of_them = answer(moments(values[:300]), moments(values[300:])), moments(values)
    assert got[0] == 1_000, "the numbers of values add up."
    assert abs(got[1] - all_of_them[1]) < 1e-6, (
        "parts of different sizes: the larger one counts more in the mean."
    )
    assert abs(got[2] / all_of_them[2] - 1) < 1e-6, (
        "the squares are not exact; do not go by way of the sum of the squared values, which loses "
        "its digits where the mean is large."
    )


merging = Exercise(
    test=_test_merging,
    solve=merge,
    hints=(
        "The mean lies between the two, nearer to that of the larger part.",
        "To the squares of both comes the squared distance of the means times n * m / (n + m).",
    ),
)
