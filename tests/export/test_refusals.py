"""What cannot be exported is refused with the name of the layer, and nothing is left behind."""

import re

import pytest

from course_utils.export import coreml, litert, onnx
from course_utils.inference.tracing import UnsupportedNetwork
from tests.export.conftest import silent
from tests.support import networks

SUFFIX = {coreml: ".mlpackage", litert: ".tflite", onnx: ".onnx"}
ALL = [pytest.param(module, id=module.__name__.rpartition(".")[2]) for module in SUFFIX]


def sequential(*layers, shape=(8,)):
    keras = networks.quiet_keras()
    return keras.Sequential([keras.Input(shape, name="entry"), *layers], name="net")


def inverse():
    import tensorflow as tf

    layers = networks.quiet_keras().layers
    square = layers.Lambda(lambda x: tf.linalg.inv(tf.matmul(x, x, transpose_b=True)), name="inv")
    return sequential(layers.Reshape((2, 4)), square, layers.Flatten(), layers.Dense(2))


def memory():
    layers = networks.quiet_keras().layers
    return sequential(layers.Reshape((4, 2)), layers.LSTM(3, name="memory"), layers.Dense(2))


@pytest.mark.parametrize(
    ("module", "build", "match"),
    [
        (coreml, inverse, "'inv' uses the operation MatrixInverse, which cannot .* to CoreML"),
        (coreml, memory, "'memory' cannot be translated to CoreML: .* with unroll=True"),
        (litert, inverse, "'inv' uses the operation MatrixInverse, which cannot .* to LiteRT"),
        (litert, memory, "'memory' uses the operation TensorListReserve.* with unroll=True"),
        (onnx, inverse, "'inv' uses the operation MatrixInverse, which cannot .* to ONNX"),
        (onnx, memory, "'memory' uses the operation TensorListReserve"),
    ],
)
def test_operations_that_a_format_does_not_have(module, build, match, tmp_path, capfd):
    network = build()
    capfd.readouterr()  # of TensorFlow, where the network is its first
    with pytest.raises(UnsupportedNetwork, match=match):
        module.convert(network, tmp_path / f"n{SUFFIX[module]}", report=silent)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [(None, None, 3), (6, 6, 5)])
def test_shapes(shape, tmp_path):
    layers = networks.quiet_keras().layers
    network = sequential(layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), shape=shape)
    with pytest.raises(UnsupportedNetwork, match=re.escape(f"layer 'entry' takes {shape}")):
        coreml.convert(network, tmp_path / "n.mlpackage", report=silent)


@pytest.mark.parametrize("module", ALL)
@pytest.mark.parametrize("count", [2, 6])
def test_labels(module, digits, count, tmp_path):
    path = tmp_path / f"n{SUFFIX[module]}"
    with pytest.raises(UnsupportedNetwork, match=f"{count} labels for 5 classes: .* 'answer'"):
        module.convert(digits[0], path, labels=list("abcdef")[:count], report=silent)


@pytest.mark.parametrize("module", ALL)
def test_paths(module, digits, tmp_path):
    path = tmp_path / f"n{SUFFIX[module]}"
    with pytest.raises(ValueError, match=f"has to end in {SUFFIX[module]}"):
        module.convert(digits[0], tmp_path / "n.txt")
    with pytest.raises(FileNotFoundError, match=r"The folder .*nowhere is not there"):
        module.convert(digits[0], tmp_path / "nowhere" / path.name)
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        module.convert(digits[0], path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"compress": "int4"}, "compress is one of None, 'int8', 'palette8'"),
        ({"precision": "float64"}, "precision is one of 'float16', 'float32'"),
        ({"preprocess": coreml.Pixels(1, (1, 2))}, "2 biases for 1 channels"),
    ],
)
def test_parameters(digits, options, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        coreml.convert(digits[0], tmp_path / "n.mlpackage", report=silent, **options)
    assert not list(tmp_path.iterdir())


def test_preprocess_is_of_one_kind_and_for_photos(digits, mpg, tmp_path):
    with pytest.raises(TypeError, match="preprocess is a Pixels"):
        coreml.convert(digits[0], tmp_path / "n.mlpackage", preprocess="tf")
    with pytest.raises(ValueError, match="for photos"):
        coreml.convert(mpg[0], tmp_path / "n.mlpackage", preprocess=coreml.ZERO_TO_ONE)


def test_models_of_other_kinds(tmp_path):
    keras = networks.quiet_keras()

    class Own(keras.Model):
        def call(self, x):
            return x

    two = [keras.Input((2,)), keras.Input((2,))]
    twin = keras.Model(two, keras.layers.Add()(two), name="twin")
    square = sequential(keras.layers.Reshape((4, 2)))
    for model, match in (
        (Own(name="own"), "The network 'own' has no input yet"),
        (keras.Sequential([keras.layers.Dense(2)]), "no input yet"),
        (twin, "'twin' has 2 inputs and 1 outputs"),
        (square, r"gives a tensor of shape \(4, 2\)"),
    ):
        with pytest.raises(UnsupportedNetwork, match=match):
            coreml.convert(model, tmp_path / "n.mlpackage", report=silent)
