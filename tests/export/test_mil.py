"""The evaluator computes each operation as Keras does, and says which one it does not know."""

import numpy as np
import pytest

from course_utils.export import coreml
from tests.export.conftest import silent
from tests.export.test_refusals import sequential
from tests.support import networks

IMAGE = (12, 10, 3)


def layers():
    return networks.quiet_keras().layers


def branches(join):
    """A functional network of two branches that are joined."""
    keras = networks.quiet_keras()
    entry = keras.Input(IMAGE)
    left = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(entry)
    right = keras.layers.Conv2D(4, 1, bias_initializer="normal")(entry)
    joined = keras.layers.GlobalMaxPooling2D()(join(keras.layers)([left, right]))
    return keras.Model(entry, joined)


def images(*inner):
    return sequential(*inner, layers().Flatten(), layers().Dense(3), shape=IMAGE)


def batch_norm():
    keras = networks.quiet_keras()
    layer = keras.layers.BatchNormalization(
        moving_mean_initializer=keras.initializers.RandomNormal(0, 1),
        moving_variance_initializer=keras.initializers.RandomUniform(0.5, 2),
        beta_initializer="normal",
        gamma_initializer=keras.initializers.RandomUniform(0.5, 2),
    )
    return images(layers().ReLU(), layer, layers().MaxPooling2D())


NETWORKS = {
    "conv, same, strides": lambda: images(layers().Conv2D(4, 3, strides=2, padding="same")),
    "conv, dilated": lambda: images(layers().Conv2D(4, 3, dilation_rate=2, padding="same")),
    "depthwise, two each": lambda: images(layers().DepthwiseConv2D(3, depth_multiplier=2)),
    "separable": lambda: images(layers().SeparableConv2D(5, 3, padding="same")),
    "max pool, same": lambda: images(layers().MaxPooling2D(3, 2, padding="same")),
    "average pool, same": lambda: images(layers().AveragePooling2D(3, 2, padding="same")),
    "global pools": lambda: branches(lambda kind: kind.Maximum()),
    "batch norm": batch_norm,
    "layer norm": lambda: sequential(layers().LayerNormalization(beta_initializer="normal")),
    "padding and cropping": lambda: images(
        layers().ZeroPadding2D(((1, 2), (3, 0))), layers().Cropping2D(((1, 0), (2, 1)))
    ),
    "concatenate": lambda: branches(lambda kind: kind.Concatenate()),
    "permute": lambda: images(layers().Permute((2, 1, 3)), layers().Conv2D(2, 3)),
    "one probability": lambda: sequential(layers().Dense(1, activation="sigmoid")),
    "silu": lambda: sequential(layers().Dense(6, activation="silu")),
    "elu": lambda: sequential(layers().Dense(6, activation="elu")),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", NETWORKS)
def test_each_operation_equals_keras(name, tmp_path):
    networks.quiet_keras().utils.set_random_seed(2)
    network = NETWORKS[name]()
    path = coreml.convert(network, tmp_path / "n.mlpackage", precision="float32", report=silent)
    rng = np.random.default_rng(1)
    shape = (3, *network.input_shape[1:])
    examples = (
        rng.integers(0, 256, shape, dtype="uint8") if len(shape) == 4 else rng.normal(size=shape)
    )
    parity = coreml.verify(path, network, examples)
    assert parity.passed, parity
    # what passes is told apart from what is a little off
    weights = network.get_weights()
    if weights:
        network.set_weights([*weights[:-1], weights[-1] + 0.01])
        assert not coreml.verify(path, network, examples).passed


@pytest.mark.thorough
def test_a_network_within_a_network(tmp_path):
    """As in transfer learning: layers that act in training only, a base, a new head."""
    keras = networks.quiet_keras()
    keras.utils.set_random_seed(0)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(64, 64, 3), alpha=0.35, pooling="avg"
    )
    for layer in base.layers:  # as after training: shifts that are not 0
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(np.random.default_rng(0).normal(0, 0.3, layer.beta.shape))
    network = sequential(
        keras.layers.RandomFlip("horizontal"),
        keras.layers.Rescaling(1 / 127.5, -1),
        base,
        keras.layers.Dropout(0.2),
        keras.layers.Dense(3, activation="softmax"),
        shape=(64, 64, 3),
    )
    path = coreml.convert(
        network,
        tmp_path / "n.mlpackage",
        labels=["cat", "dog", "bird"],
        precision="float32",
        report=silent,
    )
    parity = coreml.verify(path, network, networks.crops(64, networks.CROPS[:1]))
    assert parity.passed, parity
    assert "without ReLU: logits" in parity.differences


def test_an_operation_that_it_does_not_know_is_named(tmp_path):
    network = images(layers().Resizing(7, 20, interpolation="nearest"))
    path = coreml.convert(network, tmp_path / "n.mlpackage", report=silent)
    examples = np.zeros((1, *network.input_shape[1:]), "uint8")
    with pytest.raises(NotImplementedError, match=r"resize_nearest_neighbor' .* not computed here"):
        coreml.verify(path, network, examples)
