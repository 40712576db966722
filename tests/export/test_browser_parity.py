"""The page computes what Keras computes, in Chromium; what it does not is noticed."""

import hashlib
import json
import os
import shutil
import string
import tempfile

import numpy as np
import pytest

from course_utils.datasets import load_mnist
from course_utils.export import browser, chromium
from course_utils.inference import FeatureSchema, load_labels, schema_path, shipped_model
from course_utils.inference.models import find_shipped_head
from course_utils.inference.pixels import MINUS_ONE_TO_ONE
from course_utils.training import transfer
from tests.export.conftest import silent
from tests.support import networks

pytestmark = pytest.mark.usefixtures("chromium")
MPG = shipped_model("mpg")


@pytest.fixture(scope="module")
def mpg_keras():
    """The MPG network that the course ships, in Keras, and all rows."""
    return networks.shipped_mpg_network()


@pytest.fixture(scope="module")
def mpg_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser") / "mpg"
    schema = FeatureSchema.load(schema_path(MPG))
    return browser.convert(MPG, folder, kind="row", schema=schema, report=silent)


@pytest.fixture
def broken(mpg_page, tmp_path):
    """A copy of the MPG page, to change."""
    return shutil.copytree(mpg_page, tmp_path / "mpg")


def test_every_car_is_within_a_ten_thousandth_of_a_mile(mpg_page, mpg_keras):
    network, rows = mpg_keras
    parity = browser.verify(mpg_page, network, rows)
    assert parity.passed, parity
    assert parity.samples == 398
    largest = float(np.abs(network(rows)).max())
    assert parity.differences["outputs"] * largest <= 1e-4
    assert browser.NUMBER_TOLERANCE.logits * largest <= 1e-4


def test_one_file_computes_the_same(mpg_page, mpg_keras, tmp_path):
    path = browser.pack(mpg_page, tmp_path / "mpg.html")
    parity = browser.verify(path, *mpg_keras)
    assert parity.passed, parity
    assert str(parity).startswith("mpg.html (float32) computes what Keras computes, 398 samples")


def test_200_digits(tmp_path):
    network = networks.shipped_digit_network()
    _, (pictures, numbers) = load_mnist()
    ink = pictures[:200] / np.float32(255)
    folder = browser.convert(
        shipped_model("digit"), tmp_path / "digit", kind="drawing", report=silent
    )
    parity = browser.verify(folder, network, ink)
    assert parity.passed, parity
    assert parity.differences["probabilities"] <= 1e-5
    right = np.asarray(network(ink)).argmax(axis=1) == numbers[:200]
    assert right.mean() > 0.97  # the weights are where they belong


@pytest.mark.thorough
def test_eight_photos_and_48_crops_of_them_in_every_class(mobilenet, tmp_path):
    model = shipped_model("image")
    folder = browser.convert(
        model, tmp_path / "image", kind="photo", labels=load_labels(model), report=silent
    )
    photos = networks.crops()
    parity = browser.verify(folder, mobilenet, photos, preprocess=MINUS_ONE_TO_ONE)
    assert parity.passed, parity
    assert parity.samples == 56
    assert parity.differences["probabilities"] <= 1e-5
    assert parity.agreement == 1


@pytest.mark.thorough
def test_cats_and_dogs(tmp_path):
    base = transfer.build_base()
    head = transfer.build_head(base.output_shape[-1], 2)
    head.load_weights(find_shipped_head())
    network, model = transfer.join_head(base, head), shipped_model("pets")
    folder = browser.convert(
        model, tmp_path / "pets", kind="photo", labels=load_labels(model), report=silent
    )
    parity = browser.verify(folder, network, networks.crops(parts=networks.CROPS[:1]))
    assert parity.passed, parity


@pytest.mark.thorough
def test_the_classes_of_notebook_11(mobilenet, tmp_path):
    keras = networks.quiet_keras()
    shape = (96, 96, 3)
    base = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=shape, pooling="avg"
    )
    base.set_weights(mobilenet.get_weights()[: len(base.weights)])
    rescale = keras.layers.Rescaling(1 / 127.5, offset=-1)
    keras.utils.set_random_seed(11)
    head = keras.Sequential([keras.Input((1024,)), keras.layers.Dense(62, activation="softmax")])
    network = keras.Sequential([keras.Input(shape), rescale, base, head])
    labels = [*string.ascii_letters, *string.digits]
    folder = browser.convert(
        network, tmp_path / "letters", kind="photo", labels=labels, report=silent
    )
    parity = browser.verify(folder, network, networks.crops(size=96))
    assert parity.passed, parity


