"""A CoreML package computes what Keras computes, says what it is, and faults in it are noticed."""

import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from course_utils.export import coreml, mil
from tests.export.conftest import silent
from tests.support import networks

TINY = coreml.MINUS_ONE_TO_ONE
LABELS = ["zero", "one", "two", "three", "four"]


@pytest.fixture
def copy(mobilenet_package, tmp_path):
    """MobileNet's package, to be changed."""
    return shutil.copytree(mobilenet_package, tmp_path / "copy.mlpackage")


def test_importing_loads_neither_tensorflow_nor_coremltools():
    code = "import sys; from course_utils.export import coreml, litert, onnx; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"tensorflow", "keras", "coremltools", "onnx", "onnxruntime"} & set(loaded)


def test_mobilenet_in_float32_equals_keras(mobilenet, mobilenet_package, photos):
    parity = coreml.verify(mobilenet_package, mobilenet, photos, preprocess=TINY)
    assert parity.passed, parity
    assert parity.differences["probabilities"] <= 1e-5
    opened = {"without ReLU: logits", "without ReLU: inside"}
    assert set(parity.differences) == {"probabilities", "logits", *opened}
    assert (parity.precision, parity.samples, parity.agreement) == ("float32", 8, 1.0)
    assert "computes what Keras computes" in str(parity)
    assert not parity.place


def test_mpg_equals_keras_on_all_rows(mpg, tmp_path):
    network, rows = mpg
    path = coreml.convert(
        network, tmp_path / "mpg.mlpackage", precision="float32", output="mpg", report=silent
    )
    parity = coreml.verify(path, network, rows)
    assert parity.passed, parity
    assert len(rows) == parity.samples == 398
    assert parity.differences["outputs"] <= 1e-4
    description = mil.Program.load(path).spec.description
    assert [each.name for each in description.input] == ["features"]
    assert [each.name for each in description.output] == ["mpg"]


def test_the_package_says_what_it_is(mobilenet_package):
    spec = mil.Program.load(mobilenet_package).spec
    said = spec.description
    assert (said.metadata.author, said.metadata.license) == ("A. Uthor", "Apache-2.0")
    assert "mobilenet" in said.metadata.shortDescription
    (photo,) = said.input
    assert "224 x 224" in photo.shortDescription
    assert all(each.shortDescription for each in said.output)
    assert spec.specificationVersion == mil.import_coremltools().target.iOS16


