"""How many digits the service reads right, through HTTP, in every form that people send.

    python -m benchmarks.digits [--seed 0] [--count 1000] [--model PATH] [--before REVISION]

MNIST's test digits as PNG files: as they are, inverted, large and off centre, transparent, and as
photos (made ones: ink on paper in the light of a lamp, turned by up to ten degrees, as JPEG); in
each row the share read right by the network on the same digits without any detour, too. Then come
photos of digits that were written with a thin pen, as tests/support/papers.py draws them: on
squared and lined paper, on a dark desk, turned. Of photos of two digits those count that are
refused or called unsure. The last row are scikit-learn's digits, by other writers, 8 × 8 pixels in
size. Digits drawn in a browser are counted by tests/browser/test_digit_page.py.

With --before the same files are prepared by images/digits.py of a revision of this repository that
has all in that file, such as cfc653a, and read by the same network.
"""

import argparse
import importlib.util
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import requests
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_digits

from course_utils.datasets import load_mnist
from course_utils.images import read_image
from course_utils.inference import Predictor, shipped_model
from course_utils.services.digit import MAX_SIDE_PIXELS, MIN_SURE_PROBABILITY
from tests.support import papers
from tests.support.papers import Scene
from tests.support.serving import serving

Form = Callable[[Image.Image, np.random.Generator], Image.Image]


def enlarged(digit: Image.Image, side: int) -> Image.Image:
    return digit.resize((side, side), Image.Resampling.BICUBIC)


def inverted(digit: Image.Image, draw: np.random.Generator) -> Image.Image:
    return Image.fromarray(255 - np.asarray(digit))


def moved(digit: Image.Image, draw: np.random.Generator) -> Image.Image:
    canvas = Image.new("L", (400, 400))
    x, y = (int(at) for at in draw.integers(0, 121, 2))
    canvas.paste(enlarged(digit, 280), (x, y))
    return canvas


def transparent(colour: int) -> Form:
    def drawn(digit: Image.Image, draw: np.random.Generator) -> Image.Image:
        ink = Image.new("L", digit.size, colour)
        return Image.merge("RGBA", (ink, ink, ink, digit))

    return drawn


def photo(digit: Image.Image, draw: np.random.Generator) -> Image.Image:
    side = int(draw.integers(250, 550))
    turned = enlarged(digit, side).rotate(
        draw.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True
    )
    ink = np.zeros((800, 800))
    top, left = draw.integers(0, 800 - turned.height, 2)
    ink[top : top + turned.height, left : left + turned.width] = np.asarray(turned) / 255
    y, x = np.mgrid[0:1:800j, 0:1:800j]
    lamp = 0.95 - 0.5 * ((x - draw.uniform()) ** 2 + (y - draw.uniform()) ** 2)
    grey = lamp * (1 - draw.uniform(0.5, 0.9) * ink) + draw.normal(0, 0.02, ink.shape)
    colours = (grey[..., None] * [1, 0.97, 0.88]).clip(0, 1)
    return Image.fromarray((255 * colours).astype(np.uint8))


#: forms with the least share that has to be right
FORMS: dict[str, tuple[Form, float]] = {
    "as they are": (lambda digit, draw: digit, 0.984),
    "inverted": (inverted, 0.984),
    "280 × 280, off centre": (moved, 0.984),
    "white on nothing": (transparent(255), 0.95),
    "black on nothing": (transparent(0), 0.95),
    "made photos": (photo, 0.97),
}


SCENES: dict[str, tuple[Scene, float]] = {
    "pen on plain paper": (Scene(), 0.95),
    "blue pen on squared paper": (papers.BLUE_ON_SQUARED, 0.9),
    "pencil on squared paper": (papers.PENCIL_ON_SQUARED, 0.9),
    "blue pen on lined paper": (papers.BLUE_ON_LINED, 0.9),
    "pencil on lined paper": (Scene("pencil", "lined"), 0.9),
    "dark desk all round": (papers.ON_DESK, 0.9),
    "turned, -25° to 25°": (papers.TURNED, 0.9),
    "turned, -25° to -20°": (Scene(turn=(-25, -20)), 0.0),
    "turned, 20° to 25°": (Scene(turn=(20, 25)), 0.0),
    "squared, -25° to 25°": (Scene(ruling="squared", turn=(-25, 25)), 0.9),
}
PAIRS: dict[str, tuple[Scene, float]] = {
    "two digits on plain paper": (Scene(), 0.95),
    "two digits on squared paper": (Scene(ruling="squared"), 0.95),
    "two digits on lined paper": (Scene(ruling="lined"), 0.95),
}
Answer = tuple[str, bool]  # the digit, "" if it is refused, and whether the answer is unsure
Reader = Callable[[bytes], Answer]


