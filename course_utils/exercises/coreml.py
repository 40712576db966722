"""Exercises of notebook 08."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise


def scale_and_bias(low: float, high: float) -> Any:
    """What brings 0 to 255 to the range from low to high."""
    return (high - low) / 255, low


def _test_pixels(answer: Callable[[float, float], Any]) -> None:
    for low, high in ((-1, 1), (0, 1), (-2, 6)):
        got = answer(low, high)
        assert got is not None, "your function returns nothing; it should return two numbers."
        scale, bias = got
        black, white = bias, 255 * scale + bias
        assert abs(black - low) < 1e-6, f"a pixel of 0 becomes {black:g}; it should be {low}."
        assert abs(white - high) < 1e-6, f"a pixel of 255 becomes {white:g}; it should be {high}."


pixels = Exercise(
    test=_test_pixels,
    solve=scale_and_bias,
    hints=(
        "What a pixel of 0 becomes is the bias alone.",
        "From 0 to 255 the result has to rise by high - low.",
    ),
)


def unique_names(names: Any) -> Any:
    """The names, each only once."""
    seen = set()
    unique = []
    for number, name in enumerate(names):
        unique.append(f"{name} ({number})" if name in seen else name)
        seen.add(name)
    return unique


def _test_labels(answer: Callable[[list[str]], list[str]]) -> None:
    got = answer(["crane", "cat", "crane", "cat", "dog"])
    assert got is not None, "your function returns nothing; it should return a list."
    assert len(got) == 5, f"five names went in, {len(got)} came out."
    assert len(set(got)) == 5, f"a name is still there twice: {got}."
    assert list(got[:2]) == ["crane", "cat"], "the first of each keeps its name."
    assert got[2] == "crane (2)", f"the second crane is 'crane (2)', not {got[2]!r}."
    assert got[4] == "dog", "a name that comes once keeps it."


labels = Exercise(
    test=_test_labels,
    solve=unique_names,
    hints=(
        "enumerate(names) gives each name with its number.",
        "Remember in a set which names you have seen.",
    ),
)


def nearest(weights: Any, values: Any) -> Any:
    """The index of the nearest value for each weight."""
    import numpy as np

    return np.abs(np.asarray(weights)[..., None] - np.asarray(values)).argmin(axis=-1)


def _test_palette(answer: Callable[[Any, Any], Any]) -> None:
    import numpy as np

    values = np.array([-1.0, 0.0, 0.5, 2.0])
    got = answer(np.array([-0.9, 0.1, 0.3, 9.0]), values)
    assert got is not None, "your function returns nothing."
    assert np.array_equal(got, [0, 1, 2, 3]), "of -0.9, 0.1, 0.3 and 9 the nearest are 0, 1, 2, 3."
    square = answer(np.array([[0.4, -3.0], [1.4, 0.0]]), values)
    assert np.shape(square) == (2, 2), "as many indices as weights, in the same shape."
    assert np.array_equal(square, [[2, 0], [3, 1]]), "the nearest by distance, above or below."


palette = Exercise(
    test=_test_palette,
    solve=nearest,
    hints=(
        "weights[..., None] - values has all distances at once.",
        "argmin(axis=-1) of their absolute values.",
    ),
)
