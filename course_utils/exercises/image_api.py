"""Exercises of notebook 04."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, serving


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
    seen = []

    def classify(photo: Any) -> str:
        seen.append((photo.mode, photo.size))
        return "a test image"

    app = answer(classify)
    assert hasattr(app, "test_client"), "your function should return a Flask app."
    client = app.test_client()
    good = _encode(64, 48)
    cases = {
        "a good PNG": ({"photo": good}, 200),
        "no file": ({}, 400),
        "a file in another field": ({"image": good}, 400),
        "a text": ({"photo": b"This is no image."}, 400),
        "half a PNG": ({"photo": good[: len(good) // 2]}, 400),
        "a PNG of 5,001 x 5,000 pixels": ({"photo": _encode(5001, 5000)}, 400),
    }
    for what, (files, wanted) in cases.items():
        form = {field: (_open_bytes(content), "photo.png") for field, content in files.items()}
        reply = client.post("/name", data=form, content_type="multipart/form-data")
        got = reply.status_code
        assert got == wanted, f"for {what} the status should be {wanted}, not {got}."
        if wanted == 200:
            assert reply.get_json() == {"name": "a test image"}, (
                "the answer should be the JSON {'name': ...} with what classify returns."
            )
    assert seen == [("RGB", (64, 48))], (
        f"classify should get the good photo only, in RGB and in its own size; it got {seen}."
    )


def _encode(width: int, height: int) -> bytes:
    from PIL import Image

    file = _open_bytes()
    # Noise does not pack, so half of the file has half of the pixels.
    noise = Image.effect_noise((64, 48), 100)
    noise.resize((width, height), Image.Resampling.NEAREST).save(file, "PNG")
    return bytes(file.getvalue())


def _open_bytes(content: bytes = b"") -> Any:
    """A file in memory."""
    import io

    return io.BytesIO(content)


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
        assert square is not None, "your function returns nothing; it should return a photo."
        assert square.size == (100, 100), f"the result should be 100 x 100, not {square.size}."
        red = np.asarray(square.convert("RGB"))[:, :, 0] > 128
        rows, columns = red.any(axis=1).sum(), red.any(axis=0).sum()
        wanted = (50, 100) if width > height else (100, 50)
        assert abs(rows - wanted[0]) <= 1, (
            f"a photo of {width} x {height} should be {wanted[0]} pixels high in it, not {rows}."
        )
        assert abs(columns - wanted[1]) <= 1, (
            f"a photo of {width} x {height} should be {wanted[1]} pixels wide in it, not {columns}."
        )
        middle = red[25:75, 25:75]
        assert middle.all(), "the photo should be in the middle of the square."


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
    import tempfile
    from pathlib import Path

    from PIL import Image

    with tempfile.TemporaryDirectory() as name, serving(_name_colors()) as url:
        folder = Path(name)
        for color in ("red", "blue"):
            Image.new("RGB", (40, 30), color).save(folder / f"{color}.png")
        (folder / "notes.txt").write_text("no image")
        got = answer(f"{url}/api/image", folder)
    assert isinstance(got, dict), "your function should return a dict: file name to class."
    for file, wanted in {"red.png": "red", "blue.png": "blue", "notes.txt": "status 400"}.items():
        assert got.get(file) == wanted, (
            f"for {file} the result should be {wanted!r}, not {got.get(file)!r}."
        )


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
