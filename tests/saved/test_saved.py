"""What an earlier version of the course has written can still be read, and gone on with."""

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from course_utils import registry
from course_utils.environment import quiet_native_stderr
from course_utils.export import coreml, litert, onnx
from course_utils.inference import FeatureSchema, Predictor, batch, load_labels, read_examples
from course_utils.training import new_run
from tests.support import training
from tests.support.savedmodels import load_savedmodel

HERE = Path(__file__).parent
MODELS = HERE / "models"
EXPECTED = json.loads((MODELS / "expected.json").read_text("utf-8"))
CARS = np.array(EXPECTED["rows"], np.float32)


def network() -> Any:
    with quiet_native_stderr():
        import keras

        return keras.models.load_model(MODELS / "mpg.keras")


@pytest.mark.parametrize("name", ["mpg.keras", "mpg.h5", "mpg.tflite"])
def test_a_model_answers_as_it_did(name: str) -> None:
    answers = Predictor.load(MODELS / name).predict(CARS)[:, 0]
    np.testing.assert_allclose(answers, EXPECTED["answers"], atol=1e-3)


def test_weights_alone_fit_the_network_they_came_from() -> None:
    model = network()
    for variable in model.variables:
        variable.assign(np.zeros_like(variable))
    model.load_weights(MODELS / "mpg.weights.h5")
    np.testing.assert_allclose(model(CARS)[:, 0], EXPECTED["answers"], atol=1e-3)


@pytest.mark.parametrize(
    ("way", "path"),
    [
        (coreml, "mpg.mlpackage"),
        (onnx, "mpg.onnx"),
        (litert, "mpg.tflite"),
    ],
)
def test_an_exported_model_computes_as_keras_does(way: Any, path: str, tmp_path: Path) -> None:
    place = tmp_path / Path(path).name
    source = MODELS / path
    (shutil.copytree if source.is_dir() else shutil.copy)(source, place)
    parity = way.verify(place, network(), CARS)
    assert parity.passed, parity


def test_a_savedmodel_answers_as_it_did() -> None:
    answers = load_savedmodel(MODELS / "tensorflow_serving" / "mpg" / "1")(CARS)[:, 0]
    np.testing.assert_allclose(answers, EXPECTED["answers"], atol=1e-3)


def test_a_schema_knows_its_ranges() -> None:
    schema = FeatureSchema.load(MODELS / "mpg.schema.json")
    assert schema.names == list(pd.read_csv(HERE / "batch" / "cars.csv"))
    weight = next(feature for feature in schema.features if feature.name == "weight")
    assert (weight.integer, weight.minimum, weight.maximum) == (False, 1613, 5140)


def test_labels_stand_beside_their_model() -> None:
    assert load_labels(MODELS / "colours.tflite") == ["red", "green", "blue"]


# Of Keras 3.13, where ReduceLROnPlateau reads the learning rate.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    runs = Path(shutil.copytree(HERE / "runs", tmp_path / "runs"))
    (run,) = runs.iterdir()
    with warnings.catch_warnings():
        # Another processor may round the last digit differently, and says so.
        warnings.filterwarnings("ignore", "Training goes on exactly", UserWarning)
        _, history, listed = training.train(run, save_every=2)
    begun = [batch for batch, _ in listed[-1].batches]
    assert begun[9 - 1 :] == [2, 3, 4, 5, 0, 1, 2, 3, 4, 5]  # of the second epoch, then the third
    _, whole, _ = training.train(tmp_path / "whole", save_every=2)
    assert history.epoch == whole.epoch == [0, 1, 2]
    # Not the weights: a bias in front of a batch normalization has no gradient but the rounding
    # of the processor, which Adam makes as large as any other.
    np.testing.assert_allclose(history.history["loss"], whole.history["loss"], rtol=1e-3)
    assert (run / "log.txt").read_text("utf-8").splitlines() == ["training begins", "interrupted"]
    assert new_run(runs, "next").name == "00001-next"


def test_a_store_of_models_is_intact(tmp_path: Path) -> None:
    store = Path(shutil.copytree(HERE / "records", tmp_path / "records"))
    assert registry.list_models(store=store) == ["mpg"]
    assert registry.list_versions("mpg", store=store) == [1, 2]
    for version in (1, 2):
        assert registry.verify(registry.load("mpg", version, store=store)).difference < 1e-3
    serving = registry.read_serving("mpg", store=store)
    assert (serving.version, serving.canary, serving.share) == (1, 2, 0.2)
    registry.promote("mpg", 2, store=store, reason="it was better")
    registry.roll_back("mpg", store=store)
    done = [state.action for state in registry.read_history("mpg", store=store)]
    assert done == ["promote", "try canary", "promote", "roll back"]


def test_an_unfinished_batch_is_finished(tmp_path: Path) -> None:
    work = Path(shutil.copytree(HERE / "batch", tmp_path / "batch"))
    cars, parts = work / "cars.csv", work / "predicted.csv.parts"
    written = json.loads((parts / "job.json").read_text("utf-8"))["input"][1]
    os.utime(cars, ns=(written, written))  # git does not keep the time of the last change
    job = {"model": MODELS / "mpg.tflite", "chunk": 20}
    done = batch.predict_file(cars, work / "predicted.csv", **job)
    assert (done.rows, done.resumed, done.refused) == (60, 40, 0)
    batch.predict_file(cars, work / "whole.csv", **job)
    assert (work / "predicted.csv").read_bytes() == (work / "whole.csv").read_bytes()


def test_recorded_requests_are_read(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(HERE / "requests", tmp_path / "requests"))
    asked = read_examples(folder, predictions=True)
    cars = pd.read_csv(HERE / "batch" / "cars.csv").head(5)
    assert (asked[cars.columns].to_numpy() == cars.to_numpy()).all()
    assert set(asked["prediction"]) == {20.5}
    assert set(asked["version"]) == {1}
