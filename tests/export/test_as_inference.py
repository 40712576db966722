"""What leaves Keras computes as Keras predicts: nothing is random, and no layer trains."""

import ast
import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

from course_utils.export import coreml, litert, onnx
from course_utils.inference import Predictor, to_litert, tracing
from course_utils.inference.tracing import UnsupportedNetwork
from tests.export.conftest import silent
from tests.support import networks
from tests.support.savedmodels import load_savedmodel

SUFFIX = {litert: ".tflite", onnx: ".onnx", coreml: ".mlpackage"}
FORMATS = [pytest.param(module, id=module.__name__.rpartition(".")[2]) for module in SUFFIX]

# Rooms of Keras whose layers alter pictures or values, and do so in training alone.
ROOMS = ("image_preprocessing", "regularization", "batch_normalization", "spectral_normalization")
#: values of the parameters that these layers ask for, and of those that switch them on
VALUES = {
    **dict.fromkeys(("height_factor", "width_factor", "x_factor", "y_factor"), 0.3),
    **dict.fromkeys(("brightness_factor", "contrast_factor"), 0.3),
    **dict.fromkeys(("saturation_factor", "hue_factor", "addition_factor"), 0.3),
    **{"threshold_factor": 0.3, "rate": 0.4, "stddev": 0.5, "max_number": 3},
    **{"height": 12, "width": 12},
}
#: what a format has no operation for, and is refused by name
REFUSED = {("AutoContrast", coreml): "IsNan"}


def list_layers():
    """The names of those layers of the installed Keras; Keras itself is not loaded for it."""
    (folder,) = importlib.util.find_spec("keras").submodule_search_locations
    face = ast.parse((Path(folder) / "layers" / "__init__.py").read_text("utf-8"))
    imports = [node for node in face.body if isinstance(node, ast.ImportFrom)]
    taken = [node for node in imports if any(room in node.module for room in ROOMS)]
    return sorted(alias.name for node in taken for alias in node.names)


def make_layer(name):
    layers = networks.quiet_keras().layers
    kind = getattr(layers, name)
    asked = inspect.signature(kind.__init__).parameters
    options = {key: value for key, value in VALUES.items() if key in asked}
    if asked.get("factor") and asked["factor"].default is inspect.Parameter.empty:
        options["factor"] = 4 if name == "RandomPosterization" else 0.5
    if name == "RandomCrop":  # it crops in training alone: Keras predicts only where the size fits
        options |= {"height": 16, "width": 16}
    if "layer" in asked:
        options["layer"] = layers.Conv2D(3, 3)
    return kind(**options, name="altered")


def classifier(*altering, shape=(16, 16, 3)):
    """A small network of pictures that begins with some layers."""
    keras = networks.quiet_keras()
    layers = keras.layers
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input(shape),
            *altering,
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(3, "softmax", bias_initializer="normal"),
        ],
        name="net",
    )


def reader(*reading):
    """A small network that reads rows of five words, each a number below 20."""
    keras = networks.quiet_keras()
    layers = keras.layers
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((5,)), *reading, layers.Flatten(), layers.Dense(3, "softmax")], name="net"
    )


PICTURES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype="uint8")
WORDS = np.random.default_rng(0).integers(0, 20, (6, 5)).astype("float32")


def convert(module, network, folder, **options):
    return module.convert(network, folder / f"n{SUFFIX[module]}", report=silent, **options)


def check(module, network, folder, samples=PICTURES):
    options = {"precision": "float32"} if module is coreml else {}
    parity = module.verify(convert(module, network, folder, **options), network, samples)
    assert parity.passed, parity


@pytest.mark.parametrize("module", FORMATS)
def test_layers_of_training_in_any_position(module, tmp_path):
    """Some of them draw random numbers also when they predict (RandomHue), without using them."""
    keras = networks.quiet_keras()
    layers = keras.layers
    keras.utils.set_random_seed(1)
    alter = keras.Sequential([keras.Input((16, 16, 3)), layers.RandomFlip(), layers.RandomHue(0.5)])
    pixels = keras.Input((16, 16, 3))
    x = layers.RandomRotation(0.2)(alter(pixels), training=True)
    x = layers.BatchNormalization()(layers.GaussianNoise(0.5)(layers.Rescaling(1 / 255)(x)))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(x), training=True)
    x = layers.Flatten()(layers.SpatialDropout2D(0.2)(layers.ReLU()(x)))
    x = layers.BatchNormalization()(layers.Dense(3)(layers.Dropout(0.5)(x, training=True)))
    network = keras.Model(pixels, layers.Softmax()(x))
    network.compile(loss="sparse_categorical_crossentropy")
    network.fit(PICTURES.astype("float32"), np.arange(5) % 3, epochs=2, verbose=0)
    check(module, network, tmp_path)


