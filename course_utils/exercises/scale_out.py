"""Exercises of notebook 13."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise


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


def batch_sizes(arrivals: list[float], seconds: float, most: int) -> list[int]:
    """The sizes of the batches, where each is what came while the last one ran."""
    sizes: list[int] = []
    free, taken = 0.0, 0
    while taken < len(arrivals):
        begin = max(free, arrivals[taken])
        waiting = sum(arrival <= begin for arrival in arrivals[taken:])
        sizes.append(min(waiting, most))
        taken += sizes[-1]
        free = begin + seconds
    return sizes


def _test_batching(answer: Callable[[list[float], float, int], Any]) -> None:
    got = answer([0, 10, 20], 0.5, 8)
    assert got == [1, 1, 1], "photos that come one by one are never held back: three batches of 1."
    got = answer([0, 0.1, 0.2, 0.3], 0.5, 8)
    assert got == [1, 3], f"the first goes alone, three come while it runs: [1, 3], not {got}."
    assert answer([0] * 20, 0.5, 8) == [8, 8, 4], "of 20 at once, no batch may take more than 8."
    got = answer([0, 0.25, 0.5, 1.25], 0.5, 8)
    assert got == [1, 2, 1], (
        "a photo that comes just as the network is free is taken along, and the next batch waits "
        f"for nobody: [1, 2, 1], not {got}."
    )


batching = Exercise(
    test=_test_batching,
    solve=batch_sizes,
    hints=(
        "Keep two numbers: when the network is free again, and how many photos it has taken.",
        "The next batch begins at max(free, arrivals[taken]); count who has come by then.",
    ),
)
