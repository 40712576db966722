"""Pictures of digits brought to MNIST's form."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from course_utils.datasets import load_mnist
from course_utils.images import digits

SEED = 9


@pytest.fixture(scope="module")
def mnist() -> np.ndarray:
    """Twenty test digits, uint8 of shape (20, 28, 28), white on black."""
    pictures = load_mnist()[1][0]
    return pictures[np.random.default_rng(SEED).permutation(len(pictures))[:20]]


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)


def enlarged(digit: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC))


def on_paper(digit: np.ndarray, light: np.ndarray) -> np.ndarray:
    """A photo, 400 × 400: the digit in ink, off centre, in that light."""
    ink = np.zeros((400, 400))
    ink[150:350, 30:230] = enlarged(digit, 200) / 255
    noise = np.random.default_rng(SEED).normal(0, 5, (400, 400))
    return rgb(np.clip(light * (1 - 0.8 * ink) * 255 + noise, 0, 255))


def difference(pixels: np.ndarray, digit: np.ndarray) -> float:
    """How far what comes out is from the digit, a pixel on average."""
    return float(np.abs(digits.to_mnist(pixels) - digit / 255).mean())


x, y = np.meshgrid(np.linspace(0, 1, 400), np.linspace(0, 1, 400))
LIGHTS = {
    "even": np.full((400, 400), 0.9),
    "from a side": 0.4 + 0.5 * x,
    "lamp": 0.9 - 0.5 * ((x - 0.3) ** 2 + (y - 0.4) ** 2),
    "a shadow": np.where(x < 0.7, 0.85, 0.5),
    "a dark shadow": np.where(x < 0.4, 0.85, 0.3),  # its edge crosses the digit
}
FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "itself": rgb,
    "black on white": lambda digit: rgb(255 - digit),
    "grey on grey": lambda digit: rgb(90 + digit // 3),
    "off centre": lambda digit: rgb(np.pad(enlarged(digit, 280), ((0, 120), (90, 10)))),
    "small in a large picture": lambda d: rgb(255 - np.pad(enlarged(d, 60), ((300, 0), (0, 300)))),
    "blue on black": lambda digit: rgb(digit) * np.array([0, 0, 1], np.uint8),
    "yellow on white": lambda digit: 255 - rgb(digit) * np.array([0, 0, 1], np.uint8),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_whatever_the_picture_is_the_same_digit_comes_out(
    mnist: np.ndarray, form: Callable[[np.ndarray], np.ndarray]
) -> None:
    found = [difference(form(digit), digit) for digit in mnist]
    # A digit moved by a pixel is 0.05 to 0.1 off, another digit 0.15 or more.
    assert np.median(found) < 0.05
    assert sorted(found)[-3] < 0.08


@pytest.mark.parametrize("light", LIGHTS.values(), ids=list(LIGHTS))
def test_the_light_on_the_paper_does_not_matter(mnist: np.ndarray, light: np.ndarray) -> None:
    found = [difference(on_paper(digit, light), digit) for digit in mnist]
    assert np.median(found) < 0.05
    assert sorted(found)[-3] < 0.1


def test_a_digit_that_fills_its_picture_is_not_taken_for_the_ground(mnist: np.ndarray) -> None:
    for digit in mnist:
        rows, columns = (np.flatnonzero(digit.max(axis=axis) > 30) for axis in (1, 0))
        tight = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert difference(rgb(tight), digit) < 0.15
        assert difference(rgb(255 - tight), digit) < 0.15


def test_it_has_mnists_form(mnist: np.ndarray) -> None:
    for digit in mnist:
        picture = digits.to_mnist(on_paper(digit, LIGHTS["lamp"]))
        assert (picture.shape, picture.dtype) == ((28, 28), np.float32)
        assert (picture.min(), picture.max()) == (0, 1)
        inked = [np.flatnonzero(picture.any(axis=axis)) for axis in (0, 1)]
        assert max(at[-1] - at[0] + 1 for at in inked) == 20
        mass = (picture * np.arange(28)).sum() / picture.sum()
        assert abs(mass - 14) < 1.01


def test_the_lines_of_a_fine_pen_are_drawn_thicker() -> None:
    paper = np.full((400, 400), 255, np.uint8)
    paper[50:350, 199:202] = 0  # a one, three pixels wide
    picture = digits.to_mnist(rgb(paper))
    assert 1.5 < picture[14].sum() < 4


def test_dirt_and_what_the_margin_cuts_are_left_out(mnist: np.ndarray) -> None:
    for digit in mnist[:5]:
        photo = on_paper(digit, LIGHTS["even"])
        dirty = photo.copy()
        dirty[20:26, 300:306] = 30  # a crumb
        dirty[:, 385:] = 60  # the table
        clean = digits.to_mnist(photo)
        assert np.abs(digits.to_mnist(dirty) - clean).mean() < 0.08


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (3, 500)])
def test_a_picture_of_one_colour_shows_nothing(value: int, size: tuple[int, int]) -> None:
    with pytest.raises(digits.NothingDrawn, match="nothing is drawn"):
        digits.to_mnist(np.full((*size, 3), value, np.uint8))


@pytest.mark.parametrize("light", LIGHTS.values(), ids=list(LIGHTS))
def test_empty_paper_shows_nothing(light: np.ndarray) -> None:
    with pytest.raises(digits.NothingDrawn, match="nothing is drawn"):
        digits.to_mnist(on_paper(np.zeros((28, 28), np.uint8), light))


@pytest.mark.parametrize("size", [(1, 2), (2, 2), (1, 500), (7, 3), (512, 1)])
def test_small_and_narrow_pictures_are_no_error(size: tuple[int, int]) -> None:
    """Whatever they show, it is a picture or a refusal, without a warning."""
    draw = np.random.default_rng(SEED)
    for _ in range(20):
        try:
            picture = digits.to_mnist(draw.integers(0, 256, (*size, 3), np.uint8))
        except (digits.NothingDrawn, digits.SeveralDigits):
            continue
        assert picture.shape == (28, 28)
        assert np.isfinite(picture).all()


def test_each_step_can_be_looked_at(mnist: np.ndarray) -> None:
    done = digits.trace_steps(on_paper(mnist[0], LIGHTS["from a side"]))
    assert " ".join(done) == (
        "grey sheet inverted even unruled ink cropped thickened scaled centred"
    )
    for picture in done.values():
        assert picture.dtype == np.float32
        assert picture.min() >= 0
        assert picture.max() <= 1
    assert max(done["scaled"].shape) == 20
