"""Exercises of notebook 12."""

import collections
import pickle
from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise


def named(content: bytes) -> set[str]:
    """What a pickle would fetch from modules, as a set of "module name", without loading it."""
    import pickletools

    found: set[str] = set()
    texts: list[str] = []
    for instruction, argument, _ in pickletools.genops(content):
        if instruction.name == "GLOBAL":
            found.add(str(argument))
        elif instruction.name == "STACK_GLOBAL":
            found.add(" ".join(texts[-2:]))
        elif isinstance(argument, str):
            texts.append(argument)
    return found


class _Deletes:
    """What a stranger could send; it is only ever written, never loaded."""

    def __reduce__(self) -> Any:
        import shutil

        return shutil.rmtree, ("a-folder-that-is-not-there",)


def _test_stranger(answer: Callable[[bytes], Any]) -> None:
    got = answer(pickle.dumps({"weights": [1.5, 2.0]}))
    assert got is not None, "your function should return a set."
    assert set(got) == set(), "a dictionary of numbers fetches nothing; the set is empty."
    counts = pickle.dumps(collections.Counter("aab"), protocol=2)
    got = set(answer(counts))
    assert got == {"collections Counter"}, (
        f'the argument of GLOBAL is the name: "collections Counter" and nothing else, not {got}.'
    )
    got = set(answer(pickle.dumps([collections.OrderedDict(), _Deletes()], protocol=4)))
    assert "collections OrderedDict" in got, "for STACK_GLOBAL look at the texts before it."
    assert "shutil rmtree" in got, f"this pickle would delete a folder, and you found only {got}."
    others = got - {"collections OrderedDict", "shutil rmtree"}
    assert not others, f"{others} is not fetched: only STACK_GLOBAL takes the two texts before it."


stranger = Exercise(
    test=_test_stranger,
    solve=named,
    hints=(
        "pickletools.genops(content) gives each instruction with its argument and its place.",
        'An instruction has a .name; the argument of "GLOBAL" is the module and the name.',
        '"STACK_GLOBAL" takes the last two texts that came before it: the module and the name.',
    ),
)


def late(labels: Any, delay: Any, predict: Any, learn: Any) -> Any:
    """Test, then train, where each label comes ``delay`` rows late; the errors."""
    errors = []
    for row in range(len(labels)):
        if row >= delay:
            learn(row - delay)
        errors.append(predict(row) - labels[row])
    return errors


def _test_stream(answer: Callable[..., Any]) -> None:
    for delay in (1, 3, 10):
        asked: list[tuple[str, int]] = []
        got = answer(
            [10.0, 20.0, 30.0, 40.0, 50.0],
            delay,
            lambda row, asked=asked: asked.append(("predict", row)) or 12.0,
            lambda row, asked=asked: asked.append(("learn", row)),
        )
        assert got is not None, "your function should return the errors."
        predicted = [row for what, row in asked if what == "predict"]
        learned = [row for what, row in asked if what == "learn"]
        assert predicted == [0, 1, 2, 3, 4], f"predict each row once, in order; not {predicted}."
        assert list(got) == [2.0, -8.0, -18.0, -28.0, -38.0], "an error is prediction minus label."
        for row in learned:
            before = asked[: asked.index(("learn", row))]
            there = ("predict", row + delay - 1) in before
            assert there, f"delay {delay}: row {row} was learned before its label was there."
            late = ("predict", row + delay) in before
            assert not late, f"delay {delay}: row {row + delay} could have known row {row} already."
        wanted = list(range(max(0, 5 - delay)))
        assert learned == wanted, f"delay {delay}: learn the rows {wanted}, not {learned}."


stream = Exercise(
    test=_test_stream,
    solve=late,
    hints=(
        "When row 7 is to be predicted and labels come 3 rows late, row 4 has just got its label.",
        "So learn(row - delay) comes before predict(row), from row `delay` on.",
    ),
)