def test_a_savedmodel_answers_the_same_each_time(tmp_path):
    network = classifier(networks.quiet_keras().layers.RandomFlip("vertical"))
    tracing.write_savedmodel(network, tmp_path)
    run = load_savedmodel(tmp_path)
    answers = {run(PICTURES[:1]).tobytes() for _ in range(10)}
    assert len(answers) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("module", FORMATS)
@pytest.mark.parametrize("name", list_layers())
def test_each_layer_of_keras(name, module, tmp_path):
    layers = networks.quiet_keras().layers
    around = {"SpatialDropout1D": (256, 3), "SpatialDropout3D": (4, 4, 16, 3)}.get(name)
    layer = make_layer(name)
    network = classifier(*([layers.Reshape(around), layer] if around else [layer]))
    if (name, module) in REFUSED:
        match = f"'altered' uses the operation {REFUSED[name, module]}, which cannot .* Build it"
        with pytest.raises(UnsupportedNetwork, match=match):
            convert(module, network, tmp_path)
    else:
        check(module, network, tmp_path)


def test_the_layers_of_keras_are_found():
    assert {"RandomFlip", "RandomErasing", "GaussianNoise", "Dropout"} <= set(list_layers())


@pytest.mark.parametrize("module", FORMATS)
def test_a_network_whose_answers_are_random_is_refused(module, tmp_path):
    keras = networks.quiet_keras()

    class Sampler(keras.layers.Layer):
        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x))

    with pytest.raises(UnsupportedNetwork, match="'sampler' answers with random numbers"):
        convert(module, classifier(Sampler(name="sampler")), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_random_numbers_are_found_in_functions_and_kept_where_their_seed_is(tmp_path):
    keras = networks.quiet_keras()
    import tensorflow as tf

    class Adder(keras.layers.Layer):
        def __init__(self, draw, **options):
            super().__init__(**options)
            self.draw = draw

        def call(self, x):
            return x + self.draw()

    generator = tf.random.Generator.from_seed(1)
    draws = {
        "inner": tf.function(lambda: tf.random.normal([3])),
        "branch": tf.function(lambda: tf.function(lambda: tf.random.uniform([3]))() * 2),
        "cut": lambda: tf.random.truncated_normal([3]),
        "own": lambda: generator.normal([3]),
    }
    for name, draw in draws.items():
        with pytest.raises(UnsupportedNetwork, match=f"layer '{name}' answers with random numbers"):
            to_litert(classifier(Adder(draw, name=name)))
    fixed = classifier(Adder(lambda: keras.random.normal((3,), seed=5)))
    tracing.write_savedmodel(fixed, tmp_path)
    answers = load_savedmodel(tmp_path)(PICTURES)
    np.testing.assert_allclose(answers, fixed(PICTURES, training=False), atol=1e-5)


def test_a_network_that_cannot_be_traced_is_named_with_its_cause(tmp_path, recwarn):
    keras = networks.quiet_keras()
    layers = keras.layers

    class Broken(layers.Layer):
        def compute_output_shape(self, shape):
            return shape

        def call(self, x):
            raise RuntimeError("no such colour")

    quantized = classifier()
    quantized.quantize("int8")
    kept = [keras.Input((4, 2), batch_size=2), layers.LSTM(3, stateful=True, name="memory")]
    for network, match in (
        (classifier(Broken(name="broken")), "layer 'broken' cannot .* no such colour. Build"),
        (keras.Sequential(kept), "layer 'memory' is stateful: .* with stateful=False"),
        (quantized, "'net' computes in int8: .* has the policy int8_from_float32"),
    ):
        with pytest.raises(UnsupportedNetwork, match=match):
            to_litert(network)


def test_a_converters_dump_and_errors_of_the_machine(tmp_path):
    network = classifier()
    with (
        pytest.raises(UnsupportedNetwork, match="LiteRT: the converter refuses it"),
        tracing.explain_failure(network, "LiteRT"),
    ):
        raise RuntimeError('<unknown>:0: error: loc(callsite(fused["a:", "b@c"] at "d")): failed')
    with pytest.raises(MemoryError), tracing.explain_failure(network, "LiteRT"):
        raise MemoryError


@pytest.mark.parametrize("module", FORMATS)
def test_an_output_in_a_dictionary_is_verified(module, tmp_path):
    keras = networks.quiet_keras()
    pixels = keras.Input((16, 16, 3))
    check(module, keras.Model(pixels, {"kind": classifier()(pixels)}), tmp_path)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precisions_are_named_as_what_they_are(policy, tmp_path, recwarn):
    layers = networks.quiet_keras().layers
    inner = networks.quiet_keras().Sequential(
        [networks.quiet_keras().Input((16, 16, 3)), layers.Conv2D(2, 3, dtype=policy, name="conv")]
    )
    network = classifier(inner)
    match = f"'net' computes in .*float.*'conv' has the policy {policy}.*set_dtype_policy"
    for module in SUFFIX:
        with pytest.raises(UnsupportedNetwork, match=match):
            convert(module, network, tmp_path)
    network.save(tmp_path / "net.keras")
    with pytest.raises(UnsupportedNetwork, match=match):
        Predictor.load(tmp_path / "net.keras")


def test_a_keras_file_that_litert_refuses_is_one_sentence(tmp_path, capfd, recwarn):
    layers = networks.quiet_keras().layers
    network = reader(layers.Reshape((5, 1)), layers.LSTM(3, name="memory"))
    network.save(tmp_path / "net.keras")
    capfd.readouterr()
    with pytest.raises(UnsupportedNetwork, match=r"'memory' uses .* Build it with unroll=True\."):
        Predictor.load(tmp_path / "net.keras")
    assert capfd.readouterr() == ("", "")


@pytest.mark.thorough
@pytest.mark.parametrize("module", FORMATS)
def test_the_way_out_of_a_recurrent_layer(module, tmp_path):
    layers = networks.quiet_keras().layers
    network = reader(layers.Reshape((5, 1)), layers.LSTM(3, name="memory", unroll=True))
    check(module, network, tmp_path, WORDS)


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_coreml_looks_up_words(precision, tmp_path):
    network = reader(networks.quiet_keras().layers.Embedding(20, 4))
    path = convert(coreml, network, tmp_path, precision=precision)
    parity = coreml.verify(path, network, WORDS)
    assert parity.passed, parity


def test_whole_numbers_go_in_as_float32(tmp_path):
    keras = networks.quiet_keras()
    words = keras.Input((5,), dtype="int32")
    network = keras.Model(words, keras.layers.Flatten()(keras.layers.Embedding(20, 4)(words)))
    answers = Predictor(to_litert(network)).predict(WORDS)
    np.testing.assert_array_equal(answers, network(WORDS).numpy())


#: layers whose CoreML programs hold an operation that is computed by our own code
OWN_OPERATIONS = {
    "resized": lambda layers: [layers.Resizing(11, 20)],
    "enlarged": lambda layers: [layers.UpSampling2D(interpolation="bilinear")],
    "a_row": lambda layers: [
        layers.Reshape((16, 48)),
        layers.Conv1D(4, 3, 2),
        layers.MaxPooling1D(),
    ],
    "scaled": lambda layers: [layers.Conv2D(4, 3, activation="swish")],
    "a_volume": lambda layers: [
        layers.Reshape((16, 16, 3, 1)),
        layers.Conv3D(4, (3, 3, 2), padding="same"),
        layers.MaxPooling3D((2, 2, 1)),
        layers.AveragePooling3D((2, 2, 1)),
    ],
    "a_separable_row": lambda layers: [
        layers.Reshape((16, 48)),
        layers.SeparableConv1D(4, 3),
        layers.DepthwiseConv1D(3, depth_multiplier=2),
        layers.AveragePooling1D(2),
    ],
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", OWN_OPERATIONS)
def test_coreml_verifies_what_it_converts(name, tmp_path):
    layers = OWN_OPERATIONS[name](networks.quiet_keras().layers)
    check(coreml, classifier(*layers), tmp_path)
