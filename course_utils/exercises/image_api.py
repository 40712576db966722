"""Exercises of notebook 04."""

import io
from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, make_folder, open_client, serving


def build_app(classify: Any) -> Any:
    """An app whose ``POST /name`` answers the class of the photo in the field ``photo``."""
    from flask import Flask, jsonify, request
    from PIL import Image

    app = Flask("exercise")

    @app.post("/name")
    def name() -> Any:
        file = request.files.get("photo")
        if file is None:
            return jsonify(error="Send a file in the field photo."), 400
        try:
            photo = Image.open(file.stream)
            if photo.width * photo.height > 25_000_000:
                return jsonify(error="The image has more than 25 million pixels."), 400
            rgb = photo.convert("RGB")
        except Exception:
            return jsonify(error="This is no image that can be read."), 400
        return jsonify(name=classify(rgb))

    return app


def _test_build(answer: Callable[[Callable[[Any], str]], Any]) -> None:
    from PIL import Image

    seen = []

    def classify(photo: Any) -> str:
        seen.append((photo.mode, photo.size))
        return "a test image"

    client = open_client(answer(classify))
    # Noise does not compress, so half of the file has half of the pixels.
    noise = Image.effect_noise((64, 48), 100)
    good, large = _encode(noise), _encode(noise.resize((5001, 5000), Image.Resampling.NEAREST))
    cases = {
        "a good PNG": ({"photo": good}, 200),
        "no file": ({}, 400),
        "a file in another field": ({"image": good}, 400),
        "a text": ({"photo": b"This is no image."}, 400),
        "half a PNG": ({"photo": good[: len(good) // 2]}, 400),
        "a PNG of 5,001 x 5,000 pixels": ({"photo": large}, 400),
    }
    for what, (files, wanted) in cases.items():
        form = {field: (io.BytesIO(content), "photo.png") for field, content in files.items()}
        reply = client.post("/name", data=form, content_type="multipart/form-data")
        got = reply.status_code
        assert got == wanted, f"for {what} the status should be {wanted}, not {got}."
        assert got != 200 or reply.get_json() == {"name": "a test image"}, (
            "the answer should be the JSON {'name': ...} with what classify returns."
        )
    assert seen == [("RGB", (64, 48))], (
        f"classify should get the good photo only, in RGB and in its own size; it got {seen}."
    )


def _encode(picture: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


build = Exercise(
    test=_test_build,
    solve=build_app,
    hints=(
        "request.files.get('photo') is None where there is no such file. Answer an error with "
        "return jsonify(error='...'), 400",
        "Image.open reads the header: compare width * height with 25_000_000 before "
        ".convert('RGB') decodes the pixels.",
        "Put Image.open and convert into one try block. Decoders raise errors of many kinds, so "
        "catch Exception.",
    ),
)


def as_square(photo: Any, size: int) -> Any:
    """The whole photo, undistorted, on a black square."""
    from PIL import ImageOps

    return ImageOps.pad(photo, (size, size), color="black")


def _test_letterbox(answer: Callable[[Any, int], Any]) -> None:
    import numpy as np
    from PIL import Image

    for width, height in ((400, 200), (200, 400)):
        photo = Image.new("RGB", (width, height), "red")
        square = answer(photo, 100)
        assert square.size == (100, 100), f"the result should be 100 x 100, not {square.size}."
        red = np.asarray(square.convert("RGB"))[:, :, 0] > 128
        got = red.any(axis=0).sum(), red.any(axis=1).sum()
        assert np.allclose(got, (width / 4, height / 4), atol=1), (
            f"a photo of {width} x {height} should be {width // 4} pixels wide and {height // 4} "
            f"high in it, not {got[0]} and {got[1]}."
        )
        assert red[25:75, 25:75].all(), "the photo should be in the middle of the square."


letterbox = Exercise(
    test=_test_letterbox,
    solve=as_square,
    hints=(
        "One way: shrink a copy with .thumbnail((size, size)), make Image.new('RGB', (size, "
        "size)), and paste the copy in the middle.",
        "Pillow has a function for it: ImageOps.pad.",
    ),
)


def classify_folder(url: str, folder: Any) -> dict[str, str]:
    """By file name: the likeliest class, or the status of a request that was refused."""
    import requests

    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            response = requests.post(url, files={"image": file}, timeout=30)
        if response.status_code == 200:
            found[path.name] = response.json()["pred"][0]["name"]
        else:
            found[path.name] = f"status {response.status_code}"
    return found


def _test_folder(answer: Callable[[str, Any], dict[str, str]]) -> None:
    red, blue = _draw_color("red"), _draw_color("blue")
    files = {"red.png": red, "blue.png": blue, "notes.txt": b"no image"}
    with make_folder(files) as folder, serving(_name_colors()) as url:
        got = answer(f"{url}/api/image", folder)
    for file, wanted in {"red.png": "red", "blue.png": "blue", "notes.txt": "status 400"}.items():
        found = got.get(file)
        assert found == wanted, f"for {file} the result should be {wanted!r}, not {found!r}."


def _draw_color(color: str) -> bytes:
    from PIL import Image

    return _encode(Image.new("RGB", (40, 30), color))


def _name_colors() -> Any:
    """A service with the image service's answers, whose classes are red and blue."""
    from flask import Flask, jsonify, request

    from course_utils.images import BadImage, read_image

    app = Flask("colors")

    @app.post("/api/image")
    def image() -> Any:
        try:
            pixels = read_image(request.files["image"].read())
        except BadImage as error:
            return jsonify(detail=str(error)), 400
        red, _, blue = pixels.mean(axis=(0, 1)) / 255
        pred = [{"name": "red", "prob": red}, {"name": "blue", "prob": blue}]
        return jsonify(pred=sorted(pred, key=lambda guess: -guess["prob"]))

    return app


folder = Exercise(
    test=_test_folder,
    solve=classify_folder,
    hints=(
        "for path in folder.iterdir(): open it with path.open('rb') and post it with "
        "requests.post(url, files={'image': file}, timeout=30).",
        "Where response.status_code is 200, the class is response.json()['pred'][0]['name']; "
        "otherwise store f'status {response.status_code}'.",
    ),
)
