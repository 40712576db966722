"""From the bytes of a file to an answer: the page in Chromium against Keras on what Python reads.

Two networks look at the same files. MobileNet shows what a difference of pixels does to an answer.
The other one answers the pixels that it was given, halved, so that each can be compared with
Pillow's.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from course_utils.export import browser as in_page
from course_utils.export.source import Source
from course_utils.images import read_image
from course_utils.inference.pixels import MINUS_ONE_TO_ONE
from tests.export.conftest import silent
from tests.support import networks, photo_files
from tests.support.in_page import predict, static_host, visiting

pytestmark = pytest.mark.thorough

PHOTOS = {path.stem: path for path in networks.photo_files()}
MOST = 3e-4  # that a probability may differ where the page reads a file by itself
SIDES = (150, 200)  # height and width of the picture whose pixels are answered


@functools.cache
def load_photo(name: str) -> Image.Image:
    return Image.fromarray(read_image(PHOTOS[name].read_bytes()))


@functools.cache
def make_files(name: str) -> dict[str, bytes]:
    return {"as it came": PHOTOS[name].read_bytes(), **photo_files.derive(load_photo(name))}


def shown(browser: Browser, folder: Path) -> Iterator[Page]:
    """The page of a folder, its network loaded."""
    with static_host(folder) as url, visiting(browser) as visitor:
        yield visitor.open(url)


@pytest.fixture(scope="module")
def pixels(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page that answers half of each pixel which its network was given."""
    layers = networks.quiet_keras().layers
    # LiteRT.js cannot run a network that ends with Flatten.
    mirror = [layers.Input((*SIDES, 3)), layers.Flatten(), layers.Rescaling(0.5)]
    network = networks.quiet_keras().Sequential(mirror)
    folder = tmp_path_factory.mktemp("pixels") / "page"
    in_page.convert(network, folder, kind="photo", report=silent)
    yield from shown(browser, folder)


@pytest.fixture(scope="module")
def photos(
    browser: Browser, mobilenet: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """MobileNet in a page."""
    folder = tmp_path_factory.mktemp("mobilenet") / "page"
    labels = networks.imagenet_labels()
    in_page.convert(
        mobilenet, folder, kind="photo", labels=labels, preprocess=MINUS_ONE_TO_ONE, report=silent
    )
    yield from shown(browser, folder)


def count_levels(page: Page, content: bytes) -> float:
    """By how much a pixel differs at most, of 255."""
    height, width = SIDES
    wanted = read_image(content, size=(width, height)).astype(np.float32)
    return float(np.abs(2 * predict(page, content) - wanted.ravel()).max())


@pytest.mark.parametrize("name", ["cat", "dog", "fig"])
def test_each_pixel_is_pillows(pixels: Page, name: str) -> None:
    """Bit for bit, in whatever kind of file."""
    found = {kind: count_levels(pixels, content) for kind, content in make_files(name).items()}
    assert {kind: levels for kind, levels in found.items() if levels} == {}


@pytest.mark.parametrize("size", [(1601, 1203), (1650, 2200), (3333, 2431)])
def test_each_pixel_of_a_large_jpeg_is_pillows(pixels: Page, size: tuple[int, int]) -> None:
    """Pillow decodes it at 1/2 or 1/4, and so has the page to do."""
    files = photo_files.large_jpegs(load_photo("dog"), size)
    found = {kind: count_levels(pixels, content) for kind, content in files.items()}
    assert {kind: levels for kind, levels in found.items() if levels} == {}


def compare_answers(page: Page, model: Any, files: dict[str, bytes]) -> dict[str, float]:
    """By how much a probability differs at most, for each file."""
    read = np.stack([read_image(content, size=(224, 224)) for content in files.values()])
    wanted = Source(model, MINUS_ONE_TO_ONE).predict(read)
    got = np.stack([predict(page, content) for content in files.values()])
    assert got.shape == wanted.shape == (len(files), 1000)
    differences = np.abs(got - wanted).max(axis=1)
    return dict(zip(files, map(float, differences), strict=True))


@pytest.mark.parametrize("name", PHOTOS)
def test_each_file_of_a_photo_gets_keras_answer(photos: Page, mobilenet: Any, name: str) -> None:
    found = compare_answers(photos, mobilenet, make_files(name))
    print(f"{name}: {max(found.values()):.1e} ({max(found, key=found.__getitem__)})")
    assert {kind: round(value, 6) for kind, value in found.items() if not value <= MOST} == {}


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ["dog", "fig", "red_panda"])
def test_a_photo_of_twelve_megapixels_gets_keras_answer(
    photos: Page, mobilenet: Any, name: str, orientation: int
) -> None:
    content = photo_files.from_a_phone(load_photo(name), orientation)
    (found,) = compare_answers(photos, mobilenet, {name: content}).values()
    print(f"{name}, orientation {orientation}: {found:.1e}")
    assert found <= MOST
