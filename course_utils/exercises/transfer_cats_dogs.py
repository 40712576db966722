"""Exercises of notebook 10."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, make_folder, serving


def build_network(base: Any, classes: int) -> Any:
    """A frozen base with augmentation before it and a new head on it."""
    import keras
    from keras import layers

    base.trainable = False
    pixels = keras.Input(base.input_shape[1:])
    features = layers.Dropout(0.5)(base(layers.RandomFlip("horizontal")(pixels)))
    network = keras.Model(pixels, layers.Dense(classes, activation="softmax")(features))
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def _test_build(answer: Callable[[Any, int], Any]) -> None:
    import numpy as np

    base, photos = _build_base(), np.random.default_rng(10).uniform(0, 255, (12, 8, 8, 3))
    network = answer(base, 3)
    assert hasattr(network, "fit"), "your function should return a Keras model."
    before = [array.copy() for array in base.get_weights()]
    network.fit(photos, np.arange(12) % 3, verbose=0)
    assert np.shape(network(photos)) == (12, 3), "for 12 photos the output should be (12, 3)."
    frozen = all(map(np.array_equal, before, base.get_weights()))
    assert frozen, "fit has changed the base: set base.trainable = False."
    kinds = {layer.__class__.__name__ for layer in network._flatten_layers()}
    assert "RandomFlip" in kinds, "there is no RandomFlip before the base."


def _build_base() -> Any:
    """A small network in place of MobileNet."""
    from keras import Input, Sequential, layers

    first = [Input((8, 8, 3)), layers.Conv2D(4, 3, name="first"), layers.BatchNormalization()]
    second = [layers.Conv2D(6, 3, name="second"), layers.BatchNormalization(name="norm")]
    return Sequential([*first, *second, layers.GlobalAveragePooling2D()])


LAYERS = "Join RandomFlip, base, Dropout and Dense with keras.Model(pixels, output); compile it."
INPUT = "Set base.trainable = False. The input is pixels = keras.Input(base.input_shape[1:])."
build = Exercise(test=_test_build, solve=build_network, hints=(INPUT, LAYERS))


def unfreeze_from(network: Any, name: str) -> int:
    """Make the layers from ``name`` on trainable, but not batch normalization; count them."""
    import keras

    reached = False
    for layer in network.layers:
        reached = reached or layer.name == name
        layer.trainable = reached and not isinstance(layer, keras.layers.BatchNormalization)
    return sum(weight.numpy().size for weight in network.trainable_weights)


def _test_unfreeze(answer: Callable[[Any, str], int]) -> None:
    for name, wanted in (("second", {"second"}), ("first", {"first", "second"})):
        network = _build_base()
        got = answer(network, name)
        found = {layer.name for layer in network.layers if layer.trainable_weights}
        assert found == wanted, f"from {name} on, {wanted} should be trainable, not {found}."
        count = sum(layer.count_params() for layer in network.layers if layer.name in wanted)
        assert got == count, f"from {name} on, {count} parameters are trainable, not {got}."


LOOP = "Go through network.layers in order, and note when layer.name == name has been reached."
RULE = "layer.trainable = reached and not isinstance(layer, keras.layers.BatchNormalization)"
unfreeze = Exercise(test=_test_unfreeze, solve=unfreeze_from, hints=(LOOP, RULE))


def find_highest(url: str, folder: Any) -> float:
    """The highest probability that the back end gives for a photo in a folder."""
    import base64

    import requests

    highest = 0.0
    for path in folder.iterdir():
        photo = {"image": base64.b64encode(path.read_bytes()).decode()}
        shares = requests.post(url, json=photo, timeout=60).json()["prediction"]
        highest = max(highest, *shares.values())
    return highest


def _test_threshold(answer: Callable[[str, Any], float]) -> None:
    from flask import Flask, request

    app = Flask("exercise")

    @app.post("/")
    def classify() -> Any:
        cat = {"AAAA": 0.64, "BBBB": 0.25}[request.get_json()["image"]]  # of the two files below
        return {"prediction": {"cat": cat, "dog": 1 - cat}}

    photos = {"0.jpg": b"\0\0\0", "4.jpg": b"\x04\x10A"}
    with make_folder(photos) as folder, serving(app) as url:
        got = answer(url, folder)
    assert got == 0.75, f"the highest of the four probabilities is 0.75; you returned {got!r}."


HINT = "base64.b64encode(path.read_bytes()).decode() is the photo as text for json={'image': ...}."
ENDS = "response.json()['prediction'].values() are two probabilities; max takes the highest."
threshold = Exercise(test=_test_threshold, solve=find_highest, hints=(HINT, ENDS))
