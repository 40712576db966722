"""The image service over real sockets, with the real network."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from course_utils.environment import data_folder, quiet_native_stderr
from course_utils.inference import Predictor, shipped_model
from course_utils.services.image import create_app
from tests.support.bad_images import encoded, exif
from tests.support.serving import Served, serving

PHOTOS = data_folder() / "photos"
# Written down before the network was asked.
EXPECTED: dict[str, list[str]] = json.loads((PHOTOS / "expected.json").read_text("utf-8"))
RIGHT = ["cat.png", "coffee.png", "dog.jpg", "paintbrush.jpg", "red_panda.jpg"]


def ask(served: Served, content: bytes, **more: Any) -> requests.Response:
    files = {"image": ("photo", content)}
    return requests.post(f"{served.url}/api/image", files=files, timeout=60, **more)


def read(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


@pytest.mark.parametrize("name", RIGHT)
def test_it_names_what_the_photo_shows(image: Served, name: str) -> None:
    answer = ask(image, read(name))
    assert answer.status_code == 200
    assert answer.json()["pred"][0]["name"] in EXPECTED[name]


def test_the_answer_has_the_shape_that_the_chapters_clients_expect(image: Served) -> None:
    answer = ask(image, read("fig.jpg")).json()
    assert list(answer) == ["pred"]
    assert [list(guess) for guess in answer["pred"]] == [["name", "prob"]] * 5
    probabilities = [guess["prob"] for guess in answer["pred"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1


def test_a_switch_is_0_or_1(image: Served) -> None:
    answer = ask(image, read("dog.jpg"), params={"thumbnail": "true"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/thumbnail"


@pytest.mark.parametrize(("size", "small"), [((900, 30), (320, 11)), ((10, 5), (10, 5))])
def test_a_thumbnail_keeps_its_proportions_and_is_upright(
    image: Served, size: tuple[int, int], small: tuple[int, int]
) -> None:
    upright = exif((0x0112, 3, 1, 6))  # how the camera was held
    photo = encoded(Image.new("RGB", size, "red"), "JPEG", exif=upright)
    answer = ask(image, photo, params={"thumbnail": "1"}).json()
    head, _, content = answer.pop("thumbnail").partition(",")
    assert answer == ask(image, photo).json()
    assert head == "data:image/jpeg;base64"
    thumbnail = Image.open(io.BytesIO(base64.b64decode(content)))
    assert thumbnail.size == small[::-1]
    red, green, blue = thumbnail.getpixel((0, 0))
    assert red > 250
    assert max(green, blue) < 5


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/url"]),
        ({"url": None, "a/b": 1}, ["/a~1b", "/url"]),
        ({"url": "http://127.0.0.1/cat.png"}, ["/url"]),
        ([], [""]),
    ],
)
def test_every_fault_of_an_address_is_named(image: Served, body: Any, pointers: list[str]) -> None:
    answer = requests.post(f"{image.url}/api/image", json=body, timeout=60)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers
    assert "127.0.0.1" not in answer.text


def test_a_fault_says_what_came_and_what_is_allowed(image: Served) -> None:
    answer = requests.post(f"{image.url}/api/image", json={"url": 5}, timeout=60)
    fault = {"pointer": "/url", "detail": "not a text", "received": "5", "allowed": "a text"}
    assert answer.json()["errors"] == [fault]


def test_too_much_and_the_wrong_kind_are_refused(image: Served) -> None:
    assert ask(image, b"\xff\xd8\xff" + bytes(10_100_000)).status_code == 413
    raw = requests.post(
        f"{image.url}/api/image",
        data=read("cat.png"),
        headers={"Content-Type": "image/png"},
        timeout=60,
    )
    assert raw.status_code == 415
    assert raw.json()["errors"][0]["allowed"] == "multipart/form-data or application/json"


def test_it_says_what_it_serves(image: Served) -> None:
    answer = requests.get(f"{image.url}/api/model", timeout=60).json()
    assert answer == {
        "name": "mobilenet_imagenet",
        "classes": 1000,
        "max_bytes": 10_000_000,
        "formats": ["JPEG", "PNG", "WebP", "GIF", "BMP"],
    }


@pytest.mark.thorough
def test_it_serves_any_image_classifier(tmp_path: Path) -> None:
    """One of three classes: which is the strongest, red, green or blue."""
    with quiet_native_stderr():
        import keras

        pixels = keras.Input((8, 8, 3))
        means = keras.layers.GlobalAveragePooling2D()(pixels)
        shares = keras.layers.Softmax()(keras.layers.Rescaling(0.1)(means))
        keras.Model(pixels, shares).save(tmp_path / "colours.keras")
    (tmp_path / "colours.labels.json").write_text('["red", "grün", "blue"]', "utf-8")
    green = encoded(Image.new("RGB", (50, 30), "lime"), "PNG")
    with serving("image", model=tmp_path / "colours.keras") as served:
        assert "colours.keras" in served.said()
        guesses = ask(served, green).json()["pred"]
        about = requests.get(f"{served.url}/api/model", timeout=60).json()
    assert guesses[0] == {"name": "grün", "prob": 1.0}
    assert len(guesses) == 3
    assert (about["name"], about["classes"]) == ("colours", 3)


@pytest.mark.parametrize(
    ("name", "labels", "error", "reason"),
    [
        ("image", None, FileNotFoundError, "labels.json is missing"),
        ("image", "[1, 2, 3]", ValueError, "not a list of class names"),
        ("image", '["red"]', ValueError, "each of the 1 class names"),
        ("mpg", '["mpg"]', ValueError, "a model of RGB pictures"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_the_start(
    tmp_path: Path, name: str, labels: str | None, error: type[Exception], reason: str
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(shipped_model(name).read_bytes())
    if labels is not None:
        (tmp_path / "m.labels.json").write_text(labels, "utf-8")
    with pytest.raises(error, match=reason):
        create_app(model)


class Broken(Predictor):
    """Its answers are no probabilities."""

    def __init__(self, answer: list[float]):
        self.answer = np.array([answer + 998 * [0]], np.float32)
        self.input_shape, self.output_shape = (224, 224, 3), (1000,)

    def predict(self, batch: Any) -> np.ndarray:
        return self.answer


@pytest.mark.parametrize("answer", [[0.5, 0.4], [np.nan, 0.1], [0.7, 0.7]])
def test_what_is_no_probability_is_not_passed_on(answer: list[float]) -> None:
    client = create_app(shipped_model("image"), predictor=Broken(answer)).test_client()
    photo = io.BytesIO(read("cat.png")), "cat.png"
    reply = client.post("/api/image", data={"image": photo})
    assert (reply.status_code, reply.json.get("pred")) == (500, None)
    assert client.get("/readyz").status_code == 503
