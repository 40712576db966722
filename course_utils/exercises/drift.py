"""Exercises of notebook 07."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise


def ks_distance(old: Any, new: Any) -> float:
    """The largest gap between two empirical distribution functions."""
    import numpy as np

    values = np.union1d(old, new)
    below = [
        np.searchsorted(np.sort(side), values, side="right") / len(side) for side in (old, new)
    ]
    return float(np.abs(below[0] - below[1]).max())


def _test_distance(answer: Callable[[Any, Any], float]) -> None:
    import numpy as np
    from scipy import stats

    got = answer([1, 2, 3], [1, 2, 3])
    assert got is not None, "your function returns nothing."
    assert abs(got) < 1e-9, f"of two equal samples the gap is 0, not {got:g}."
    assert abs(answer([1, 2], [3, 4]) - 1) < 1e-9, "where all old values are smaller, it is 1."
    assert abs(answer([1, 2], [1, 1]) - 0.5) < 1e-9, (
        "of [1, 2] half lie at or below 1, of [1, 1] all: the gap is 0.5. Count equal values."
    )
    random = np.random.default_rng(0)
    old, new = random.normal(size=80), random.normal(0.5, 1, 60)
    truth = stats.ks_2samp(old, new).statistic
    assert abs(answer(old, new) - truth) < 1e-9, (
        "samples of different sizes: divide each by its own."
    )


distance = Exercise(
    test=_test_distance,
    solve=ks_distance,
    hints=(
        "The gap can be largest only at a value that occurs: np.union1d(old, new) has them all.",
        "np.searchsorted(np.sort(old), values, side='right') counts how many are at or below.",
    ),
)


def false_alarm(tests: int, alpha: float) -> float:
    """The chance of at least one false alarm in independent tests."""
    return 1 - (1 - alpha) ** tests


def _test_alarm(answer: Callable[[int, float], float]) -> None:
    got = answer(1, 0.05)
    assert got is not None, "your function returns nothing."
    assert abs(got - 0.05) < 1e-9, f"of a single test it is alpha itself, 0.05, not {got:g}."
    got = answer(2, 0.5)
    assert abs(got - 0.75) < 1e-9, (
        f"two tosses of a coin: heads at least once in 0.75, not {got:g}."
    )
    assert abs(answer(20, 0.05) - 0.6415140776) < 1e-6, "20 tests at 0.05: about 0.64."


alarm = Exercise(
    test=_test_alarm,
    solve=false_alarm,
    hints=(
        "Ask the other way round: how likely is it that no test raises an alarm?",
        "One test stays silent with 1 - alpha, all of them with that to the power of tests.",
    ),
)


def fill(train: Any, new: Any) -> Any:
    """Fill both tables with what the training rows say."""
    medians = train.median()
    return train.fillna(medians), new.fillna(medians)


def _test_filling(answer: Callable[[Any, Any], Any]) -> None:
    import pandas as pd

    train = pd.DataFrame({"a": [1.0, 2.0, None, 9.0], "b": [5.0, 5.0, 7.0, None]})
    new = pd.DataFrame({"a": [None, 30.0, 40.0], "b": [None, None, 6.0]})
    before = train.copy(), new.copy()
    got = answer(train, new)
    assert got is not None, "your function returns nothing; it should return both tables."
    filled, later = got
    assert not filled.isna().any(axis=None), "the training table still has missing values."
    assert not later.isna().any(axis=None), "the new table still has missing values."
    assert later["a"][0] != 35, "35 is the new table's own median: that is how drift is made."
    assert later["a"][0] == filled["a"][2], "the same gap should be filled with the same value."
    there = filled["a"][0], later["a"][1]
    assert there == (1, 30), "what was there should stay as it was."
    unchanged = train.equals(before[0]) and new.equals(before[1])
    assert unchanged, "the tables that were given should not be changed themselves."


filling = Exercise(
    test=_test_filling,
    solve=fill,
    hints=(
        "train.median() has a median for each column, and fillna takes it as it is.",
        "Use train.median() for both tables, never new.median().",
    ),
)