def test_one_output_tells_two_classes_apart(tmp_path):
    keras = networks.quiet_keras()
    keras.utils.set_random_seed(3)
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Rescaling(1 / 255)]
    layers.append(keras.layers.Dense(1, activation="sigmoid"))
    network = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    folder = browser.convert(
        network, tmp_path / "two", kind="photo", labels=["cat", "dog"], report=silent
    )
    photos = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype="uint8")
    parity = browser.verify(folder, network, photos)
    assert parity.passed, parity
    assert parity.agreement == 1


def flip_lowest_bit(content, weights):
    """Change the last bit of the fraction of a weight."""
    start = content.index(weights.tobytes())
    return content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :]


def test_the_last_bit_of_a_weight_is_noticed(broken, mpg_keras):
    network, rows = mpg_keras
    file = broken / "model.tflite"
    file.write_bytes(flip_lowest_bit(file.read_bytes(), network.layers[-3].kernel.numpy().T))
    with pytest.raises(ValueError, match=r"model\.tflite is not as it was written"):
        browser.verify(broken, network, rows[:1])


def test_a_bit_of_the_runtime_is_noticed(broken, mpg_keras):
    network, rows = mpg_keras
    networks.flip_byte(broken / "litert.wasm", 5_000_000, bits=1)
    with pytest.raises(ValueError, match=r"litert\.wasm is not as it was written"):
        browser.verify(broken, network, rows[:1])


def test_the_last_bit_is_noticed_in_one_file_too(broken, mpg_keras, tmp_path):
    network, rows = mpg_keras
    file = broken / "model.tflite"
    file.write_bytes(flip_lowest_bit(file.read_bytes(), network.layers[-3].kernel.numpy().T))
    path = browser.pack(broken, tmp_path / "mpg.html")
    with pytest.raises(ValueError, match=r"mpg\.html: model\.tflite is not as it was written"):
        browser.verify(path, network, rows[:1])


def test_what_the_page_itself_answers_is_compared(broken, mpg_keras):
    """Another network in the page, with the digest that belongs to it."""
    network, rows = mpg_keras
    file = broken / "model.tflite"
    shift = network.layers[-3].bias.numpy()
    content = file.read_bytes().replace(shift.tobytes(), (shift + np.float32(0.01)).tobytes())
    file.write_bytes(content)
    about = json.loads((broken / "model.json").read_text("utf-8"))
    about["files"]["model.tflite"]["sha256"] = hashlib.sha256(content).hexdigest()
    (broken / "model.json").write_text(json.dumps(about), "utf-8")
    parity = browser.verify(broken, network, rows[:5])
    assert not parity.passed
    assert 1e-4 < parity.differences["outputs"] < 1e-1


def test_another_network_and_a_missing_page_are_refused(mpg_page, mpg_keras, tmp_path):
    keras = networks.quiet_keras()
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"a row of 7 numbers, the network a row of 3: .* another"):
        browser.verify(mpg_page, other, np.zeros((1, 3)))
    with pytest.raises(FileNotFoundError):
        browser.verify(tmp_path / "nowhere", *mpg_keras)
    with pytest.raises(ValueError, match=r"model\.json is missing"):
        browser.verify(tmp_path, *mpg_keras)


def test_without_a_browser_it_says_what_to_install(mpg_page, mpg_keras, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(chromium.BrowserNotFound, match=r"No Chrome, Chromium or Edge.*Install one"):
        browser.verify(mpg_page, *mpg_keras)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files go, which has to be empty again."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


def test_a_page_that_hangs_ends_at_the_deadline(broken, mpg_keras, scratch, monkeypatch):
    (broken / "page.js").write_text("window.network = { ready: new Promise(() => undefined) };")
    monkeypatch.setattr(chromium, "START_S", 4)
    with pytest.raises(TimeoutError, match="took over 9 seconds"):
        browser.verify(broken, mpg_keras[0], mpg_keras[1][:1])


def test_a_page_that_does_not_work_says_why(broken, mpg_keras, scratch):
    said = 'Promise.reject(new Error("no memory left"))'
    (broken / "page.js").write_text(f"window.network = {{ ready: {said} }};")
    with pytest.raises(ValueError, match="mpg: no memory left"):
        browser.verify(broken, mpg_keras[0], mpg_keras[1][:1])
    (broken / "page.js").write_text("fault(")
    with pytest.raises(ValueError, match="mpg: Its script did not run"):
        browser.verify(broken, mpg_keras[0], mpg_keras[1][:1])


@pytest.mark.skipif(os.name == "nt", reason="the program is of other systems")
def test_a_browser_that_ends_is_not_waited_for(mpg_page, mpg_keras, scratch, monkeypatch):
    monkeypatch.setattr(chromium, "BROWSERS", ["true"])
    with pytest.raises(TimeoutError, match="The browser ended"):
        browser.verify(mpg_page, mpg_keras[0], mpg_keras[1][:1])
