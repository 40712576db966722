"""Are the services of this checkout as fast as those of another commit?

    python -m benchmarks.against_commit COMMIT [--rounds 7] [--seconds 4]

`course serve mpg` and `course serve image` of both, with the same models, 2 workers each, and
beside them what a service cannot beat: the bare Flask echo, and the floor of the image benchmark.
All are loaded in alternating rounds. Exits with an error where this checkout answers fewer than
0.97 times as many requests per second, as the median over the rounds.
"""

import argparse
import contextlib
import functools
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import requests

from benchmarks.compare import Found, in_turns, ratio, show
from benchmarks.image_service import cat, floor
from benchmarks.wrk import measure, need_wrk
from course_utils.inference import shipped_model
from tests.support.serving import CAR, COURSE, ROOT, running

WORKERS = 2
MIN_RATIO = 0.97


@contextlib.contextmanager
def check_out(commit: str) -> Iterator[Path]:
    """The library as it was in a commit, in a temporary folder."""
    command = ["git", "archive", commit, "course_utils", "data"]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def serve_command(folder: Path, name: str) -> list[str]:
    """`course serve NAME` with the library that lies in ``folder``."""
    command = [str(COURSE), "serve", name, "--model", str(shipped_model(name))]
    return ["env", f"PYTHONPATH={folder}", *command]


def compare_mpg(old: Path, rounds: int, seconds: int) -> Found:
    body = json.dumps(CAR).encode()
    with (
        running([sys.executable, "-m", "benchmarks.echo_service"], workers=WORKERS) as echo,
        running(serve_command(old, "mpg"), workers=WORKERS) as before,
        running(serve_command(ROOT, "mpg"), workers=WORKERS) as now,
    ):
        services = {"bare echo": echo, "old": before, "new": now}
        measures = {
            name: functools.partial(measure, f"{served.url}/api/mpg", body, "application/json")
            for name, served in services.items()
        }
        return in_turns(measures, rounds, seconds)


def compare_image(old: Path, rounds: int, seconds: int) -> Found:
    jpeg = cat()
    form = requests.Request("POST", "http://any", files={"image": ("cat.jpg", jpeg)}).prepare()
    assert isinstance(form.body, bytes)
    ask = functools.partial(measure, body=form.body, content_type=form.headers["Content-Type"])
    with (
        tempfile.TemporaryDirectory() as folder,
        running(serve_command(old, "image"), workers=WORKERS) as before,
        running(serve_command(ROOT, "image"), workers=WORKERS) as now,
    ):
        (photo := Path(folder, "cat.jpg")).write_bytes(jpeg)
        return in_turns(
            {
                "floor": functools.partial(floor, photo),
                "old": lambda seconds: ask(f"{before.url}/api/image", seconds=seconds),
                "new": lambda seconds: ask(f"{now.url}/api/image", seconds=seconds),
            },
            rounds,
            seconds,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4, help="of load, a service and round")
    options = parser.parse_args()
    need_wrk()
    slower = False
    with check_out(options.commit) as old:
        for name, compare in {"mpg": compare_mpg, "image": compare_image}.items():
            found = compare(old, options.rounds, options.seconds)
            show(f"{name}, 8 connections, median of {options.rounds} rounds", found, "new")
            slower = slower or ratio(found["new"], found["old"]) < MIN_RATIO
    if slower:
        sys.exit(f"A service answers fewer than {MIN_RATIO} times as many requests as before.")


if __name__ == "__main__":
    main()
