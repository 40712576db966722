"""Exercises of notebook 08."""

from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.exercises import Exercise


def scale_and_bias(low: float, high: float) -> tuple[float, float]:
    """What brings 0 to 255 to the range from low to high."""
    return (high - low) / 255, low


def _test_pixels(answer: Callable[[float, float], Any]) -> None:
    for low, high in ((-1, 1), (0, 1), (-2, 6)):
        scale, bias = answer(low, high)
        black, white = bias, 255 * scale + bias
        assert abs(black - low) < 1e-6, f"a pixel of 0 becomes {black:g}; it should be {low}."
        assert abs(white - high) < 1e-6, f"a pixel of 255 becomes {white:g}; it should be {high}."


pixels = Exercise(
    test=_test_pixels,
    solve=scale_and_bias,
    hints=("A pixel of 0 becomes the bias.", "From 0 to 255 the result rises by high - low."),
)


def quantize_weights(weights: Any, bits: int) -> tuple[Any, Any]:
    """Whole numbers, and a step for each column."""
    import numpy as np

    largest = np.abs(weights).max(axis=0)
    steps = np.where(largest > 0, largest, 1) / (2 ** (bits - 1) - 1)
    return np.round(weights / steps).astype(int), steps


def _test_quantize(answer: Callable[[Any, int], Any]) -> None:
    weights = np.random.default_rng(8).normal(size=(20, 4)) * [0.001, 1, 50, 0]
    for bits, most in ((8, 127), (4, 7)):
        whole, steps = map(np.asarray, answer(weights, bits))
        assert steps.shape == (4,), f"expected a step per column, (4,), not {steps.shape}."
        assert (abs(steps) > 0).all(), f"the steps are {steps}: mind the column of zeros."
        assert whole.dtype.kind == "i", f"expected whole numbers, not {whole.dtype}."
        largest = np.abs(whole).max(axis=0)
        assert (largest[:3] == most).all(), f"with {bits} bits: expected {most}, not {largest}."
        off = np.abs(whole * steps - weights)
        assert (off <= 0.501 * steps).all(), f"off by {off.max():.2g}: round to the nearest."


quantize = Exercise(
    test=_test_quantize,
    solve=quantize_weights,
    hints=("np.abs(weights).max(axis=0) has the largest.", "For zeros any step but 0 will do."),
)


def convert_own(model: Any, rows: Any) -> tuple[bytes, float]:
    """The model as a LiteRT file, and its largest difference from Keras."""
    import tempfile

    import numpy as np
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    interpreter, answers = Interpreter(model_content=content), []
    interpreter.allocate_tensors()
    for row in np.asarray(rows, np.float32):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return content, np.abs(np.stack(answers) - np.asarray(model(rows))).max()


def _test_own(answer: Callable[[Any, Any], Any]) -> None:
    import keras

    rows = np.random.default_rng(8).normal(size=(5, 300)).astype("float32")
    layer = keras.layers.Dense(64, "gelu")
    model = keras.Sequential([keras.Input((300,)), layer, keras.layers.Dense(20)])
    with quiet_native_stderr():
        content, difference = answer(model, rows)
    assert bytes(content[4:8]) == b"TFL3", "the first should be the content of a LiteRT file."
    assert 0 < difference < 1e-3, f"it is small, but not 0; yours is {difference:.2g}."


own = Exercise(
    test=_test_own,
    solve=convert_own,
    hints=(
        "model.export(folder, verbose=False), then tf.lite.TFLiteConverter.from_saved_model.",
        "Interpreter(model_content=content) runs it. Give it one row at a time: row[None].",
    ),
)
