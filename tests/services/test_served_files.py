"""Model files of all kinds into a service: each starts and answers right, or is refused."""

import base64
import io
import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from course_utils.inference import labels_path, schema_path, shipped_model, to_litert, write_labels
from course_utils.inference.pixels import write_pixels
from course_utils.services import SERVICES
from tests.inference.test_model_files import OLD, PAGE, POINTER, TFLITE, edit, name_class, pack
from tests.services import test_fitting as fitting
from tests.support.command import course
from tests.support.serving import CAR, free_port

Make = Callable[[Path], Any]
DIGIT = shipped_model("digit").read_bytes()


def content(data: bytes) -> Make:
    return lambda path: path.write_bytes(data)


def old(name: str, share: float = 1.0) -> Make:
    data = (OLD / name).read_bytes()
    return content(data[: int(len(data) * share)])


def shipped(name: str, labels: Any = None) -> Make:
    def make(path: Path) -> None:
        shutil.copy(shipped_model(name), path)
        if labels is None and labels_path(shipped_model(name)).is_file():
            shutil.copy(labels_path(shipped_model(name)), labels_path(path))
        elif labels is not None:
            labels_path(path).write_bytes(labels)

    return make


def with_schema(text: str | None) -> Make:
    def make(path: Path) -> None:
        path.write_bytes(TFLITE)
        schema_path(path).unlink()
        if text is not None:
            schema_path(path).write_text(text, "utf-8")

    return make


def network(build: Callable[[Any], Any], labels: list[str] | None = None) -> Make:
    """A network of Keras, as the name of the file wants it saved."""

    def make(path: Path) -> None:
        import keras

        made = build(keras)
        if path.suffix == ".tflite":
            path.write_bytes(to_litert(made))
            write_pixels(made, path)
        else:
            made.save(path)
        if labels:
            write_labels(path, labels)

    return make


def rows(*layers: Any, bias: float = 21.5, weight: float = 0.0) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        first = [layer(keras.layers) for layer in layers]
        made = keras.Sequential([keras.Input((7,)), *first, keras.layers.Dense(1)])
        kernel, _ = made.layers[-1].get_weights()
        made.layers[-1].set_weights([np.full_like(kernel, weight), np.array([bias])])
        return made

    return build


def photos(*last: Any, first: str = "Rescaling") -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        layers = keras.layers
        begin = [layers.Rescaling(1 / 255)] if first == "Rescaling" else []
        names = ("conv1", "conv_dw_1") if first == "MobileNet" else ("a", "b")
        body = [layers.Conv2D(4, 3, name=names[0]), layers.DepthwiseConv2D(3, name=names[1])]
        end = [layers.GlobalAveragePooling2D(), layers.Dense(*last)]
        return keras.Sequential([keras.Input((32, 32, 3)), *begin, *body, *end])

    return build


def ink(keras: Any) -> Any:
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return keras.Sequential(
        [keras.Input((28, 28, 1)), *layers, keras.layers.Dense(10, activation="softmax")]
    )


def half(keras: Any) -> Any:
    return rows(lambda layers: layers.Dense(4, dtype="mixed_float16"))(keras)


