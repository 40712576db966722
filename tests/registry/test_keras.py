"""What Keras saved can be registered, and what it did not save is refused."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from course_utils import registry
from course_utils.inference import to_litert
from tests.support.records import register

# Keras', as it saves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ROWS = pd.DataFrame(
    np.random.default_rng(0).normal(size=(60, 3)).astype("float32"), columns=["a", "b", "y"]
)
TOLD: dict[str, Any] = {"training": ROWS, "testing": None, "target": "y"}


@pytest.fixture(scope="module")
def network() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    random = np.random.default_rng(0)  # LiteRT leaves biases out that are zero
    model.set_weights([random.normal(size=part.shape) for part in model.get_weights()])
    return model


@pytest.mark.parametrize("name", ["small.keras", "small.h5"])
def test_a_model_of_keras_is_registered_as_it_is(network: Any, tmp_path: Path, name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 old
        network.save(tmp_path / name)
    version = register(tmp_path / "store", files=[tmp_path / name], **TOLD)
    assert version.model.read_bytes() == (tmp_path / name).read_bytes()
    assert version.document["parameters"] == {"count": network.count_params()}
    rows = version.document["golden"]["rows"]
    asked = np.array([row["features"] for row in rows])
    said = [row["prediction"] for row in rows]
    assert said == pytest.approx(network.predict(asked, verbose=0)[:, 0].tolist(), abs=1e-6)
    assert registry.verify(version).rows == 20


@pytest.mark.parametrize("name", ["small.keras", "small.h5", "small.tflite"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, name: str):
    (bad := tmp_path / name).write_bytes(b"something else")
    with pytest.raises(ValueError, match="not a"):
        register(tmp_path / "store", files=[bad], **TOLD)
    assert registry.list_models(store=tmp_path / "store") == []


def test_a_model_that_answers_nothing_is_refused(network: Any, tmp_path: Path):
    import keras

    broken = keras.models.clone_model(network)
    broken.set_weights([np.full_like(part, np.nan) for part in network.get_weights()])
    (lite := tmp_path / "broken.tflite").write_bytes(to_litert(broken))
    with pytest.raises(ValueError, match="answer to some of the training data is not a number"):
        register(tmp_path / "store", files=[lite], **TOLD)
