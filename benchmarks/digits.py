"""How many digits the service reads right, through HTTP, in every form that people send.

    python -m benchmarks.digits [--seed 0] [--count 1000] [--model PATH]

MNIST's test digits as PNG files: as they are, inverted, large and off centre, transparent, and as
photos (made ones: ink on paper in the light of a lamp, turned by up to ten degrees, as JPEG); in
each row the share read right by the network on the same digits without any detour, too. The last
row are scikit-learn's digits, by other writers, 8 × 8 pixels in size. Digits drawn in a browser
are counted by tests/browser/test_digit_page.py.
"""

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import requests
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_digits

from course_utils.datasets import load_mnist
from course_utils.inference import Predictor, shipped_model
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


def share_right(
    url: str, pictures: np.ndarray, labels: np.ndarray, form: Form, seed: int, name: str
) -> float:
    draw, right = np.random.default_rng(seed), 0
    kind = "JPEG" if form is photo else "PNG"
    with requests.Session() as session:
        for picture, label in track(
            list(zip(pictures, labels, strict=True)), name, console=Console(stderr=True)
        ):
            file = io.BytesIO()
            form(Image.fromarray(picture), draw).save(file, kind)
            sent = {"file": file.getvalue()}
            right += session.post(f"{url}/upload", files=sent, timeout=30).json() == str(label)
    return right / len(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--model", type=Path, default=shipped_model("digit"))
    options = parser.parse_args()
    pictures, labels = load_mnist()[1]
    chosen = np.random.default_rng(options.seed).permutation(len(labels))[: options.count]
    pictures, labels = pictures[chosen], labels[chosen]
    others = load_digits()
    small = np.minimum(others.images * 16, 255).astype(np.uint8)[: options.count]

    network = Predictor.load(options.model)
    scaled = (pictures / 255).reshape(-1, *network.input_shape)
    straight = np.mean(network.predict(scaled).argmax(axis=1) == labels)
    table = Table("form", "digits", "right", "to be reached")
    table.add_row("(the network itself)", str(len(labels)), f"{straight:.1%}", "")
    missed = False
    with serving("digit", model=options.model) as served:
        for name, (form, least) in FORMS.items():
            share = share_right(served.url, pictures, labels, form, options.seed, name)
            missed |= share < least
            table.add_row(name, str(len(labels)), f"{share:.1%}", f"{least:.1%}")
        share = share_right(
            served.url, small, others.target[: options.count], inverted, options.seed, "8 × 8"
        )
        table.add_row("other writers, 8 × 8", str(len(small)), f"{share:.1%}", "")
    Console().print(table)
    if missed:
        sys.exit("Not as promised.")


if __name__ == "__main__":
    main()
