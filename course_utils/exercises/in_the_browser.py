"""Exercises of notebook 12."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.exercises import Exercise, make_folder

ATTRIBUTES = ("type", "id", "min", "max", "value")


def measure_download(folder: Path, megabits: float) -> tuple[int, float]:
    """The compressed bytes of a page's folder, and the seconds until they are there."""
    import gzip

    size = sum(len(gzip.compress(p.read_bytes())) for p in folder.rglob("*") if p.is_file())
    return size, 8 * size / (megabits * 1e6)


def _test_download(answer: Callable[[Path, float], Any]) -> None:
    files = {"page.js": b"let a = 1;" * 5000, "shared/look.css": bytes(90_000)}
    files["model.tflite"] = np.random.default_rng(12).bytes(60_000)
    with make_folder(files) as folder:
        wanted = measure_download(folder, 16)[0]
        for megabits in (16, 2):
            size, seconds = answer(folder, megabits)
            assert abs(size - wanted) < 500, f"gzip makes it some {wanted} bytes, not {size}."
            assert abs(seconds - size / megabits / 125_000) < 1e-6, f"{seconds:.3f} s is not right."


download = Exercise(
    test=_test_download,
    solve=measure_download,
    hints=("gzip.compress(path.read_bytes()) is compressed.", "A byte has 8 bits."),
)


class _Sliders(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "input":
            self.found.append(tuple(str(dict(attrs).get(name)) for name in ATTRIBUTES))
        assert tag in ("input", "label"), f"your page has an element {tag!r}; escape the names."


def build_sliders(fields: list[dict[str, Any]]) -> str:
    """A slider with its name for each feature."""
    from html import escape

    html = ""
    for field in fields:
        name, low, high = escape(field["name"]), field["minimum"], field["maximum"]
        numbers = f'min="{low}" max="{high}" value="{(low + high) / 2}"'
        html += f'<label>{name} <input type="range" id="{name}" {numbers}></label>'
    return html


def _test_sliders(answer: Callable[[list[dict[str, Any]]], Any]) -> None:
    names, parser = ("weight", 'size "S"', "<b>age</b>"), _Sliders()
    fields = [{"name": name, "minimum": 2, "maximum": 10 + 2 * i} for i, name in enumerate(names)]
    parser.feed(answer(fields))
    got = [(*each[:4], f"{float(each[4]):g}") for each in parser.found]
    wanted = [("range", n, "2", str(10 + 2 * i), str(6 + i)) for i, n in enumerate(names)]
    assert got == wanted, f"expected inputs with {ATTRIBUTES} {wanted}, not {got}."


sliders = Exercise(
    test=_test_sliders,
    solve=build_sliders,
    hints=("html.escape(name) makes a name harmless.", "The middle is (minimum + maximum) / 2."),
)


def convert_own(model: Any, rows: Any) -> tuple[bytes, float]:
    """A file for the page, and its largest difference from Keras."""
    import tempfile

    import numpy as np
    import tensorflow as tf

    from course_utils.inference import Predictor

    signature = [tf.TensorSpec((1, *model.input_shape[1:]))]
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, input_signature=signature, verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    difference = np.abs(Predictor(content).predict(rows) - np.asarray(model(rows)))
    return content, difference.max()


def _test_own(answer: Callable[[Any, Any], Any]) -> None:
    import keras
    from ai_edge_litert.interpreter import Interpreter

    rows = np.random.default_rng(12).normal(size=(5, 300)).astype("float32")
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(20, "gelu")])
    with quiet_native_stderr():
        content, difference = answer(model, rows)
        shape = Interpreter(model_content=bytes(content)).get_input_details()[0]["shape_signature"]
    assert list(shape) == [1, 300], f"the file takes {list(shape)}; it should be [1, 300]."
    assert 0 < difference < 1e-3, f"it is small, but not 0; yours is {difference:.2g}."


own = Exercise(
    test=_test_own,
    solve=convert_own,
    hints=("to_tflite(model, batch=1) makes it.", "The course's Predictor(content) runs it."),
)
