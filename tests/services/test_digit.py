"""The digit service over real sockets, with the shipped network and MNIST's test digits."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image, ImageDraw, ImageFont

from course_utils.datasets import load_mnist
from course_utils.inference import Predictor, shipped_model
from course_utils.services.digit import create_app
from tests.support.bad_images import encoded
from tests.support.serving import MODEL, Served, serving

SEED = 9
COUNT = 100  # a thousand in benchmarks/digits.py


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("digit") as served:
        yield served


@pytest.fixture(scope="module")
def test_digits() -> list[tuple[np.ndarray, str]]:
    pictures, labels = load_mnist()[1]
    drawn = np.random.default_rng(SEED).permutation(len(labels))[:COUNT]
    return [(pictures[at], str(labels[at])) for at in drawn]


def ask(served: Served, content: bytes, path: str = "/upload") -> requests.Response:
    files = {"file": ("digit", content)}
    return requests.post(f"{served.url}{path}", files=files, timeout=60)


def on_nothing(pixels: np.ndarray, line: int) -> Image.Image:
    """Transparent but for the digit, which is drawn in that grey."""
    ink = Image.fromarray(pixels)
    grey = Image.new("L", ink.size, line)
    return Image.merge("RGBA", (grey, grey, grey, ink))


@pytest.fixture(scope="module")
def seven() -> bytes:
    """A 7 as a program prints it, on a page of 300 × 400."""
    page = Image.new("RGB", (300, 400), "white")
    font = ImageFont.load_default(250)
    ImageDraw.Draw(page).text((70, 50), "7", "black", font, stroke_width=4)
    return encoded(page, "PNG")


FORMS: dict[str, Any] = {
    "as they are": Image.fromarray,
    "white on nothing": lambda pixels: on_nothing(pixels, 255),
    "black on nothing": lambda pixels: on_nothing(pixels, 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_reads_digits(
    served: Served, test_digits: list[tuple[np.ndarray, str]], form: str
) -> None:
    pictures = [(FORMS[form](pixels), label) for pixels, label in test_digits]
    right = [ask(served, encoded(image, "PNG")).json() == label for image, label in pictures]
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize("path", ["/upload", "/uploads"])
def test_the_answer_is_what_existing_clients_expect(
    served: Served, seven: bytes, path: str
) -> None:
    answer = ask(served, seven, path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text.strip() == '"7"'


def test_a_body_that_is_too_large_is_not_read(served: Served) -> None:
    assert ask(served, bytes(10_100_000)).status_code == 413


def test_the_probabilities_belong_to_the_digit(served: Served, seven: bytes) -> None:
    answer = ask(served, seven, "/api/digit").json()
    assert list(answer) == ["digit", "probabilities", "unsure"]
    assert answer["unsure"] is False
    assert len(answer["probabilities"]) == 10
    assert abs(sum(answer["probabilities"]) - 1) < 1e-4
    assert answer["digit"] == str(int(np.argmax(answer["probabilities"]))) == "7"


@pytest.mark.parametrize(
    "image",
    [Image.new("RGB", (280, 280), "white"), Image.new("RGBA", (280, 280), (0, 0, 0, 0))],
    ids=["white", "transparent"],
)
def test_an_empty_picture_is_told_apart(served: Served, image: Image.Image) -> None:
    answer = ask(served, encoded(image, "PNG"))
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "/file"
    assert fault["detail"].startswith("nothing is drawn")


@pytest.mark.parametrize("path", ["/upload", "/api/digit"])
def test_two_digits_are_refused(served: Served, path: str) -> None:
    page = Image.new("RGB", (400, 300), "white")
    font = ImageFont.load_default(180)
    ImageDraw.Draw(page).text((70, 50), "4 2", "black", font, stroke_width=4)
    answer = ask(served, encoded(page, "PNG"), path)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    (fault,) = answer.json()["errors"]
    assert fault["detail"] == "more than one digit is seen"
    assert fault["received"] == "a picture of 400 × 300 pixels"


def test_doubt_is_said(served: Served) -> None:
    """Of the digit that the network finds the hardest."""
    pictures = load_mnist()[1][0][:2000]
    found = Predictor.load(shipped_model("digit")).predict(pictures / np.float32(255))
    hardest = pictures[found.max(axis=1).argmin()]
    answer = ask(served, encoded(Image.fromarray(hardest), "PNG"), "/api/digit").json()
    assert max(answer["probabilities"]) < 0.8
    assert answer["unsure"] is True


# Keras 3.13 as it saves weights, with NumPy 2.
@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("scale", "bright"), [(1.0, 1), (1 / 255, 255)])
def test_a_convolutional_network_is_served_as_well(
    tmp_path: Path, test_digits: list[tuple[np.ndarray, str]], scale: float, bright: int
) -> None:
    """One that takes pictures of shape (28, 28, 1), as most do; from a .keras file."""
    import keras

    pixels = keras.Input((28, 28, 1))
    scaled = keras.layers.Rescaling(scale)(pixels)
    flat = keras.layers.Flatten()(keras.layers.Conv2D(2, 5, strides=4)(scaled))
    path = tmp_path / "cnn.keras"
    keras.Model(pixels, keras.layers.Dense(10, activation="softmax")(flat)).save(path)
    pixels, _ = test_digits[0]
    file = io.BytesIO(encoded(Image.fromarray(pixels), "PNG")), "digit.png"
    answer = create_app(path).test_client().post("/api/digit", data={"file": file})
    expected = Predictor.load(path).predict(pixels.reshape(1, 28, 28, 1) / 255 * bright)[0]
    assert np.abs(np.array(answer.json["probabilities"]) - expected).max() < 0.01


def test_a_model_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a model of 28 × 28"):
        create_app(MODEL)
