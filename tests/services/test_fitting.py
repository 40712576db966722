"""What a service checks before it serves: model, schema or labels, pixels and a known sample."""

import base64
import io
import json
import math
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils.environment import data_folder, quiet_native_stderr
from course_utils.export import litert
from course_utils.inference import (
    labels_path,
    name_faulty_model,
    schema_path,
    shipped_model,
    to_litert,
    write_labels,
)
from course_utils.inference.pixels import PIXELS, RAW, ZERO_TO_ONE, Pixels, choose_pixels
from course_utils.services import SERVICES, image
from tests.support.command import course
from tests.support.serving import CAR, COURSE, MODEL, free_port, running

SCHEMA = schema_path(MODEL).read_text("utf-8")
CAT = (data_folder() / "photos" / "cat.png").read_bytes()


def ask_image(client: Any) -> list[dict[str, Any]]:
    answer = client.post("/api/image", data={"image": (io.BytesIO(CAT), "cat.png")})
    assert answer.status_code == 200
    return answer.json["pred"]


def edit_schema(**changes: Any) -> str:
    return json.dumps(json.loads(SCHEMA) | changes)


def edit_range(change: dict[str, Any]) -> str:
    properties = json.loads(SCHEMA)["properties"]
    return edit_schema(properties=properties | {"weight": properties["weight"] | change})


@pytest.mark.parametrize(
    ("model", "schema", "reason"),
    [
        ("digit", SCHEMA, r"m takes examples of shape \(28, 28\) and answers \(10,\); its schema"),
        ("mpg", edit_schema(properties={}), r"shape \(7,\) .* its schema has 0 features"),
        ("mpg", edit_schema(**{"x-target": "price"}), "predicts 'price'.* predicts 'mpg'"),
        ("mpg", "[]", "m.schema.json is not a saved FeatureSchema"),
        *(
            ("mpg", edit_range(change), "saved FeatureSchema: feature 'weight' needs a range")
            for change in (
                {"minimum": "3"},
                {"minimum": None},
                {"maximum": math.nan},
                {"minimum": 9e9},
                {"type": "string"},
            )
        ),
        ("mpg", None, "m.schema.json is missing: the names and ranges .*Notebook 02"),
    ],
)
def test_a_schema_of_something_else_is_no_start(
    tmp_path: Path, model: str, schema: str | None, reason: str
) -> None:
    path = Path(shutil.copy(shipped_model(model), tmp_path / "m.tflite"))
    if schema is not None:
        schema_path(path).write_text(schema, "utf-8")
    error = ValueError if schema else FileNotFoundError
    with pytest.raises(error, match=reason):
        SERVICES["mpg"].create_app(path)
    refused = course("serve", "mpg", "--model", path, "--port", free_port())
    assert refused.exit_code == 1
    said = refused.output.partition("Error: ")[2]
    assert re.search(reason, said)
    assert len(said.splitlines()) <= 3


def save_broken(path: Path) -> None:
    path.write_bytes(b"no model")


def save_cut(path: Path) -> None:
    path.write_bytes(shipped_model("digit").read_bytes()[:50_000])


def save_folder(path: Path) -> None:
    path.mkdir()


def save_dead_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("save", [save_broken, save_cut, save_folder, save_dead_link])
@pytest.mark.parametrize(
    ("name", "notebook"), [("mpg", "02"), ("image", "04"), ("digit", "09"), ("pets", "10")]
)
def test_a_broken_model_of_the_learners_own_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    notebook: str,
    save: Callable[[Path], None],
) -> None:
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    own = tmp_path / f"{name}.tflite"
    save(own)
    schema_path(own).write_text(SCHEMA, "utf-8")
    write_labels(own, ["cat", "dog"])
    refused = course("serve", name, "--port", free_port())
    said = refused.output.partition("Error: ")[2]
    assert refused.exit_code == 1
    assert f"This is your own model, {own}: run notebook {notebook} again" in said
    assert "Errno" not in said
    assert len(said.splitlines()) <= 3


