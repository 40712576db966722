"""MobileNet in a page, from a host on this machine: how soon and how fast it answers.

    python -m benchmarks.in_page [--visits 5] [--rounds 5]

- opening: seconds from the address to the first answer, each visit with a fresh profile.
- later photos: milliseconds from a file's bytes to its answer, in the page and with LiteRT in
  Python, in turns on the same photos.
- the page's thread: the longest time for which it did nothing else while photos were classified,
  one of twelve megapixels among them; a timer that is due every 4 ms measures it.
- size: what a visitor downloads, as it is and in gzip, and the scripts in gzip.
- five runtimes of one Keras network: size, milliseconds a photo from its pixels, and the largest
  difference of a probability from Keras.

Exits with an error where a target of the course is missed.
"""

import argparse
import base64
import gzip
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from course_utils.environment import quiet_native_stderr, set_tensorflow_defaults
from course_utils.export import browser as in_page
from course_utils.export import coreml, litert, onnx
from course_utils.export.parity import measure_size
from course_utils.images import read_image
from course_utils.inference import Predictor
from course_utils.inference.pixels import MINUS_ONE_TO_ONE
from tests.conftest import BROWSER_FLAGS
from tests.support import networks, photo_files
from tests.support.in_page import predict, static_host, visiting
from tools.programs import find

SIZE = (224, 224)
MAX_OPENING_S = 3
# The aim is 2. WebAssembly computes with vectors of 128 bits, LiteRT with the processor's, of up to
# 512, and on such a processor the network alone takes five times as long in the page.
MAX_TIMES_LITERT = 8
MAX_BLOCKED_MS = 100
MAX_SCRIPTS_KB = 60
SCRIPTS = ("page.js", "worker.js", "sw.js")
LOAD = """
texts => {
    const decode = text => Uint8Array.from(atob(text), char => char.charCodeAt(0));
    window.photos = texts.map(text => new Blob([decode(text)]));
}
"""
TIME_PHOTOS = """
async () => {
    const found = [];
    for (const photo of photos) {
        const began = performance.now();
        await network.predict(photo);
        found.push(performance.now() - began);
    }
    return found;
}
"""
WATCH_THREAD = """
async () => {
    let [longest, last, isRunning] = [0, performance.now(), true];
    const look = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        if (isRunning) setTimeout(look);
    };
    look();
    for (const photo of photos) await network.predict(photo);
    isRunning = false;
    return longest;
}
"""
TIME_PIXELS = """
async text => {
    const bytes = Uint8Array.from(atob(text), char => char.charCodeAt(0));
    const [pixels, began] = [new Float32Array(bytes.buffer), performance.now()];
    const answer = [...await network.compute(pixels)];
    return [performance.now() - began, answer];
}
"""


def silent(step: str, done: int, total: int) -> None:
    """A report to nobody."""


def encode(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def measure_openings(browser: Browser, url: str, photo: bytes, visits: int) -> list[float]:
    """Seconds of each visit, from the address to the first answer."""
    seconds = []
    for _ in range(visits):
        with visiting(browser) as visitor:
            began = time.perf_counter()
            predict(visitor.open(url), photo)
            seconds.append(time.perf_counter() - began)
    return seconds


def time_litert(network: Predictor, files: list[bytes]) -> list[float]:
    """Milliseconds of each photo in Python, from its bytes to its answer."""
    found = []
    for content in files:
        began = time.perf_counter()
        pixels = read_image(content, size=SIZE).astype(np.float32)
        network.predict(pixels[np.newaxis])
        found.append(1000 * (time.perf_counter() - began))
    return found


def compare_photos(
    page: Page, network: Predictor, files: list[bytes], rounds: int
) -> tuple[float, float]:
    """Median milliseconds of a photo in the page, and with LiteRT in Python."""
    page.evaluate(LOAD, [encode(content) for content in files])
    in_the_page, in_python = [], []
    for number in range(rounds + 1):
        times = page.evaluate(TIME_PHOTOS), time_litert(network, files)
        if number:  # the first round warms both up
            in_the_page += times[0]
            in_python += times[1]
    return statistics.median(in_the_page), statistics.median(in_python)


def watch_thread(page: Page, files: list[bytes], rounds: int) -> float:
    """The longest milliseconds for which the page's own thread was held up."""
    page.evaluate(LOAD, [encode(content) for content in files])
    return max(float(page.evaluate(WATCH_THREAD)) for _ in range(rounds))


def measure_download(folder: Path) -> tuple[int, int, int]:
    """Bytes of a first visit, the same in gzip, and those of the scripts in gzip."""
    files = [path for path in folder.iterdir() if path.name != "single.html"]
    packed = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in files}
    scripts = sum(packed[name] for name in SCRIPTS)
    return measure_size(folder), sum(packed.values()), scripts


