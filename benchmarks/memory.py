"""Whether the memory of our services' workers grows with the requests that they have answered.

    python -m benchmarks.memory

Each worker of ``course serve mpg`` answers 1,000 cars and then 20,000, each worker of ``course
serve image`` 200 photos of different sizes and then 2,000. Its memory is its unique set size, what
would be free if it ended. Exits with an error where that has grown by more than 5 %.
"""

import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psutil
import requests
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.image_service import cat
from tests.support.serving import CAR, Served, serving

WORKERS = 2
CONNECTIONS = 8
REQUESTS_PER_CONNECTION = 5  # a new connection may go to another worker, so that all get some
MAX_GROWTH = 0.05
Post = Callable[[requests.Session, str, int], requests.Response]


def post_car(session: requests.Session, url: str, number: int) -> requests.Response:
    """A car of a weight of its own."""
    return session.post(f"{url}/api/mpg", json=CAR | {"weight": 1700 + number % 3000})


def post_photo(
    photos: list[bytes], session: requests.Session, url: str, number: int
) -> requests.Response:
    """One photo after another."""
    return session.post(f"{url}/api/image", files={"image": photos[number % len(photos)]})


def make_photos() -> list[bytes]:
    """The cat as JPEGs, 100 to 1,900 pixels wide, in no order."""
    photos = []
    with Image.open(io.BytesIO(cat())) as image:
        for number in range(40):
            width = 100 + number * 17 % 40 * 45
            jpeg = io.BytesIO()
            image.resize((width, width * 2 // 3)).save(jpeg, "JPEG", quality=90)
            photos.append(jpeg.getvalue())
    return photos


def send(url: str, post: Post, first: int, last: int) -> None:
    """Send the requests of these numbers, several at a time."""

    def send_some(start: int) -> None:
        with requests.Session() as session:
            for number in range(start, min(start + REQUESTS_PER_CONNECTION, last)):
                post(session, url, number).raise_for_status()

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(send_some, range(first, last, REQUESTS_PER_CONNECTION)))


def find_workers(served: Served) -> list[psutil.Process]:
    """The workers, without the process that multiprocessing starts for itself."""
    children = psutil.Process(served.process.pid).children(recursive=True)
    return [child for child in children if not any("tracker" in each for each in child.cmdline())]


def grow(table: Table, name: str, few: int, many: int, post: Post) -> bool:
    """Whether a worker has grown by more than it may between so many requests for each worker."""
    with serving(name, workers=WORKERS) as served:
        workers = find_workers(served)
        if len(workers) != WORKERS:
            sys.exit(f"{len(workers)} workers are found instead of {WORKERS}.")
        sizes = []
        for first, last in ((0, few), (few, many)):
            send(served.url, post, first * WORKERS, last * WORKERS)
            sizes.append([worker.memory_full_info().uss for worker in workers])
    for number, (before, after) in enumerate(zip(*sizes, strict=True), 1):
        figures = (f"{before / 2**20:.1f}", f"{after / 2**20:.1f}", f"{after / before - 1:+.1%}")
        table.add_row(f"{name}, worker {number}", f"{few:,}", f"{many:,}", *figures)
    return any(after > (1 + MAX_GROWTH) * before for before, after in zip(*sizes, strict=True))


def main() -> None:
    table = Table(title="Unique set size of a worker, in MiB")
    for heading in ("service", "first after", "then after", "first", "then", "growth"):
        table.add_column(heading, justify="left" if heading == "service" else "right")
    grown = [
        grow(table, "mpg", 1_000, 20_000, post_car),
        grow(table, "image", 200, 2_000, partial(post_photo, make_photos())),
    ]
    Console().print(table)
    print(f"Target: a growth of at most {MAX_GROWTH:.0%}")
    if any(grown):
        sys.exit("The memory of a worker grows.")


if __name__ == "__main__":
    main()