def test_an_error_names_the_file_that_it_is_about(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").mkdir()  # what cannot be read raises the same, with another text
    reason = r"m\.tflite cannot be served: labels\.txt: Is a directory"
    with pytest.raises(ValueError, match=reason), name_faulty_model(tmp_path / "m.tflite"):
        (tmp_path / "labels.txt").read_text("utf-8")


# Pixels


def test_pixels_are_prepared_as_the_network_wants_them() -> None:
    """The one that the course brings takes 0 to 255: told otherwise, it sees something else."""
    model = shipped_model("image")
    known = (None, RAW, "0..255", ZERO_TO_ONE)
    asked = [image.create_app(model, pixels=p).test_client() for p in known]
    plain, same, named, other = (ask_image(client)[0] for client in asked)
    assert plain == same == named
    assert "cat" in plain["name"]
    assert "cat" not in other["name"]
    doubled = image.create_app(model, pixels=Pixels(scale=2.0)).test_client()
    assert ask_image(doubled)[0] != plain


def test_pixels_are_asked_for_where_they_matter() -> None:
    assert "takes no --pixels" in course("serve", "mpg", "--pixels", "0..1").output
    assert "'-1..1'" in course("serve", "image", "--pixels", "0..2").output
    assert "0-255" in course("serve", "--help").output
    with pytest.raises(ValueError, match=r"one of 0\.\.255, -1\.\.1, 0\.\.1, caffe, not 'tf'"):
        image.create_app(shipped_model("image"), pixels="tf")


def write_config(path: Path, *layers: Any) -> Path:
    """A Keras file with nothing but its layers: a name stands for a convolution."""
    parts = [
        layer if isinstance(layer, dict) else {"class_name": "Conv2D", "config": {"name": layer}}
        for layer in layers
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": parts}}))
    return path


def inner(*layers: str) -> dict[str, Any]:
    parts = [{"class_name": "Conv2D", "config": {"name": name}} for name in layers]
    return {"class_name": "Functional", "config": {"name": "base", "layers": parts}}


def of_kind(kind: str) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": kind.lower()}}


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ([of_kind("InputLayer"), "conv1", "conv_dw_1"], "MobileNet .* --pixels -1..1 "),
        ([of_kind("RandomFlip"), inner("conv1", "conv_dw_1")], "MobileNet .* --pixels -1..1 "),
        (["block1_conv1", "block1_pool"], "VGG .* --pixels caffe "),
        (["conv1_conv", "conv2_block1_concat"], "DenseNet .*preprocess_input"),
        ([of_kind("Rescaling"), inner("conv1", "conv_dw_1")], None),
        ([of_kind("TFOpLambda"), inner("conv1", "conv_dw_1")], None),
        (["conv1", "conv2"], None),
        ([{"class_name": "Conv2D"}, "conv_dw_1"], None),
    ],
)
def test_a_network_of_keras_own_tells_its_pixels(
    tmp_path: Path, layers: list[Any], wanted: str | None
) -> None:
    path = write_config(tmp_path / "m.keras", *layers)
    assert choose_pixels(path, "0..255") == RAW  # who says so knows
    if wanted is None:
        assert choose_pixels(path) == RAW
    else:
        with pytest.raises(ValueError, match=rf"m\.keras is Keras' {wanted}"):
            choose_pixels(path)


# Keras 3.13 as it saves weights, with NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_file_of_litert_tells_its_pixels_too(tmp_path: Path) -> None:
    with quiet_native_stderr():
        import keras
    layers, path = keras.layers, tmp_path / "m.tflite"
    first = [keras.Input((28, 28, 1)), layers.ZeroPadding2D(1)]
    net = [layers.Conv2D(4, 3, name="conv1"), layers.DepthwiseConv2D(3, name="conv_dw_1")]
    net += [layers.Flatten(), layers.Dense(2)]
    path.write_bytes(to_litert(keras.Sequential([*first, *net])))
    with pytest.raises(ValueError, match=r"m\.tflite is Keras' MobileNet .* --pixels -1..1 "):
        choose_pixels(path)
    scaled = keras.Sequential([*first, layers.Rescaling(1 / 255), *net])
    litert.convert(scaled, path, overwrite=True, report=lambda *_: None)
    scaled.save(path.with_suffix(".keras"))
    for file in (path, path.with_suffix(".keras")):
        assert choose_pixels(file) == choose_pixels(file, default="0..1") == RAW
        with pytest.raises(ValueError, match=r"scale them twice. Leave out --pixels -1\.\.1"):
            choose_pixels(file, "-1..1")


@pytest.mark.thorough
# Keras 3.13 as it saves weights, with NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_mobilenet_as_keras_saves_it_is_served_once_its_pixels_are_named(tmp_path: Path) -> None:
    with quiet_native_stderr():
        import keras

        network = keras.applications.MobileNet(weights="imagenet")
        network.save(tmp_path / "m.keras")
    shutil.copy(labels_path(shipped_model("image")), tmp_path / "m.labels.json")
    command = [str(COURSE), "serve", "image", "--model", str(tmp_path / "m.keras")]
    refused = course(*command[1:], "--port", free_port())
    assert refused.exit_code == 1
    assert "--pixels -1..1" in refused.output
    with running([*command, "--pixels", "-1..1"]) as served:
        import requests

        files = {"image": CAT}
        best = requests.post(f"{served.url}/api/image", files=files, timeout=60).json()["pred"][0]
    assert "cat" in best["name"]
    exported = tmp_path / "m.tflite"
    with pytest.warns(
        UserWarning, match=r"m.tflite takes pixels .* Keras' MobileNet .* preprocess"
    ):
        litert.convert(network, exported, report=lambda *_: None)
    with pytest.raises(ValueError, match=r"Keras' MobileNet .* --pixels -1..1 "):
        image.create_app(exported)
    there = ask_image(image.create_app(exported, pixels="-1..1").test_client())[0]
    assert there["name"] == best["name"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        *(("MobileNetV2", "-1..1"), ("InceptionV3", "-1..1"), ("InceptionResNetV2", "-1..1")),
        *(("Xception", "-1..1"), ("NASNetMobile", "-1..1"), ("ResNet50V2", "-1..1")),
        *(("ResNet50", "caffe"), ("VGG16", "caffe"), ("VGG19", "caffe")),
        *(("EfficientNetB0", None), ("MobileNetV3Small", None), ("ConvNeXtTiny", None)),
    ],
)
def test_keras_networks_are_known_by_their_layers(
    tmp_path: Path, name: str, wanted: str | None
) -> None:
    with quiet_native_stderr():
        import keras

        network = getattr(keras.applications, name)(weights=None, classes=2)
    config = keras.saving.serialize_keras_object(network)
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    if wanted is None:
        assert choose_pixels(tmp_path / "m.keras") == RAW
    else:
        with pytest.raises(ValueError, match=f"--pixels {wanted} "):
            choose_pixels(tmp_path / "m.keras")
        assert choose_pixels(tmp_path / "m.keras", wanted) == PIXELS[wanted]


