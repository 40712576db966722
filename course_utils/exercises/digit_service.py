"""Exercises of notebook 09."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from course_utils.exercises import Exercise, make_folder, open_client, serving


def allow(app: Any, origins: Any) -> Any:
    """The app, whose answers pages of these origins may read."""
    from flask import request

    def add_headers(response: Any) -> Any:
        response.headers["Vary"] = "Origin"
        if request.headers.get("Origin") in origins:
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Allow-Headers"] = "content-type"
        return response

    app.after_request(add_headers)
    return app


def _test_allow(answer: Callable[[Any, list[str]], Any]) -> None:
    from flask import Flask

    app = Flask("exercise")
    app.add_url_rule("/upload", view_func=lambda: '"7"', methods=["POST"])
    app = answer(app, listed := ["https://my.example", "http://localhost:3000"])
    client, prefix = open_client(app), "Access-Control-Allow-"
    for origin in (*listed, "https://elsewhere.example", "https://my.example.org", None):
        sent = {"Origin": origin} if origin else {}
        for call in (client.post, client.options):
            headers = call("/upload", headers=sent).headers
            wanted, got = origin if origin in listed else None, headers.get(f"{prefix}Origin")
            assert got == wanted, f"to a page of {origin} {prefix}Origin is {got}, not {wanted}."
            assert "Origin" in headers.get("Vary", ""), f"to a page of {origin} Vary is missing."
        got = headers.get(f"{prefix}Headers", "").lower()
        assert "content-type" in got or not wanted, f"{prefix}Headers is {got!r} in a preflight."


cors_by_hand = Exercise(
    test=_test_allow,
    solve=allow,
    hints=("app.after_request(your_function) calls it for each response, preflights included.",),
)


def find_dark_ink(grey: Any) -> Any:
    """Where ink takes away a large part of the light that the paper around it reflects."""
    from scipy import ndimage

    window = max(grey.shape) * 3 // 10  # wider than a stroke
    paper = ndimage.grey_closing(grey, (window, window))
    return grey < 0.6 * paper


def _test_light(answer: Callable[[Any], Any]) -> None:
    import numpy as np

    ink = np.zeros((100, 80), bool)
    ink[20:80, 40:48] = ink[20:28, 20:48] = True
    noise = np.random.default_rng(9).normal(0, 0.01, ink.shape)
    for shadow in (1, 0.6, 0.4):
        light = 0.9 * np.where(np.arange(80) < 45, 1, shadow)
        found = answer((light * np.where(ink, 0.2, 1) + noise).clip(0, 1))
        assert np.asarray(found).dtype == np.bool_, "your function should return booleans."
        assert found.shape == ink.shape, f"the shape should be {ink.shape}, not {found.shape}."
        missed, false = (ink & ~found).sum(), (found & ~ink).sum()
        assert max(missed, false) <= 10, (
            f"in a shadow of {shadow} {missed} pixels of ink are missing, {false} are paper."
        )


even_light = Exercise(
    test=_test_light,
    solve=find_dark_ink,
    hints=(
        "scipy.ndimage.grey_closing(grey, (window, window)) removes what is dark and narrower "
        "than the window, so the paper remains. Make the window wider than a stroke.",
        "Ink is where grey is less than a share of its own paper, such as 0.6.",
    ),
)


def count_answers(url: str, folder: Any) -> dict[str, int]:
    """How many photos were answered right, wrong, or refused; their names begin with the digit."""
    import requests

    counts = {"right": 0, "wrong": 0, "refused": 0}
    for path in folder.iterdir():
        response = requests.post(url, files={"file": path.read_bytes()}, timeout=30)
        right = response.ok and response.json() == path.name[0]
        counts["right" if right else "wrong" if response.ok else "refused"] += 1
    return counts


def _test_photos(answer: Callable[[str, Path], dict[str, int]]) -> None:
    from flask import Flask, jsonify, request

    app = Flask("exercise")

    @app.post("/upload")
    def upload() -> Any:
        content = request.files["file"].read().decode()
        return jsonify(content), 200 if content else 400

    photos = {"7_a.jpg": b"7", "7_b.jpg": b"1", "0_a.jpg": b"0", "3.png": b"", "0_b.jpg": b"0"}
    with make_folder(photos) as folder, serving(app) as url:
        got = answer(f"{url}/upload", folder)
    wanted = {"right": 3, "wrong": 1, "refused": 1}
    assert got == wanted, f"for a folder with {wanted} your function returned {got}."


own_photos = Exercise(
    test=_test_photos,
    solve=count_answers,
    hints=("response.json() is a text such as '7'; path.name[0] is the digit in the name.",),
)
