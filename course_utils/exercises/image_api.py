"""Exercises of notebook 04."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, serving


def likeliest(url: str, path: Any) -> str:
    """The likeliest class of the photo in a file, as the image service at ``url`` sees it."""
    import requests

    with path.open("rb") as photo:
        answer = requests.post(f"{url}/api/image", files={"image": photo}, timeout=10)
    return answer.json()["pred"][0]["name"]


def _test_ask(answer: Callable[[str, Any], str]) -> None:
    from course_utils.environment import data_folder
    from course_utils.inference import shipped_model
    from course_utils.services import image

    with serving(image.create_app(shipped_model("image"))) as url:
        for name, wanted in (("coffee.png", "espresso"), ("paintbrush.jpg", "paintbrush")):
            got = answer(url, data_folder() / "photos" / name)
            assert got is not None, "your function returns nothing; it should return a name."
            assert got == wanted, f"for {name} the service says {wanted}; you returned {got!r}."


ask = Exercise(
    test=_test_ask,
    solve=likeliest,
    hints=(
        "Open the file with path.open('rb') and post it to f'{url}/api/image' with "
        "files={'image': photo}.",
        "answer.json()['pred'] is a list, likeliest first; each entry has a 'name'.",
    ),
)


def name_or_none(guesses: list[dict[str, Any]], threshold: float) -> str | None:
    """The first guess's name, if it is likely enough."""
    first = guesses[0]
    return first["name"] if first["prob"] >= threshold else None


def _test_doubt(answer: Callable[[list[dict[str, Any]], float], str | None]) -> None:
    guesses = [{"name": "fig", "prob": 0.4}, {"name": "pomegranate", "prob": 0.3}]
    for threshold, wanted in ((0.2, "fig"), (0.4, "fig"), (0.5, None)):
        got = answer(guesses, threshold)
        assert got == wanted, (
            f"the first guess is a fig with probability 0.4; with the threshold {threshold} "
            f"your function should return {wanted!r}, not {got!r}."
        )


doubt = Exercise(
    test=_test_doubt,
    solve=name_or_none,
    hints=(
        "guesses[0] is the likeliest: a dict with 'name' and 'prob'.",
        "return guesses[0]['name'] if ... else None",
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