# Networks of other kinds

PHOTO = (32, 32, 3)


def build(shape: tuple[Any, ...], *last: Any) -> Any:
    """A small network; of pictures with a convolution, of a table with nothing before ``last``."""
    with quiet_native_stderr():
        import keras
    layers = keras.layers
    first = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()] if len(shape) == 3 else []
    scale = [layers.Rescaling(1 / 255)] if len(shape) == 3 else []
    five = keras.initializers.Constant(5)  # no probability, unless an activation makes one of it
    dense = [layers.Dense(*each, bias_initializer=five) for each in last]
    return keras.Sequential([keras.Input(shape), *scale, *first, *dense])


def with_nan() -> Any:
    network = build((7,), (1,))
    network.set_weights([np.full((7, 1), np.nan), np.zeros(1)])
    return network


def with_negative_miles() -> Any:
    network = build((7,), (1,))
    network.set_weights([np.full((7, 1), -3.0), np.zeros(1)])
    return network


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("service", "make", "labels", "reason"),
    [
        ("mpg", lambda: build((7,), (3, "softmax")), None, r"answers \(3,\).* and one answer, mpg"),
        ("mpg", lambda: build((3,), (1,)), None, r"shape \(3,\) .* has 7 features"),
        ("mpg", with_nan, None, "is not a number"),
        ("mpg", with_negative_miles, None, r"m predicts -\d+ mpg for .*; 0 to 150 are possible"),
        ("image", lambda: build(PHOTO, (3,)), "abc", r'Dense\(3, activation="softmax"\)'),
        ("image", lambda: build(PHOTO, (3, "sigmoid")), "abc", "does not return probabilities"),
        ("image", lambda: build(PHOTO, (1, "sigmoid")), "abc", "each of the 3 class names"),
        ("image", lambda: build((32, 32, 1), (3, "softmax")), "abc", "a model of RGB pictures"),
        ("image", lambda: build((None, None, 3), (3, "softmax")), "abc", r"keras\.Input\(\(224"),
        ("image", lambda: build(PHOTO), "abc", r"answers with shape \(4,\)"),
        ("pets", lambda: build(PHOTO, (1,)), ["cat", "dog"], "single output with sigmoid"),
        ("digit", lambda: build((28, 28, 1), (10,)), None, "does not return probabilities"),
    ],
)
def test_a_network_that_does_not_fit_is_no_start(
    tmp_path: Path, service: str, make: Callable[[], Any], labels: Any, reason: str
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(to_litert(make()))
    schema_path(path).write_text(SCHEMA, "utf-8")
    if labels:
        write_labels(path, labels)
    with pytest.raises(ValueError, match=reason) as refused:
        SERVICES[service].create_app(path)
    assert len(str(refused.value).splitlines()) <= 3


@pytest.mark.thorough
def test_a_single_sigmoid_is_the_probability_of_the_second_class(tmp_path: Path) -> None:
    network = build(PHOTO, (1, "sigmoid"))
    *others, _, _ = network.get_weights()
    network.set_weights([*others, np.zeros((4, 1)), np.log([9.0])])  # 0.9, whatever it is shown
    path = tmp_path / "m.tflite"
    path.write_bytes(to_litert(network))
    write_labels(path, ["cat", "dog"])
    photo = {"image": base64.b64encode(CAT).decode()}
    answer = SERVICES["pets"].create_app(path).test_client().post("/", json=photo)
    assert answer.json["prediction"] == pytest.approx({"cat": 0.1, "dog": 0.9}, abs=1e-5)
    assert ask_image(image.create_app(path).test_client())[0]["name"] == "dog"


@pytest.mark.thorough
def test_a_network_that_fits_is_served(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    network = build((7,), (1,))
    network.set_weights([np.zeros((7, 1)), np.array([21.5])])
    path.write_bytes(to_litert(network))
    schema_path(path).write_text(SCHEMA, "utf-8")
    client = SERVICES["mpg"].create_app(path).test_client()
    assert client.post("/api/mpg", json=CAR).json["mpg"] == 21.5