def ask(url: str, session: requests.Session) -> Reader:
    def read(file: bytes) -> Answer:
        response = session.post(f"{url}/api/digit", files={"file": file}, timeout=30)
        if response.status_code == 400:
            return "", True
        answer = response.json()
        return answer["digit"], answer["unsure"]

    return read


def load_before(revision: str, network: Predictor) -> Reader:
    shown = ["git", "show", f"{revision}:course_utils/images/digits.py"]
    with tempfile.NamedTemporaryFile("wb", suffix=".py") as file:
        file.write(subprocess.run(shown, capture_output=True, check=True).stdout)
        file.flush()
        spec = importlib.util.spec_from_file_location("digits_before", file.name)
        assert spec is not None
        assert spec.loader is not None
        before = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(before)

    def read(file: bytes) -> Answer:
        pixels = read_image(file, longest=MAX_SIDE_PIXELS, background="contrast")
        try:
            picture = before.to_mnist(pixels)
        except ValueError:
            return "", True
        shares = network.predict(picture.reshape(1, *network.input_shape))[0]
        return str(shares.argmax()), bool(shares.max() < MIN_SURE_PROBABILITY)

    return read


def encode(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def share_right(
    readers: list[Reader], files: Iterator[bytes], labels: Iterable[str], name: str
) -> list[float]:
    """Of each reader; a label "" stands for several digits, to be refused or called unsure."""
    right = np.zeros(len(readers))
    labels = list(labels)
    for file, label in track(
        zip(files, labels, strict=True), name, len(labels), console=Console(stderr=True)
    ):
        answers = [read(file) for read in readers]
        right += [digit == label if label else unsure for digit, unsure in answers]
    return list(right / len(labels))


def make_rows(pictures: np.ndarray, labels: np.ndarray, small: np.ndarray, small_labels, seed: int):
    """Per row its name, files, labels, and the least share that has to be right."""
    names = [str(label) for label in labels]
    for name, (form, least) in FORMS.items():
        draw = np.random.default_rng(seed)
        kind = "JPEG" if form is photo else "PNG"
        files = (encode(form(Image.fromarray(digit), draw), kind) for digit in pictures)
        yield name, files, names, least
    for name, (scene, least) in SCENES.items():
        draw = np.random.default_rng(seed)
        files = (papers.photograph([digit], scene, draw) for digit in pictures)
        yield name, files, names, least
    for name, (scene, least) in PAIRS.items():
        draw = np.random.default_rng(seed)
        pairs = zip(pictures, np.roll(pictures, 1, axis=0), strict=True)
        files = (papers.photograph([*pair], scene, draw) for pair in pairs)
        yield name, files, [""] * len(names), least
    files = (encode(Image.fromarray(255 - digit), "PNG") for digit in small)
    yield "other writers, 8 × 8", files, [str(label) for label in small_labels], 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--model", type=Path, default=shipped_model("digit"))
    parser.add_argument("--before", help="a revision to compare with")
    options = parser.parse_args()
    pictures, labels = load_mnist()[1]
    chosen = np.random.default_rng(options.seed).permutation(len(labels))[: options.count]
    pictures, labels = pictures[chosen], labels[chosen]
    others = load_digits()
    small = np.minimum(others.images * 16, 255).astype(np.uint8)[: options.count]

    network = Predictor.load(options.model)
    scaled = (pictures / 255).reshape(-1, *network.input_shape)
    straight = np.mean(network.predict(scaled).argmax(axis=1) == labels)
    table = Table("form", "digits", "right", "before", "to be reached")
    table.add_row("(the network itself)", str(len(labels)), f"{straight:.1%}", "", "")
    missed = False
    rows = make_rows(pictures, labels, small, others.target[: options.count], options.seed)
    with serving("digit", model=options.model) as served, requests.Session() as session:
        readers = [ask(served.url, session)]
        if options.before:
            readers.append(load_before(options.before, network))
        for name, files, names, least in rows:
            shares = share_right(readers, files, names, name)
            missed |= shares[0] < least
            figures = [f"{share:.1%}" for share in [*shares, *[np.nan] * (2 - len(shares))]]
            table.add_row(name, str(len(names)), *figures, f"{least:.1%}" if least else "")
    Console().print(table)
    if missed:
        sys.exit("Not as promised.")


if __name__ == "__main__":
    main()
