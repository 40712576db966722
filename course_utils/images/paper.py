"""What is around a digit in a photo: the desk under the sheet, and the rulings on the paper.

A sheet that shows all round is cut out and turned upright. Rulings are known by what no stroke of a
pen is: thin, straight, and as long as the picture.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

SHEET_SIDE_PIXELS = 100  # of the copy in which the sheet is looked for
MIN_DESK_SHARE = 0.9  # of the picture's margin, where a sheet shows all round
MIN_SHEET_SIDE_SHARE = 0.3  # of the picture's longer side; no stroke is as wide
MIN_SHEET_FILL = 0.87  # of the smallest box around the sheet; an ellipse fills 0.79 of its own
SHEET_MARGIN = 0.03  # of the sheet's sides, which are cut off with its blurred edge
MIN_RULED_SIDE_PIXELS = 100  # in a smaller picture no ruling can be told from a stroke
MAX_RULING_INK = 0.3  # what is darker counts as that in the search for their direction
MIN_PEAK = 2.5  # of the directions of all edges, times their mean
STRIPS = 12  # into which a picture is cut across the rulings
MAX_RULING_WIDTH_SHARE = 0.03  # of the picture's longer side
MIN_RULING_INK = 0.03
MIN_RULINGS = 2
BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
OUTSIDE = -1.0  # marks what a turned picture does not show


def find_threshold(values: np.ndarray) -> float:
    """The threshold with the largest variance between the two sides (Otsu 1979)."""
    counts, edges = np.histogram(values, 256, (0, 1))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
    between = np.nan_to_num(below * above * gap**2)
    return float(edges[1:][between.argmax()])


def resize(picture: np.ndarray, longer: int, *, enlarge: bool = False) -> np.ndarray:
    """With a longer side of that many pixels; smaller ones stay unless to be enlarged."""
    factor = longer / max(picture.shape)
    if factor >= 1 and not enlarge:
        return picture
    size = [max(1, round(side * factor)) for side in picture.shape[::-1]]
    way = BICUBIC if factor > 1 else Image.Resampling.BOX
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.resize((size[0], size[1]), way))


def cut_out_sheet(grey: np.ndarray) -> np.ndarray:
    """The sheet alone and upright, where it lies on a dark desk that shows all round."""
    small = resize(grey, SHEET_SIDE_PIXELS)
    bright = small > find_threshold(small)
    margin = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    if margin.mean() > 1 - MIN_DESK_SHARE or not bright.any():
        return grey
    labels, _ = ndimage.label(bright)
    largest = np.bincount(labels.ravel())[1:].argmax() + 1
    corners, sides = _find_corners(ndimage.binary_fill_holes(labels == largest))
    if min(sides) < MIN_SHEET_SIDE_SHARE * max(small.shape):
        return grey
    factor = max(grey.shape) / max(small.shape)
    corners += 2 * SHEET_MARGIN * (corners.mean(axis=0) - corners)
    size = round(factor * sides[0]), round(factor * sides[1])
    quad = tuple(factor * corners.ravel())
    return np.asarray(Image.fromarray(grey).transform(size, Image.Transform.QUAD, quad, BILINEAR))


def _find_corners(region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a sheet, anticlockwise from the upper left, and its width and height; 0, 0: no sheet."""
    rows, columns = np.nonzero(region & ~ndimage.binary_erosion(region))
    turns = np.deg2rad(np.arange(-45, 45, 3))[:, None]
    right = columns * np.cos(turns) + rows * np.sin(turns)
    down = rows * np.cos(turns) - columns * np.sin(turns)
    sides = np.stack([np.ptp(right, axis=1), np.ptp(down, axis=1)], axis=1) + 1
    fills = region.sum() / sides.prod(axis=1)
    best = fills.argmax()
    right, down = right[best], down[best]
    at = [end.argmax() for end in (-right - down, down - right, right + down, right - down)]
    found = np.stack([columns[at], rows[at]], axis=1) + 0.5
    return found, sides[best] * (fills[best] >= MIN_SHEET_FILL)


def remove_rulings(even: np.ndarray) -> np.ndarray:
    """The picture without rulings, turned so that they are level; as it is where there are none.

    Args:
        even: float32, 0 paper to 1 ink, in even light.
    """
    turn = _find_turn(even) if min(even.shape) >= MIN_RULED_SIDE_PIXELS else None
    if turn is None:
        return even
    image = Image.fromarray(even)
    level = np.asarray(image.rotate(turn, BICUBIC, expand=True, fillcolor=OUTSIDE))
    across, count = _find_rulings(level)
    along, others = _find_rulings(level.T)
    if count + others < MIN_RULINGS:
        return even
    # Ink and rulings leave each their share of the light.
    return np.clip(1 - (1 - level.clip(0)) / ((1 - across) * (1 - along.T)), 0, 1)


def _find_turn(even: np.ndarray) -> float | None:
    """By how many degrees rulings are turned, -45 to 45; None if there are none.

    The edges of rulings have one direction, or two at a right angle. Those of strokes have many.
    """
    capped = np.minimum(even, MAX_RULING_INK)
    # Scharr's gradient, of every other pixel: the simple one is wrong by up to four degrees.
    right, down = capped[:, 2::2] - capped[:, :-2:2], capped[2::2] - capped[:-2:2]
    right = 3 * right[:-2:2] + 10 * right[1:-1:2] + 3 * right[2::2]
    down = 3 * down[:, :-2:2] + 10 * down[:, 1:-1:2] + 3 * down[:, 2::2]
    turns = (np.rad2deg(np.arctan2(down, right)) % 90).astype(int) % 90
    counts = np.bincount(turns.ravel(), (right**2 + down**2).ravel(), 90)
    counts = ndimage.gaussian_filter1d(counts, 1, mode="wrap")
    if counts.max() < MIN_PEAK * counts.mean():
        return None
    return (float(counts.argmax()) + 45.5) % 90 - 45


def _find_rulings(level: np.ndarray) -> tuple[np.ndarray, int]:
    """How dark level rulings make each pixel, and how many cross the picture.

    Each of a number of strips has a median per row. A ruling is where most other strips have one,
    too, at most two rows higher or lower, since the camera is seldom quite above the sheet.
    """
    height, width = level.shape
    strip = width // STRIPS
    rows = np.median(level[:, : STRIPS * strip].reshape(height, STRIPS, strip), axis=2)
    outside = rows < OUTSIDE / 2
    rows[outside] = 0
    broad = int(MAX_RULING_WIDTH_SHARE * max(level.shape)) | 1
    rows -= ndimage.grey_opening(rows, size=(broad, 1))
    near = ndimage.maximum_filter(rows, size=(5, 1))
    crossing = np.percentile(near, 30, axis=1) > MIN_RULING_INK
    near[outside] = 1  # a ruling ends there because the picture does
    common = ndimage.percentile_filter(near, 30, size=(1, 9), mode="nearest")
    rulings = np.minimum(rows, common) * (common > MIN_RULING_INK)
    # A row more on each side, because a ruling that is not quite level is smeared within a strip.
    rulings = ndimage.maximum_filter(rulings, size=(3, 1)).astype(np.float32)
    smooth = Image.fromarray(rulings).resize((width, height), BILINEAR)
    return np.asarray(smooth), int(ndimage.label(crossing)[1])
