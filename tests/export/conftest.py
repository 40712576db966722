"""The networks that several tests export, and their packages."""

import numpy as np
import pytest

from course_utils.export import coreml
from tests.support import networks


def silent(step: str, done: int, total: int) -> None:
    """A report to nobody."""


@pytest.fixture(scope="session")
def mobilenet():
    return networks.mobilenet()


@pytest.fixture(scope="session")
def photos():
    """The photos of the course, whole."""
    return networks.crops(parts=networks.CROPS[:1])


@pytest.fixture(scope="session")
def mobilenet_package(mobilenet, tmp_path_factory):
    """MobileNet in float32; tests that change it work on a copy."""
    return coreml.convert(
        mobilenet,
        tmp_path_factory.mktemp("coreml") / "mobilenet.mlpackage",
        labels=networks.imagenet_labels(),
        preprocess=coreml.MINUS_ONE_TO_ONE,
        precision="float32",
        author="A. Uthor",
        licence="Apache-2.0",
        report=silent,
    )


@pytest.fixture(scope="session")
def mpg():
    """The network of notebook 02, trained for a short time, and all rows."""
    return networks.mpg_network(epochs=3)


@pytest.fixture(scope="session")
def digits():
    """A small classifier of grey pictures, with random weights and such pictures."""
    keras = networks.quiet_keras()
    layers = keras.layers
    keras.utils.set_random_seed(3)
    network = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(8, 3, activation="relu", name="first"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu", bias_initializer="normal", name="second"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(5, activation="softmax", name="answer", bias_initializer="normal"),
        ],
        name="digits",
    )
    rng = np.random.default_rng(0)
    return network, rng.integers(0, 256, (6, 16, 16, 1), dtype="uint8")
