"""Exercises of notebook 09."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, serving


def centred(picture: Any) -> Any:
    """The picture moved so that its centre of mass is in the middle, to the pixel."""
    import numpy as np
    from scipy import ndimage

    middle = ndimage.center_of_mass(picture)
    down, right = (round(side / 2 - at) for side, at in zip(picture.shape, middle, strict=True))
    return np.roll(picture, (down, right), axis=(0, 1))


def _test_centre(answer: Callable[[Any], Any]) -> None:
    import numpy as np
    from scipy import ndimage

    draw = np.random.default_rng(9)
    for top, left in ((2, 3), (10, 12), (3, 14)):
        picture = np.zeros((28, 28), np.float32)
        picture[top : top + 10, left : left + 6] = draw.uniform(0.2, 1, (10, 6))
        moved = answer(picture)
        assert moved is not None, "your function returns nothing; it should return a picture."
        assert moved.shape == (28, 28), f"the result should be 28 x 28, not {moved.shape}."
        assert abs(moved.sum() - picture.sum()) < 1e-3, "some of the ink has been lost."
        y, x = ndimage.center_of_mass(moved)
        assert abs(y - 14) <= 0.51, f"the centre of mass is in row {y:.1f}; it should be in 14."
        assert abs(x - 14) <= 0.51, f"the centre of mass is in column {x:.1f}; it should be in 14."


centre = Exercise(
    test=_test_centre,
    solve=centred,
    hints=(
        "ndimage.center_of_mass(picture) gives the row and the column of the middle; by how much "
        "are they away from 14?",
        "np.roll(picture, (down, right), axis=(0, 1)) moves a picture by whole pixels.",
    ),
)


def read_number(url: str, photos: list[bytes]) -> int:
    """The number whose digits these pictures show, as the digit service at ``url`` reads them."""
    import requests

    read = ""
    for photo in photos:
        read += requests.post(f"{url}/upload", files={"file": photo}, timeout=10).json()
    return int(read)


def _printed(digit: str) -> bytes:
    import io

    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("L", (200, 260), "white")
    font = ImageFont.load_default(200)
    ImageDraw.Draw(page).text((40, 10), digit, "black", font, stroke_width=4)
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _test_number(answer: Callable[[str, list[bytes]], int]) -> None:
    from course_utils.inference import shipped_model
    from course_utils.services import digit

    with serving(digit.create_app(shipped_model("digit"))) as url:
        for number in (7, 372):
            got = answer(url, [_printed(each) for each in str(number)])
            assert got is not None, "your function returns nothing; it should return a number."
            assert got == number, f"the pictures show {number}; you returned {got!r}."
            assert isinstance(got, int), "return a number, not a text: int(...)."


number = Exercise(
    test=_test_number,
    solve=read_number,
    hints=(
        "Post each picture to f'{url}/upload' with files={'file': photo}; .json() is the digit "
        "as a text.",
        "Join the texts in order, and turn the whole into a number with int.",
    ),
)


def digit_or_none(probabilities: Any, threshold: float) -> str | None:
    """The likeliest digit, if it is likely enough."""
    import numpy as np

    best = int(np.argmax(probabilities))
    return str(best) if probabilities[best] >= threshold else None


def _test_doubt(answer: Callable[[Any, float], str | None]) -> None:
    probabilities = [0.0, 0.3, 0.0, 0.0, 0.1, 0.0, 0.0, 0.6, 0.0, 0.0]
    for threshold, wanted in ((0.5, "7"), (0.6, "7"), (0.7, None)):
        got = answer(probabilities, threshold)
        assert got == wanted, (
            f"a 7 with probability 0.6; with the threshold {threshold} your function should "
            f"return {wanted!r}, not {got!r}."
        )


doubt = Exercise(
    test=_test_doubt,
    solve=digit_or_none,
    hints=(
        "np.argmax(probabilities) is the likeliest digit.",
        "return str(best) if probabilities[best] >= threshold else None",
    ),
)
