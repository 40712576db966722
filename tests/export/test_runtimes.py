"""LiteRT and ONNX files compute what Keras computes, and carry the names of their classes."""

import json

import numpy as np
import pytest

from course_utils.export import litert, onnx
from course_utils.export.source import Source
from course_utils.inference import labels_path, load_labels
from course_utils.inference.pixels import ZERO_TO_ONE
from tests.export.conftest import silent

LABELS = ["zero", "one", "two", "drei", "vièr"]
BOTH = [pytest.param(litert, "n.tflite", id="litert"), pytest.param(onnx, "n.onnx", id="onnx")]


@pytest.mark.parametrize(("module", "name"), BOTH)
def test_mpg_equals_keras(module, name, mpg, tmp_path, capfd):
    network, rows = mpg
    path = module.convert(network, tmp_path / name)
    kind = {litert: "LiteRT", onnx: "ONNX"}[module]
    assert capfd.readouterr() == (
        f"1/1 translating the network to {kind}, writing {name} ...\n",
        "",
    )
    parity = module.verify(path, network, rows)
    assert parity.passed, parity
    assert parity.differences.keys() == {"outputs"}
    assert parity.agreement is None


@pytest.mark.parametrize(("module", "name"), BOTH)
def test_what_is_wrong_is_noticed(module, name, digits, tmp_path):
    network, pictures = digits
    path = module.convert(network, tmp_path / name, preprocess=ZERO_TO_ONE, report=silent)
    assert module.verify(path, network, pictures, preprocess=ZERO_TO_ONE).passed
    shift = network.get_layer("answer").bias.numpy()
    content = path.read_bytes()
    start = content.index(shift.astype("<f4").tobytes())
    moved = np.float32(shift[0] + shift.std()).tobytes()
    path.write_bytes(content[:start] + moved + content[start + 4 :])
    parity = module.verify(path, network, pictures, preprocess=ZERO_TO_ONE)
    assert not parity.passed


@pytest.mark.parametrize(("module", "name"), BOTH)
def test_another_network_and_damage_are_refused(module, name, digits, mpg, tmp_path):
    network, rows = mpg
    path = module.convert(network, tmp_path / name, report=silent)
    with pytest.raises(ValueError, match="made from another"):
        module.verify(path, *digits)
    path.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"is not a model|cannot be read"):
        module.verify(path, network, rows)
    with pytest.raises(FileNotFoundError):
        module.verify(tmp_path / f"nowhere{path.suffix}", network, rows)


def test_the_image_service_reads_the_labels_of_litert(digits, tmp_path):
    network, pictures = digits
    path = litert.convert(network, tmp_path / "n.tflite", labels=LABELS, report=silent)
    assert load_labels(path) == LABELS
    labels_path(path).write_text('["one"]', "utf-8")
    with pytest.raises(ValueError, match="names 1 of 5"):
        litert.verify(path, network, pictures)
    litert.convert(network, path, overwrite=True, report=silent)
    assert not labels_path(path).exists()  # those of another model


def test_an_onnx_file_has_its_labels(digits, tmp_path):
    import onnx as library

    path = onnx.convert(digits[0], tmp_path / "n.onnx", labels=LABELS, report=silent)
    said = {entry.key: entry.value for entry in library.load(path).metadata_props}
    assert json.loads(said["labels"]) == LABELS


def test_labels_are_made_unique_also_where_one_has_a_number_already(digits):
    """CoreML answers with a dictionary: of two equal names one would be lost."""
    labels = Source(digits[0], labels=["a", "a (2)", "a", "b", "b"]).labels
    assert labels == ["a", "a (2)", "a (2) (2)", "b", "b (4)"]
