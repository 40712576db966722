"""Show which files of the library a photo or a row passes through, step by step.

    python -m tools.trace_request image
    python -m tools.trace_request batch

``image`` sends a photo to ``/api/image`` in this process, from the WSGI call to the answer;
``batch`` predicts a table of one row with ``course predict mpg``. Both are done twice and traced
the second time, when all is loaded. A file counts once. What runs around every request of every
service (ids, log, metrics) and every command (its errors, the terminal) is counted apart.
"""

import argparse
import io
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from course_utils.environment import PACKAGE_FOLDER, data_folder

AROUND = {"services/http/telemetry.py", "cli/__init__.py", "cli/console.py"}


def trace(call: Callable[[], object]) -> list[tuple[str, str]]:
    """The library's files in order of their first entry, each with the function entered there."""
    steps: dict[str, str] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE_FOLDER):
            file = path.relative_to(PACKAGE_FOLDER).as_posix()
            steps.setdefault(file, frame.f_code.co_qualname)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return list(steps.items())


def trace_image() -> list[tuple[str, str]]:
    """The way of a photo through the image service."""
    from werkzeug.test import Client, EnvironBuilder

    from course_utils.inference import shipped_model
    from course_utils.services import image

    client = Client(image.create_app(shipped_model("image")))
    photo = (data_folder() / "photos" / "cat.png").read_bytes()

    def ask() -> None:
        builder = EnvironBuilder(
            "/api/image", method="POST", data={"image": (io.BytesIO(photo), "cat.png")}
        )
        assert client.open(builder).status_code == 200

    ask()
    return trace(ask)


def trace_batch() -> list[tuple[str, str]]:
    """The way of one car through ``course predict``."""
    from course_utils.cli import main
    from course_utils.datasets import load_auto_mpg
    from course_utils.inference import shipped_model

    car = load_auto_mpg().dropna().head(1).astype({"horsepower": int})
    with tempfile.TemporaryDirectory() as folder:
        source, model = Path(folder, "car.csv"), str(shipped_model("mpg"))
        car.drop(columns=["mpg", "name"]).to_csv(source, index=False)

        def predict(output: str) -> None:
            files = ["--input", str(source), "--output", str(Path(folder, output))]
            main(["predict", "mpg", *files, "--model", model], standalone_mode=False)

        predict("first.csv")
        return trace(lambda: predict("second.csv"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ways = {"image": trace_image, "batch": trace_batch}
    parser.add_argument("way", choices=ways)
    steps = ways[parser.parse_args().way]()
    for file, function in steps:
        around = "  (around all)" if file in AROUND else ""
        print(f"{file}: {function}{around}")
    hooks = sum(file in AROUND for file, _ in steps)
    print(f"{len(steps) - hooks} files on the way, {hooks} around all")
