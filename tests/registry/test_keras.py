"""What Keras saved is registered with its architecture, and its promises are checked."""

import hashlib
import json
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from course_utils import registry
from course_utils.inference import to_litert
from tests.support.record_checks import valid
from tests.support.records import register

# Keras', as it saves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ROWS = pd.DataFrame(
    np.random.default_rng(0).normal(size=(60, 3)).astype("float32"), columns=["a", "b", "y"]
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A small network, saved in every way that can be registered."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.125), "mean_squared_error")
    model.fit(ROWS[["a", "b"]], ROWS["y"], verbose=0)
    folder = tmp_path_factory.mktemp("models")
    model.save(folder / "small.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 old
        model.save(folder / "small.h5")
    model.save_weights(folder / "small.weights.h5")
    return model, folder


@pytest.mark.parametrize("name", ["small.keras", "small.h5"])
def test_a_model_of_keras_is_kept_with_its_architecture(
    saved: tuple[Any, Path], tmp_path: Path, name: str
):
    model, folder = saved
    record = register(tmp_path, files=[folder / name], training=ROWS, testing=None, target="y")
    document = record.document
    assert valid(document) == []
    found = document["configuration"]["keras"]
    assert found["source"] == name
    layers = found["architecture"]["config"]["layers"]
    units = [layer["config"].get("units") for layer in layers]
    assert units == [None, 4, 1]
    text = json.dumps(found["compiled"])
    assert "mean_squared_error" in text
    assert re.search('"learning_rate": 0.125', text)
    tensors = document["parameters"]["tensors"]
    assert document["parameters"]["count"] == model.count_params()
    kernel = model.layers[0].get_weights()[0]
    digests = [tensor["sha256"] for tensor in tensors]
    assert hashlib.sha256(kernel.tobytes()).hexdigest() in digests
    said = [row["prediction"] for row in document["golden"]["rows"]]
    asked = np.array([row["features"] for row in document["golden"]["rows"]])
    assert said == pytest.approx(model.predict(asked, verbose=0)[:, 0].tolist(), abs=1e-6)
    assert registry.verify(record).rows == 20


def test_a_companion_tells_the_architecture_of_what_is_served(
    saved: tuple[Any, Path], tmp_path: Path
):
    model, folder = saved
    (lite := tmp_path / "small.tflite").write_bytes(to_litert(model))
    files = [lite, folder / "small.keras", folder / "small.weights.h5"]
    document = register(
        tmp_path / "store", files=files, training=ROWS, testing=None, target="y"
    ).document
    assert document["model"]["file"] == "small.tflite"
    assert document["configuration"]["keras"]["source"] == "small.keras"
    assert document["parameters"]["source"] == "small.keras"


@pytest.mark.parametrize("name", ["small.keras", "small.h5", "small.weights.h5"])
def test_a_file_that_keras_did_not_save_is_refused(
    saved: tuple[Any, Path], tmp_path: Path, name: str
):
    (bad := tmp_path / name).write_bytes(b"something else")
    (lite := tmp_path / "small.tflite").write_bytes(to_litert(saved[0]))
    with pytest.raises(ValueError, match=f"{name} is not a"):
        register(tmp_path / "store", files=[lite, bad], training=ROWS, testing=None, target="y")
    assert registry.names(store=tmp_path / "store") == []


def test_an_archive_of_other_things_is_refused(saved: tuple[Any, Path], tmp_path: Path):
    (lite := tmp_path / "small.tflite").write_bytes(to_litert(saved[0]))
    with zipfile.ZipFile(bad := tmp_path / "other.keras", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"other\.keras is not a file that Keras saved"):
        register(tmp_path / "store", files=[lite, bad], training=ROWS, testing=None, target="y")


def test_a_model_that_answers_nothing_is_refused(saved: tuple[Any, Path], tmp_path: Path):
    import keras

    broken = keras.models.clone_model(saved[0])
    broken.set_weights([np.full_like(part, np.nan) for part in saved[0].get_weights()])
    (lite := tmp_path / "broken.tflite").write_bytes(to_litert(broken))
    with pytest.raises(ValueError, match="answer to some of the training data is not a number"):
        register(tmp_path / "store", files=[lite], training=ROWS, testing=None, target="y")