def test_each_label_is_there_once(mobilenet_package):
    labels = mil.Program.load(mobilenet_package).labels
    names = networks.imagenet_labels()
    assert len(set(labels)) == len(labels) == 1000
    assert names.count("crane") == 2  # a bird and a machine
    assert [labels[i] for i, name in enumerate(names) if name == "crane"] == [
        "crane",
        "crane (517)",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("compress", [None, "int8", "palette8", "palette4"])
def test_smaller_packages(mobilenet, photos, tmp_path, compress):
    """Notebook 08 compares their sizes and errors."""
    path = coreml.convert(
        mobilenet, tmp_path / "m.mlpackage", preprocess=TINY, compress=compress, report=silent
    )
    parity = coreml.verify(path, mobilenet, photos, preprocess=TINY)
    assert parity.precision == "float16" + (", compressed weights" if compress else "")
    assert parity.passed == (compress != "palette4"), parity  # four bits are too few


@pytest.mark.thorough
def test_grey_pictures(digits, tmp_path):
    network, pictures = digits
    path = tmp_path / "d.mlpackage"
    options = {"preprocess": coreml.ZERO_TO_ONE}
    coreml.convert(network, path, labels=LABELS, compress="palette6", report=silent, **options)
    parity = coreml.verify(path, network, pictures, **options)
    assert parity.passed, parity
    assert parity.precision == "float16, compressed weights"


def test_a_palette_of_few_values_is_exact(tmp_path):
    """Fewer different weights than the palette has places."""
    keras = networks.quiet_keras()
    network = keras.Sequential([keras.Input((40,)), keras.layers.Dense(9)])
    kernel, bias = network.get_weights()
    network.set_weights([np.resize([-1.5, 0, 0.25], kernel.shape), bias])
    path = coreml.convert(network, tmp_path / "f.mlpackage", compress="palette4", report=silent)
    parity = coreml.verify(path, network, np.eye(40))
    assert parity.differences["outputs"] == 0
    assert parity.precision == "float16, compressed weights"


@pytest.mark.parametrize("preprocess", [coreml.RAW, coreml.CAFFE, coreml.Pixels(0.5, (1, 2, 3))])
def test_preprocessing_is_in_the_package(tmp_path, preprocess):
    keras = networks.quiet_keras()
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [keras.Input((5, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    path = coreml.convert(
        network,
        tmp_path / "p.mlpackage",
        preprocess=preprocess,
        precision="float32",
        report=silent,
    )
    pictures = np.random.default_rng(0).integers(0, 256, (4, 5, 4, 3), dtype="uint8")
    assert coreml.verify(path, network, pictures, preprocess=preprocess).passed
    other = coreml.Pixels(1.01)
    assert not coreml.verify(path, network, pictures, preprocess=other).passed


def test_caffe_is_what_keras_does_for_vgg():
    keras = networks.quiet_keras()
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3), dtype="uint8")
    prepare = keras.applications.vgg16.preprocess_input
    wanted = prepare(pictures.astype("float32"))
    np.testing.assert_allclose(coreml.CAFFE.apply(pictures), wanted, atol=1e-4)
    prepare = keras.applications.mobilenet.preprocess_input
    wanted = prepare(pictures.astype("float32"))
    np.testing.assert_allclose(TINY.apply(pictures), wanted, atol=1e-6)


def test_converting_leaves_no_copy_behind(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / "n.mlpackage"
    coreml.convert(digits[0], path, compress="int8", report=silent)
    assert list(tmp_path.glob("*.mlpackage")) == [path]


def test_converting_talks_only_of_its_steps(digits, tmp_path, capfd):
    coreml.convert(digits[0], tmp_path / "d.mlpackage", compress="int8")
    out, err = capfd.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "1/4 tracing the network ...",
        "2/4 translating it to CoreML in float16 ...",
        "3/4 compressing its weights to int8 ...",
        "4/4 writing d.mlpackage ...",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["first", "depthwise", "bias", "last"])
def test_one_moved_number_is_noticed(mobilenet, copy, photos, kind):
    tensors = [*networks.map_tensors(copy).values()]
    depthwise = [t for t in tensors if len(t.shape) == 4 and t.shape[1] == 1]
    tensor = {
        "first": tensors[0],
        "depthwise": depthwise[5],
        "bias": [t for t in tensors if len(t.shape) == 1][7],
        "last": max(tensors, key=lambda t: (t.shape[0] == 1000, t.size)),
    }[kind]
    tensor.flat[np.random.default_rng(4).integers(tensor.size)] += tensor.std()
    parity = coreml.verify(copy, mobilenet, photos[:3], preprocess=TINY)
    assert not parity.passed
    assert "DOES NOT" in str(parity)
    place = {"depthwise": "'conv_dw_6_bn'", "last": "'conv_preds'"}.get(kind, "layer 'conv")
    assert place in parity.place


@pytest.mark.thorough
def test_a_weight_behind_a_relu_that_is_never_open_is_noticed(mobilenet, copy, photos):
    """Seven channels of the first layer are 0 for every photo; a change behind them shows too."""
    keras = networks.quiet_keras()
    first = keras.Model(mobilenet.input, mobilenet.get_layer("conv1_relu").output)
    alive = np.asarray(first(TINY.apply(photos))).max(axis=(0, 1, 2)) > 0
    kernels = np.abs(mobilenet.get_layer("conv1").kernel).max(axis=(0, 1, 2))
    dead = int(np.argmax(kernels * ~alive))  # some kernels are 0: those can do no harm
    tensors = networks.map_tensors(copy).values()
    depthwise = next(t for t in tensors if t.shape == (32, 1, 3, 3))
    depthwise[dead, 0, 0, 0] = 5.0
    parity = coreml.verify(copy, mobilenet, photos[:2], preprocess=TINY)
    failed = [each.what for each in parity.checks if not each.passed]
    assert failed == ["without ReLU: logits", "without ReLU: inside"]
    assert "'conv_dw_1_bn'" in parity.place


@pytest.mark.parametrize("file", ["weights", "program"])
def test_a_damaged_package_cannot_be_read(mobilenet, copy, photos, file):
    tensor, *_ = networks.map_tensors(copy).values()
    weights = networks.weight_file(copy)
    if file == "weights":
        networks.flip_byte(weights, tensor.offset - 64)  # the mark before a tensor
    else:
        program = weights.parents[1] / "model.mlmodel"
        program.write_bytes(program.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"copy\.mlpackage cannot be read, it is damaged"):
        coreml.verify(copy, mobilenet, photos[:1], preprocess=TINY)


def test_another_network_is_refused(digits, mpg, mobilenet_package, photos):
    network, pictures = digits
    with pytest.raises(ValueError, match="made from another one"):
        coreml.verify(mobilenet_package, network, pictures)
    with pytest.raises(FileNotFoundError, match="is not there"):
        coreml.verify("nowhere.mlpackage", network, pictures)


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        (np.zeros((2, 16, 16, 1), "float32"), "uint8, not float32"),
        (np.zeros((2, 16, 16, 3), "uint8"), r"shape \(16, 16, 1\)"),
        (np.zeros((0, 16, 16, 1), "uint8"), "at least one"),
    ],
)
def test_other_samples_are_refused(digits, mobilenet_package, samples, match):
    with pytest.raises(ValueError, match=match):
        coreml.verify(mobilenet_package, digits[0], samples)


def test_without_coremltools_it_says_so(digits, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(ImportError, match=r"macOS and Linux only.*LiteRT and ONNX work here"):
        coreml.convert(digits[0], tmp_path / "d.mlpackage", report=silent)
    assert not list(tmp_path.iterdir())
