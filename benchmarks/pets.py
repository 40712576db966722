"""Cats and dogs through HTTP: how often is the pets service right, on photos it has not seen?

    python -m benchmarks.pets [--photos FOLDER]

- CIFAR-10: the 2,000 cats and dogs of its test part, of which notebook 10 uses none;
- FOLDER: full-size photographs of your own, in sub-folders whose names begin with cat and dog.

Beside it the yardstick: the ImageNet network as it is, its probabilities of all breeds summed.
"""

import argparse
import base64
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import requests
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from course_utils.datasets import CIFAR10_CLASSES, load_cifar10
from course_utils.images import read_image
from course_utils.inference import Predictor, shipped_model
from course_utils.training.transfer import list_pictures
from tests.support.serving import serving

NAMES = ("cat", "dog")
CATS, DOGS = range(281, 286), range(151, 269)  # ImageNet's house cats and breeds of dogs
BOUNDS = {"CIFAR-10, test part": 0.85, "photographs": 0.95}
FEW = 50  # photographs, with fewer of which nothing is claimed


def cifar10() -> tuple[list[bytes], np.ndarray]:
    _, (pictures, labels) = load_cifar10()
    numbers = [CIFAR10_CLASSES.index(name) for name in NAMES]
    chosen = np.flatnonzero(np.isin(labels, numbers))
    return [png(pictures[i]) for i in chosen], (labels[chosen] == numbers[1]).astype(int)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def served(photos: Sequence[bytes]) -> Iterator[bool]:
    """For each photo, whether the service takes it for a dog."""
    with serving("pets") as server, requests.Session() as session:
        for photo in track(photos, "asking the service", transient=True):
            body = json.dumps({"image": base64.b64encode(photo).decode()})
            answer = session.post(f"{server.url}/", data=body, timeout=20)
            answer.raise_for_status()
            yield answer.json()["prediction"]["dog"] > 0.5


def by_imagenet(photos: Sequence[bytes]) -> Iterator[bool]:
    network = Predictor.load(shipped_model("image"))
    for photo in track(photos, "asking ImageNet", transient=True):
        shares = network.predict(read_image(photo, size=(224, 224))[None])[0]
        yield shares[DOGS].sum() > shares[CATS].sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=Path, help="a folder with sub-folders cat* and dog*")
    options = parser.parse_args()
    sets = {"CIFAR-10, test part": cifar10()}
    if options.photos:
        files, labels = list_pictures(options.photos, NAMES)
        sets["photographs"] = ([file.read_bytes() for file in files], labels)
    table = Table("photos", "number", "right", "cats", "dogs", "asked for", "ImageNet's classes")
    failed = False
    for name, (photos, labels) in sets.items():
        right = np.array(list(served(photos))) == labels
        usual = np.array(list(by_imagenet(photos))) == labels
        shares = [right, right[labels == 0], right[labels == 1]]
        claimed = len(photos) >= FEW
        bound = f"{BOUNDS[name]:.0%}" if claimed else "too few"
        row = [f"{part.mean():.1%}" for part in shares]
        table.add_row(name, f"{len(photos):,}", *row, bound, f"{usual.mean():.1%}")
        failed |= claimed and right.mean() < BOUNDS[name]
    Console().print(table)
    sys.exit("the service is right less often than it should be" if failed else 0)


if __name__ == "__main__":
    main()
