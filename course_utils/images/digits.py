"""A photo or a drawing of a digit → the form of MNIST's digits, step by step.

MNIST's digits are white on black, scaled to fit a box of 20 × 20 pixels with their proportions
kept, and centred by mass in 28 × 28 (LeCun et al. 1998, *Gradient-Based Learning Applied to
Document Recognition*, III.A). A network trained on them knows no other form.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from course_utils.images import paper

SIDE_PIXELS = 28  # of MNIST's pictures
BOX_PIXELS = 20  # of the digit in them
POLARITY_SIDE_PIXELS = 32  # of the copy in which light on dark is told from dark on light
# Of the copy in which the light on the paper is estimated. In a smaller one the edge of a sharp
# shadow is blurred, and the difference would be taken for ink.
GROUND_SIDE_PIXELS = 200
MAX_STROKE_SHARE = 0.3  # of a picture's longer side: no stroke is as wide
MIN_CONTRAST = 0.12  # of ink, 1 being black on white
MIN_PEAK_INK = 0.7  # of full ink; a stroke reaches more somewhere
MIN_STROKE_AREA_SHARE = 0.08  # of the largest stroke's area; what is smaller is dirt
MIN_DIGIT_SIDE_SHARE = 0.1  # of the picture's longer side; smaller beside a larger thing is none
MIN_DIGIT_AREA_SHARE = 0.2  # of the largest stroke's area; what is smaller is a part of a digit
MIN_HEIGHT_SHARE = 0.55  # of the tallest stroke's; what is smaller is a part of a digit
MAX_OVERLAP_SHARE = 0.2  # of two digits, seen from above or from a side
MIN_STACK_RATIO = 1.6  # height to width of two digits above each other; a broken 5 has less
MIN_STROKE_WIDTH_SHARE = 0.11  # of the digit's longer side, as a thin stroke in MNIST


class NothingDrawn(ValueError):
    """The picture shows no digit, nor anything else: it is of one colour."""


class SeveralDigits(ValueError):
    """The picture shows more than one digit."""


def to_mnist(pixels: np.ndarray) -> np.ndarray:
    """A picture of one digit in the form that a network trained on MNIST knows.

    Args:
        pixels: uint8 of shape ``(height, width, 3)``; 400 pixels a side are plenty.

    Returns:
        float32 of shape ``(28, 28)``: 0 paper to 1 ink.

    Raises:
        NothingDrawn: there is nothing to be seen.
        SeveralDigits: more than one digit is seen.
    """
    return trace_steps(pixels)["centred"]


def trace_steps(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """All that `to_mnist` does, in order, each step's picture under its name.

    Returns:
        float32 pictures of shape ``(height, width)``, 0 to 1: ``grey``; ``sheet``, without a
        dark desk around it; ``inverted``, light on dark whatever it was; ``even``, the light on
        the paper taken out; ``unruled``, without rulings, which also tell how far to turn it;
        ``ink``, without noise and specks; ``cropped``; ``thickened``, if the lines were thinner
        than any in MNIST; ``scaled``; and ``centred``, 28 × 28.

    Raises:
        NothingDrawn: there is nothing to be seen.
        SeveralDigits: more than one digit is seen.
    """
    done = {"grey": _to_grey(pixels)}
    done["sheet"] = paper.cut_out_sheet(done["grey"])
    done["inverted"] = _make_light_on_dark(done["sheet"])
    done["even"] = _even_out_light(done["inverted"])
    done["unruled"] = paper.remove_rulings(done["even"])
    done["ink"] = _remove_specks(_stretch_contrast(done["unruled"]))
    done["cropped"] = _crop(done["ink"])
    done["thickened"] = _thicken(done["cropped"])
    done["scaled"] = _scale(done["thickened"])
    done["centred"] = _centre(done["scaled"])
    return done


def _to_grey(pixels: np.ndarray) -> np.ndarray:
    """Luminance (ITU-R BT.601), or a single channel where only that one shows the digit."""
    colours = pixels.astype(np.float32) / 255
    luminance = colours @ np.array([0.299, 0.587, 0.114], np.float32)
    step = max(1, min(luminance.shape) // 100)  # some of the pixels are enough
    spreads = colours[::step, ::step].std(axis=(0, 1))
    if luminance[::step, ::step].std() >= spreads.max() / 2:
        return luminance
    return colours[:, :, spreads.argmax()]  # blue on black, say


def _make_light_on_dark(grey: np.ndarray) -> np.ndarray:
    """Ink is the minority: it differs from the median of what is around, to one side.

    Cubed, the little differences that light and shadow make count for nothing.
    """
    small = paper.resize(grey, POLARITY_SIDE_PIXELS)
    window = POLARITY_SIDE_PIXELS // 2 + 1
    # Beyond the margin its own pixels go on: ground, even where a digit fills the picture.
    around = ndimage.median_filter(small, size=(window, window), mode="nearest")
    return 1 - grey if ((small - around) ** 3).sum() < 0 else grey


def _even_out_light(grey: np.ndarray) -> np.ndarray:
    """How much lighter each pixel is than the ground around it, 1 being white.

    The ground is what remains when everything narrower than a broad window is taken away (a
    morphological opening).
    """
    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 500)  # a large photo's noise
    small = _open_broadly(paper.resize(grey, GROUND_SIDE_PIXELS)).astype(np.float32)
    enlarged = Image.fromarray(small).resize(grey.shape[::-1], Image.Resampling.BILINEAR)
    ground = np.asarray(enlarged)
    # In a shadow there is less contrast, too.
    return np.clip((grey - ground) / np.maximum(1 - ground, 0.2), 0, 1)


def _open_broadly(picture: np.ndarray) -> np.ndarray:
    window = int(MAX_STROKE_SHARE * max(picture.shape)) | 1
    # Beyond the margin its own pixels go on, so that light which grows towards it is ground.
    padded = np.pad(picture, window, mode="edge")
    opened = ndimage.grey_opening(padded, size=(window, window))
    return np.asarray(opened[window:-window, window:-window])


def _stretch_contrast(even: np.ndarray) -> np.ndarray:
    """Ink 1, paper 0, and what is between only at the edges."""
    threshold = paper.find_threshold(even)
    inked = even > threshold
    if not inked.any() or inked.all():
        raise NothingDrawn("nothing is drawn: the picture is of one colour")
    full, ground = np.median(even[inked]), even[~inked][::4]  # some of it are enough
    middle = np.median(ground)
    noise = middle + 4 * np.median(abs(ground - middle))
    if full - noise < MIN_CONTRAST:
        raise NothingDrawn("nothing is drawn: no part stands out from its surroundings")
    return np.clip((even - noise) / (full - noise), 0, 1).astype(np.float32)


def _remove_specks(ink: np.ndarray) -> np.ndarray:
    """Only the strokes: no dirt, and nothing cut by the margin where something whole is there.

    Raises:
        SeveralDigits: they are more than one digit's.
    """
    labels, _ = ndimage.label(ink > 0.25, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    full = np.bincount(labels[ink >= MIN_PEAK_INK], minlength=len(sizes))
    sizes[full == 0] = 0  # what a shadow leaves
    sizes[0] = 0
    margin = [labels[0], labels[-1], labels[:, 0], labels[:, -1]]
    whole = sizes.copy()
    whole[np.unique(np.concatenate(margin))] = 0
    boxes = ndimage.find_objects(labels)
    if whole.any():
        rows, columns = boxes[whole.argmax() - 1]
        longer = max(rows.stop - rows.start, columns.stop - columns.start)
        if longer >= MIN_DIGIT_SIDE_SHARE * max(ink.shape):
            sizes = whole
    kept = sizes >= max(1, MIN_STROKE_AREA_SHARE * sizes.max())
    large = np.flatnonzero(sizes >= MIN_DIGIT_AREA_SHARE * sizes.max())
    if _stand_apart([boxes[at - 1] for at in large]):
        raise SeveralDigits("more than one digit is seen")
    # Their soft edges are below the threshold, so a pixel around them stays, too.
    return ink * ndimage.maximum_filter(kept[labels].astype(np.float32), 3)


def _stand_apart(boxes: list[tuple[slice, slice]]) -> bool:
    """Whether two of the strokes are of about one height, and beside each other or in a stack."""
    ends = np.array([[(at.start, at.stop) for at in box] for box in boxes])
    height = np.ptp(ends[:, 0], axis=1)
    ends = ends[height >= MIN_HEIGHT_SHARE * height.max()]
    starts, stops = ends[..., 0], ends[..., 1]
    shared = np.minimum(stops[:, None], stops) - np.maximum(starts[:, None], starts)
    shorter = np.minimum((stops - starts)[:, None], stops - starts)
    above, beside = (shared <= MAX_OVERLAP_SHARE * shorter).any(axis=(0, 1))
    high, wide = stops.max(axis=0) - starts.min(axis=0)
    return bool(beside or (above and high >= MIN_STACK_RATIO * wide))


def _crop(ink: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero((ink > 0.1).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _thicken(digit: np.ndarray) -> np.ndarray:
    """Widen thin lines, which would be a faint grey once the digit is 20 pixels high."""
    side, mask = max(digit.shape), digit > 0.5
    edge = mask & ~ndimage.binary_erosion(mask)
    width = 2 * mask.sum() / max(1, edge.sum())  # a line has two edges
    missing = (MIN_STROKE_WIDTH_SHARE * side - width) / 2
    if side <= 2 * BOX_PIXELS or missing <= 0:
        return digit
    room = int(np.ceil(missing))
    padded = np.pad(digit, room)
    distance = ndimage.distance_transform_edt(padded <= 0.5)
    return np.maximum(padded, np.clip(missing + 0.5 - distance, 0, 1)).astype(np.float32)


def _scale(digit: np.ndarray) -> np.ndarray:
    small = np.clip(paper.resize(digit, BOX_PIXELS, enlarge=True), 0, 1)
    return small / small.max()


def _centre(digit: np.ndarray) -> np.ndarray:
    picture = np.zeros((SIDE_PIXELS, SIDE_PIXELS), np.float32)
    height, width = digit.shape
    middle = ndimage.center_of_mass(digit)
    top, left = (
        int(np.clip(round(SIDE_PIXELS / 2 - at), 0, SIDE_PIXELS - length))
        for at, length in zip(middle, (height, width), strict=True)
    )
    picture[top : top + height, left : left + width] = digit
    return picture
