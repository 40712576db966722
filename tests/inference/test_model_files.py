"""Model files of others, of old versions, or damaged: loaded, or refused in three lines at most.

The files in ``keras2`` were saved by Keras 2.13.1 (``keras2/make.py``).
"""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from course_utils.environment import quiet_native_stderr
from course_utils.inference import Predictor, shipped_model
from course_utils.inference.model_files import load_keras
from course_utils.services import digit
from tests.support.command import course

OLD = Path(__file__).parent / "keras2"
TFLITE = shipped_model("mpg").read_bytes()
PAGE = b"<!DOCTYPE html><html><title>Sign in</title>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n"


def pack(name: str, *, encrypted: bool = False, method: int = 0) -> bytes:
    """A ZIP archive of one empty list, which says how that is encrypted or compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "[]")
    content = bytearray(packed.getvalue())
    for start, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = content.index(start) + at
        content[place] |= encrypted
        content[place + 2] = method
    return bytes(content)


def keras_version() -> str:
    with quiet_native_stderr():
        import keras
    return keras.__version__


def edit(path: Path, change: Callable[[list[Any]], None], **attributes: str) -> Path:
    """Change the layers that an ``.h5`` file describes, and its attributes."""
    with h5py.File(path, "r+") as file:
        network = json.loads(file.attrs["model_config"])
        change(network["config"]["layers"])
        file.attrs["model_config"] = json.dumps(network)
        file.attrs.update(attributes)
    return path


def refusal(path: Path) -> str:
    """Why a file is refused, the same wherever it is loaded."""
    with pytest.raises(ValueError, match=path.name) as caught:
        Predictor.load(path)
    said = str(caught.value)
    with pytest.raises(ValueError, match=path.name) as caught:
        digit.create_app(path)
    assert said in str(caught.value)
    assert len(said.splitlines()) <= 3
    assert len(said) < 600
    for part in ("Traceback", "'config':", "Errno", "safe_mode"):
        assert part not in said
    return said


@pytest.mark.parametrize("name", ["keras_model.h5", "recurrent.h5", "depthwise.h5"])
def test_a_network_that_keras_2_saved_answers_as_it_did(name: str, recwarn: Any) -> None:
    answers = np.load(OLD / "answers.npz")
    network = load_keras(OLD / name)
    assert not recwarn.list
    got = np.asarray(network(answers[f"{name}.x"], training=False))
    np.testing.assert_allclose(got, answers[f"{name}.y"], atol=1e-5)


def test_a_keras_zip_that_needs_only_keys_without_effect_dropped_is_loaded() -> None:
    answers = np.load(OLD / "answers.npz")
    network = load_keras(OLD / "sequential.keras")
    got = np.asarray(network(answers["sequential.keras.x"], training=False))
    np.testing.assert_allclose(got, answers["sequential.keras.y"], atol=1e-5)


def test_what_changes_the_network_is_not_dropped(copy: Callable[[str], Path]) -> None:
    def change(layers: list[Any]) -> None:
        for layer in layers:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 3

    said = refusal(edit(copy("depthwise.h5"), change))
    assert "{'groups': 3}" in said.splitlines()[1]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes((OLD / name).read_bytes())
        return path

    return make


def test_versions_cause_and_way_out_are_three_lines(copy: Callable[[str], Path]) -> None:
    head, cause, way_out = refusal(copy("depthwise.keras")).splitlines()
    assert head == (
        "depthwise.keras was saved by Keras 2.13.1, and cannot be loaded by the installed Keras "
        f"{keras_version()}."
    )
    assert cause.startswith("Could not deserialize class 'Functional' because its parent module")
    assert "TFLiteConverter" in way_out
    assert ".h5" in way_out


def name_class(kind: str, **config: Any) -> Callable[[list[Any]], None]:
    def change(layers: list[Any]) -> None:
        layers[-1]["class_name"] = kind
        layers[-1]["config"] = {"name": layers[-1]["config"]["name"], **config}

    return change


@pytest.mark.parametrize(
    ("change", "cause", "head"),
    [
        (name_class("Attention9"), "Unknown layer: 'Attention9'", "needs a class that Keras"),
        (name_class("TFOpLambda", function="exp"), "Unknown layer: 'TFOpLambda'", "needs a class"),
        (name_class("Dense", units=1, sparkle=True), "{'sparkle': True}", "saved by Keras 99.1.0"),
    ],
)
def test_a_layer_that_is_not_keras_own_is_named(
    copy: Callable[[str], Path], change: Callable[[list[Any]], None], cause: str, head: str
) -> None:
    said = refusal(edit(copy("depthwise.h5"), change, keras_version="99.1.0"))
    assert head in said.splitlines()[0]
    assert cause in said.splitlines()[1]


def test_a_lambda_as_keras_2_wrote_it_is_refused(copy: Callable[[str], Path]) -> None:
    harm = name_class("Lambda", function=["4wEAAAA=", None, None], function_type="lambda")
    assert "carries Python code" in refusal(edit(copy("depthwise.h5"), harm))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.h5", b"", "m.h5 is not a model: the file is empty"),
        ("m.keras", PAGE, "<!DOCTYPE html>"),
        ("m.tflite", POINTER, "version https://git-lfs"),
        ("m.h5", TFLITE, "Rename it to m.tflite"),
        ("m.keras", (OLD / "depthwise.h5").read_bytes(), "Rename it to m.h5"),
        ("m.tflite", (OLD / "depthwise.keras").read_bytes(), "Rename it to m.keras"),
        ("m.hdf5", (OLD / "depthwise.h5").read_bytes(), "Rename it to m.h5"),
        ("m.H5", (OLD / "depthwise.h5").read_bytes(), "Rename it to m.h5"),
        ("m.zip", pack("keras_model.h5"), "unpack it and give the .keras or .h5 file inside"),
        ("m.keras", pack("config.json", encrypted=True), "m.keras is damaged, .* encrypted"),
        ("m.keras", pack("config.json", method=99), "m.keras is damaged, .* compression"),
        ("m.h5", (OLD / "depthwise.h5").read_bytes()[:7000], "m.h5 is damaged"),
        ("m.keras", (OLD / "depthwise.keras").read_bytes()[:7000], "m.keras is damaged"),
        ("m.tflite", TFLITE[: len(TFLITE) // 2], "m.tflite: not a LiteRT model"),
    ],
)
def test_another_kind_and_a_damaged_file_are_told_apart(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert re.search(said, refusal(path))


def test_a_number_in_place_of_layers_is_damage(copy: Callable[[str], Path]) -> None:
    path = copy("depthwise.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = 7
    assert "is damaged" in refusal(path)


def test_of_equal_versions_none_is_named(copy: Callable[[str], Path]) -> None:
    odd = name_class("Dense", units=1, sparkle=True)
    said = refusal(edit(copy("depthwise.h5"), odd, keras_version=keras_version()))
    assert "was saved by" not in said


def test_a_file_that_holds_no_network_is_told_to_hold_weights(copy: Callable[[str], Path]) -> None:
    path = copy("depthwise.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    assert "m holds no network" in refusal(path).replace("depthwise.h5", "m")
    with zipfile.ZipFile(path.with_name("m.keras"), "w") as archive:
        archive.writestr("saved_model.pb", "")
    assert "m.keras holds no network" in refusal(path.with_name("m.keras"))


@pytest.mark.parametrize("text", ["no JSON", "[" * 100_000, '{"class_name": "Dense"}', "[1, 2]"])
def test_a_description_of_no_network_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", text)
        archive.writestr("metadata.json", "[]")
    refusal(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.keras").mkdir()
    assert "is a folder" in refusal(tmp_path / "m.keras")


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["depthwise.h5", "sequential.keras"])
def test_damage_anywhere_ends_in_an_answer_or_a_sentence(tmp_path: Path, name: str) -> None:
    whole, rng = (OLD / name).read_bytes(), np.random.default_rng(0)
    path = tmp_path / name
    for start in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:start] + rng.bytes(16) + whole[start + 16 :])
        said = ""
        try:
            load_keras(path)
        except ValueError as error:
            said = str(error)
        assert len(said.splitlines()) <= 3
        assert len(said) < 600


@pytest.mark.thorough
def test_the_command_says_it_in_the_same_words(copy: Callable[[str], Path]) -> None:
    path = copy("depthwise.keras")
    said = refusal(path)
    schema = shipped_model("mpg").with_name("mpg.schema.json").read_text("utf-8")
    path.with_name("depthwise.schema.json").write_text(schema, "utf-8")
    rows = path.with_name("rows.csv")
    rows.write_text("a\n1\n", "utf-8")
    for words in (
        ("serve", "digit", "--port", 5999),
        ("predict", "mpg", "--input", rows, "--output", path.with_name("out.csv")),
    ):
        result = course(*words, "--model", path)
        assert result.exit_code == 1
        assert said in result.output