def with_number(path: Path) -> None:
    import h5py

    old("depthwise.h5")(path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = 7


def unknown(path: Path) -> None:
    old("depthwise.h5")(path)
    edit(path, name_class("Attention9"))


def code(path: Path) -> None:
    old("depthwise.h5")(path)
    edit(path, name_class("Lambda", function=["4wEAAAA=", None, None]))


def teachable(path: Path) -> None:
    old("keras_model.h5")(path)
    shutil.copy(OLD / "labels.txt", path.parent)


SOFTMAX, CATS = photos(2, "softmax"), ["cat", "dog"]
STOCK = photos(2, "softmax", first="MobileNet")
MEMORY = rows(lambda layers: layers.Reshape((7, 1)), lambda layers: layers.LSTM(3))

#: service, name of the file, what makes it, pixels, and why it is refused (None: it is served)
FILES: list[tuple[str, str, Make, str | None, str | None]] = [
    # Own ones, old ones, and foreign ones that fit
    ("mpg", "m.tflite", content(TFLITE), None, None),
    ("mpg", "m.keras", network(rows()), None, None),
    ("mpg", "m.h5", network(rows()), None, None),
    ("image", "m.tflite", shipped("image"), None, None),
    ("image", "m.keras", network(SOFTMAX, CATS), None, None),
    ("image", "m.keras", network(SOFTMAX, CATS), "0..255", None),
    ("image", "m.tflite", network(photos(1, "sigmoid"), CATS), None, None),
    ("image", "keras_model.h5", teachable, None, None),
    ("pets", "m.tflite", shipped("pets"), None, None),
    ("pets", "keras_model.h5", teachable, None, None),
    ("digit", "m.tflite", content(DIGIT), None, None),
    ("digit", "m.keras", network(ink), None, None),
    ("digit", "m.tflite", network(ink), None, None),
    # Other kinds, and other names
    ("digit", "m.hdf5", old("depthwise.h5"), None, "Rename it to m.h5"),
    ("digit", "m.H5", old("depthwise.h5"), None, "Rename it to m.h5"),
    ("digit", "m.zip", content(pack("keras_model.h5")), None, "unpack it and give the .keras"),
    ("mpg", "m.onnx", content(b"\x08\x08\x12\x07pytorch"), None, "expected one of .tflite"),
    ("mpg", "m.pkl", content(pickle.dumps([1])), None, "is a pickle"),
    ("mpg", "m.tflite", content(PAGE), None, "<!DOCTYPE html>"),
    ("mpg", "m.h5", content(POINTER), None, "version https://git-lfs"),
    ("mpg", "m.keras", content(b""), None, "the file is empty"),
    ("mpg", "m.keras", content(TFLITE), None, "Rename it to m.tflite"),
    ("mpg", "m.keras", content(pack("saved_model.pb")), None, "holds no network"),
    ("digit", "m.keras", old("depthwise.keras"), None, "was saved by Keras 2.13.1"),
    ("digit", "m.h5", unknown, None, "Python code of its author's"),
    ("digit", "m.h5", code, None, "carries Python code"),
    # Damage
    ("digit", "m.h5", old("depthwise.h5", 0.5), None, "m.h5 is damaged"),
    ("digit", "m.keras", old("sequential.keras", 0.5), None, "m.keras is damaged"),
    ("digit", "m.tflite", content(DIGIT[:50_000]), None, "not a LiteRT model"),
    ("mpg", "m.keras", content(pack("config.json", encrypted=True)), None, "encrypted"),
    ("mpg", "m.keras", content(pack("config.json", method=99)), None, "compression"),
    ("mpg", "m.h5", with_number, None, "is damaged"),
    # Schemas and labels of something else
    ("mpg", "m.tflite", content(DIGIT), None, "its schema has 7 features"),
    ("mpg", "m.tflite", with_schema(None), None, "m.schema.json is missing"),
    ("mpg", "m.tflite", with_schema("[" * 100_000), None, "is not a saved FeatureSchema"),
    ("mpg", "m.tflite", with_schema(fitting.edit_schema(properties={})), None, "has 0 features"),
    ("mpg", "m.tflite", with_schema(fitting.edit_range({"minimum": "3"})), None, "'weight' needs"),
    ("image", "m.tflite", content(DIGIT), None, "m.labels.json is missing"),
    ("image", "m.tflite", shipped("image", b'["cat"]'), None, "m.labels.json"),
    ("image", "m.tflite", shipped("image", b'["K\xf6ter"]'), None, "is not UTF-8"),
    ("image", "m.tflite", shipped("image", b"[" * 100_000), None, "is not a list of class names"),
    ("pets", "m.tflite", network(SOFTMAX, ["ant", "bee"]), None, "m.labels.json names ant, bee"),
    ("digit", "m.tflite", shipped("image"), None, "28 × 28"),
    # Networks that do not fit, and pixels that the file contradicts
    ("mpg", "m.tflite", network(rows(weight=-3.0)), None, r"predicts -\d+ mpg"),
    ("mpg", "m.tflite", network(rows(bias=np.nan)), None, "is not a number"),
    ("mpg", "m.keras", network(MEMORY), None, "The layer 'lstm.*unroll=True"),
    ("mpg", "m.keras", network(half), None, "computes in float16"),
    ("image", "m.tflite", network(photos(2), CATS), None, "does not return probabilities"),
    ("image", "m.tflite", network(photos(3, "softmax"), CATS), None, "each of the 2 class names"),
    ("image", "m.keras", network(SOFTMAX, CATS), "-1..1", "Leave out --pixels -1..1"),
    ("image", "m.tflite", network(SOFTMAX, CATS), "0..1", "Leave out --pixels 0..1"),
    *(
        (
            "image",
            f"m.{kind}",
            network(photos(2, "softmax", first="MobileNet"), CATS),
            None,
            "-1..1",
        )
        for kind in ("keras", "tflite")
    ),
]


def ask(service: str, client: Any) -> Any:
    """What a service answers to a sample that it has to know."""
    if service == "mpg":
        return client.post("/api/mpg", json=CAR)
    if service == "digit":
        picture = io.BytesIO()
        one = Image.new("L", (100, 100), "white")
        one.paste("black", (45, 20, 55, 80))
        one.save(picture, "PNG")
        return client.post("/api/digit", data={"file": (io.BytesIO(picture.getvalue()), "x.png")})
    if service == "pets":
        photo = base64.b64encode(fitting.CAT).decode()
        return client.post("/", json={"image": photo})
    return client.post("/api/image", data={"image": (io.BytesIO(fitting.CAT), "cat.png")})


@pytest.mark.thorough
# Keras 3.13 as it saves weights, with NumPy 2, and as it saves .h5.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("service", "name", "make", "pixels", "reason"), FILES)
def test_a_file_is_served_or_refused_in_a_sentence(
    tmp_path: Path, service: str, name: str, make: Make, pixels: str | None, reason: str | None
) -> None:
    path = tmp_path / name
    schema_path(path).write_text(fitting.SCHEMA, "utf-8")
    make(path)
    if reason is None:
        answer = ask(service, SERVICES[service].create_app(path, pixels=pixels).test_client())
        assert answer.status_code == 200
        told = json.loads(answer.data)
        if service == "mpg":
            assert 5 < told["mpg"] < 60
        elif service == "image" and len(told["pred"]) == 5:  # the one that was trained on photos
            assert "cat" in told["pred"][0]["name"]
        return
    with pytest.raises((ValueError, FileNotFoundError)):  # else the command would go on serving
        SERVICES[service].create_app(path, pixels=pixels)
    options = ["--pixels", pixels] if pixels else []
    refused = course("serve", service, "--model", path, "--port", free_port(), *options)
    assert refused.exit_code == 1
    assert isinstance(refused.exception, SystemExit)
    said = refused.output.partition("Error: ")[2]
    assert re.search(reason, said)
    assert re.search(r"\bm\b", said)
    assert len(said.splitlines()) <= 3
    assert "Traceback" not in refused.output