def time_each(run: Callable[[np.ndarray], Any], photos: np.ndarray) -> tuple[float, np.ndarray]:
    """Median milliseconds of a photo, and the answers."""
    run(photos[:1])
    answers, times = [], []
    for number in range(len(photos)):
        began = time.perf_counter()
        answers.append(np.asarray(run(photos[number : number + 1]))[0])
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), np.stack(answers)


def compare_runtimes(model: Any, folder: Path, page: Page, place: Path) -> Table:
    """Keras and what was exported from it, on the same pixels."""
    photos = networks.crops(parts=networks.CROPS[:1]).astype(np.float32)
    labels, options = networks.imagenet_labels(), {"preprocess": MINUS_ONE_TO_ONE, "report": silent}
    rows: list[tuple[str, Path, float | None, np.ndarray | float]] = []
    prepare = MINUS_ONE_TO_ONE.apply
    model.save(place / "mobilenet.keras")
    took, wanted = time_each(lambda one: model(prepare(one), training=False), photos)
    rows.append(("Keras", place / "mobilenet.keras", took, wanted))
    path = litert.convert(model, place / "mobilenet.tflite", labels=labels, **options)
    rows.append(("LiteRT", path, *time_each(Predictor.load(path).predict, photos)))
    path = onnx.convert(model, place / "mobilenet.onnx", labels=labels, **options)
    with quiet_native_stderr():
        import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows.append(
        ("ONNX Runtime", path, *time_each(lambda x: session.run(None, {"input": x})[0], photos))
    )
    path = coreml.convert(
        model, place / "mobilenet.mlpackage", labels=labels, precision="float32", **options
    )
    pixels = photos.astype(np.uint8)
    parity = coreml.verify(path, model, pixels, preprocess=MINUS_ONE_TO_ONE)
    rows.append(("CoreML (our interpreter)", path, None, parity.differences["probabilities"]))
    found = [page.evaluate(TIME_PIXELS, encode(photo.tobytes())) for photo in photos]
    took = statistics.median(each[0] for each in found)
    rows.append(("browser, LiteRT.js", folder, took, np.array([each[1] for each in found])))
    table = Table(
        "runtime", "MB", "ms a photo", "largest difference", title="one network, 8 photos"
    )
    for name, path, took_ms, answers in rows:
        difference = answers if isinstance(answers, float) else np.abs(answers - wanted).max()
        shown = "–" if took_ms is None else f"{took_ms:.0f}"
        table.add_row(name, f"{measure_size(path) / 1e6:.1f}", shown, f"{difference:.1e}")
    return table


def run(browser: Browser, folder: Path, visits: int, rounds: int) -> tuple[Table, Table, list[str]]:
    """The tables, and the targets that were missed."""
    model, page_folder = networks.mobilenet(), folder / "page"
    in_page.convert(
        model,
        page_folder,
        kind="photo",
        labels=networks.imagenet_labels(),
        preprocess=MINUS_ONE_TO_ONE,
        report=silent,
    )
    network = Predictor.load(page_folder / "model.tflite")
    files = [path.read_bytes() for path in networks.photo_files()]
    large = photo_files.from_a_phone(Image.fromarray(read_image(files[0])))
    size, packed, scripts = measure_download(page_folder)
    with static_host(page_folder) as url:
        openings = measure_openings(browser, f"{url}/", files[0], visits)
        with visiting(browser) as visitor:
            page = visitor.open(f"{url}/")
            later, python = compare_photos(page, network, files, rounds)
            blocked = watch_thread(page, [*files, large], rounds)
            runtimes = compare_runtimes(model, page_folder, page, folder)
    opening = statistics.median(openings)
    found = [
        ("address to first answer", opening, MAX_OPENING_S, "s"),
        ("a later photo, of LiteRT's time in Python", later / python, MAX_TIMES_LITERT, "×"),
        ("page's thread held up", blocked, MAX_BLOCKED_MS, "ms"),
        ("page.js, worker.js and sw.js in gzip", scripts / 1000, MAX_SCRIPTS_KB, "kB"),
    ]
    table = Table("what", "measured", "to be reached", title="photo page, from a local host")
    for what, value, most, unit in found:
        table.add_row(what, f"{value:.2f} {unit}", f"at most {most} {unit}")
    spread = f"{min(openings):.2f} to {max(openings):.2f} s"
    table.add_row(f"({visits} visits)", spread, "")
    table.add_row("(a later photo)", f"{later:.0f} ms; LiteRT in Python {python:.0f} ms", "")
    table.add_row("a visitor downloads", f"{size / 1e6:.1f} MB; in gzip {packed / 1e6:.1f} MB", "")
    missed = [what for what, value, most, _ in found if not value <= most]
    return table, runtimes, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    set_tensorflow_defaults()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=BROWSER_FLAGS)
        tables = run(browser, Path(folder), options.visits, options.rounds)
        browser.close()
    console = Console()
    console.print(*tables[:2])
    if tables[2]:
        sys.exit(f"Not as promised: {', '.join(tables[2])}")


if __name__ == "__main__":
    main()
