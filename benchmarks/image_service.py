"""How fast the image service answers, against the book's way and against the floor.

    python -m benchmarks.image_service [--rounds 5] [--seconds 4]

The photo is the course's cat as a JPEG of 451 × 300 pixels. The floor decodes, resizes and
classifies it in a loop, in as many processes as the service has workers. All are measured in
turns. Exits with an error where a target of the course is missed.
"""

import functools
import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
from PIL import Image

from benchmarks.compare import Found, in_turns, main
from benchmarks.wrk import Measured, measure
from course_utils.environment import data_folder
from course_utils.inference import shipped_model
from tests.support.serving import ROOT, running, serving

WORKERS = 2
BOOK = "the book's way: model.predict, Flask's server"
FLOOR = f"the floor: decode, resize, LiteRT, {WORKERS} processes"
OURS = f"course serve image --workers {WORKERS}"
TARGETS = {BOOK: 5, FLOOR: 0.8}  # times as fast; the aims are 5 and 0.9


def cat() -> bytes:
    """The cat as a JPEG."""
    jpeg = io.BytesIO()
    Image.open(data_folder() / "photos" / "cat.png").convert("RGB").save(jpeg, "JPEG", quality=90)
    return jpeg.getvalue()


def floor(photo: Path, seconds: int) -> Measured:
    """Photos a second, all processes together."""
    options = [str(photo), str(shipped_model("image")), "--seconds", str(seconds)]
    command = [sys.executable, "-m", "benchmarks.image_floor", *options]
    loops = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )
        for _ in range(WORKERS)
    ]
    results = [json.loads(loop.communicate()[0]) for loop in loops]
    rate = sum(result["photos"] / result["seconds"] for result in results)
    return Measured(rate, 1000 * WORKERS / rate, math.nan, 0)


def run(rounds: int, seconds: int) -> Found:
    jpeg = cat()
    form = requests.Request("POST", "http://any", files={"image": ("cat.jpg", jpeg)}).prepare()
    assert isinstance(form.body, bytes)
    book = [sys.executable, "-m", "benchmarks.book_image_service"]
    with (
        tempfile.TemporaryDirectory() as folder,
        running(book) as book_served,
        serving("image", workers=WORKERS) as ours_served,
    ):
        photo = Path(folder, "cat.jpg")
        photo.write_bytes(jpeg)
        ask = functools.partial(measure, body=form.body, content_type=form.headers["Content-Type"])
        return in_turns(
            {
                BOOK: lambda seconds: ask(f"{book_served.url}/api/image", seconds=seconds),
                FLOOR: functools.partial(floor, photo),
                OURS: lambda seconds: ask(f"{ours_served.url}/api/image", seconds=seconds),
            },
            rounds,
            seconds,
        )


if __name__ == "__main__":
    main(run, path="/api/image", ours=OURS, targets=TARGETS, about=str(__doc__))
