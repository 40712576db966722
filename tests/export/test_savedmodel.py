"""A SavedModel computes what Keras computes; its versions are numbered and never replaced."""

import shutil

import numpy as np
import pytest

from course_utils.export import savedmodel
from course_utils.inference.pixels import ZERO_TO_ONE
from tests.export.conftest import silent


def test_mpg_equals_keras_and_versions_stand_side_by_side(mpg, tmp_path, capfd):
    network, rows = mpg
    folder = tmp_path / "models"
    first = savedmodel.convert(network, folder, name="mpg", report=silent)
    assert first == folder / "mpg" / "1"
    before = (first / "saved_model.pb").read_bytes()
    parity = savedmodel.verify(first, network, rows)
    assert parity.passed, parity
    assert (parity.file, parity.samples) == ("mpg/1", len(rows))
    first.rename(first.with_name("11"))
    second = savedmodel.convert(network, folder, name="mpg", report=silent)
    assert sorted(each.name for each in second.parent.iterdir()) == ["11", "12"]
    assert (second.with_name("11") / "saved_model.pb").read_bytes() == before
    assert capfd.readouterr().err == ""


def test_pixels_go_with_it(digits, tmp_path):
    network, pictures = digits
    path = savedmodel.convert(network, tmp_path, preprocess=ZERO_TO_ONE, report=silent)
    assert path.parent.name == network.name
    parity = savedmodel.verify(path, network, pictures, preprocess=ZERO_TO_ONE)
    assert parity.passed, parity
    assert parity.agreement == 1
    assert not savedmodel.verify(path, network, pictures).passed


def test_who_is_first_keeps_the_version(mpg, tmp_path):
    """Somebody else publishes it while this one is being written."""
    path = tmp_path / "mpg" / "1"

    def publish_another(step, done, total):
        path.mkdir(parents=True)
        (path / "saved_model.pb").write_bytes(b"another")

    with pytest.raises(OSError, match="not empty"):
        savedmodel.convert(mpg[0], tmp_path, name="mpg", report=publish_another)
    assert (path / "saved_model.pb").read_bytes() == b"another"
    assert [each.name for each in path.parent.iterdir()] == ["1"]


def test_changed_weights_another_network_and_damage_are_noticed(mpg, digits, tmp_path):
    network, rows = mpg
    path = savedmodel.convert(network, tmp_path, name="mpg", report=silent)
    with pytest.raises(ValueError, match="made from another"):
        savedmodel.verify(path, *digits)
    weights = path / "variables" / "variables.data-00000-of-00001"
    content = weights.read_bytes()
    bias = network.layers[-2].bias.numpy().astype("<f4")
    start = content.index(bias.tobytes())
    weights.write_bytes(content[:start] + np.float32(bias + 1).tobytes() + content[start + 4 :])
    with pytest.raises(ValueError, match="damaged"):  # a checksum of its own
        savedmodel.verify(path, network, rows)
    (path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(ValueError, match="damaged"):
        savedmodel.verify(path, network, rows)
    shutil.rmtree(path)
    with pytest.raises(FileNotFoundError, match=r"saved_model\.pb"):
        savedmodel.verify(path, network, rows)
