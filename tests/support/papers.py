"""Synthetic photos of digits that were written with a thin pen on paper.

A camera looks at the sheet: for each pixel of the photo its place on the sheet is computed in
millimetres, turned and in perspective. There the rulings and the ink are drawn. Then come the
light, the lens's blur, the sensor's noise and JPEG.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

LONG_SIDE_PIXELS = 640
SIZES = [(480, 640), (640, 480), (640, 640)]
PLACES_PER_PIXEL = 6  # of MNIST, in which the way of the pen is found
MARGIN = 6  # around a digit, in pixels of MNIST
PAPER = (0.93, 0.93, 0.91)  # how much light it reflects, per colour
PENS = {"black": (0.11, 0.11, 0.12), "blue": (0.16, 0.21, 0.60), "pencil": (0.45, 0.45, 0.46)}
RULING_COLOURS = [(0.60, 0.69, 0.85), (0.67, 0.69, 0.72), (0.67, 0.62, 0.80), (0.58, 0.76, 0.80)]
DESKS = [(0.10, 0.09, 0.09), (0.22, 0.14, 0.09), (0.30, 0.19, 0.12), (0.15, 0.17, 0.20)]


@dataclass(frozen=True)
class Scene:
    """What is photographed, and how."""

    pen: str = "any"
    ruling: str = "plain"
    turn: tuple[float, float] = (-8, 8)  # degrees, anticlockwise
    on_desk: bool = False


BLUE_ON_SQUARED = Scene("blue", "squared")
PENCIL_ON_SQUARED = Scene("pencil", "squared")
BLUE_ON_LINED = Scene("blue", "lined")
ON_DESK = Scene(on_desk=True, turn=(-15, 15))
TURNED = Scene(turn=(-25, 25))


def thin(mask: np.ndarray) -> np.ndarray:
    """The middle lines of strokes (Zhang and Suen 1984)."""
    mask = np.pad(mask, 1).astype(np.uint8)
    while True:
        before = mask.copy()
        for first in (True, False):
            shifts = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
            p = [np.roll(mask, (-y, -x), (0, 1)) for y, x in shifts]
            count = sum(p)
            rises = sum((p[i] == 0) & (p[(i + 1) % 8] == 1) for i in range(8))
            north, east, south, west = p[0], p[2], p[4], p[6]
            if first:
                free = (north * east * south == 0) & (east * south * west == 0)
            else:
                free = (north * east * west == 0) & (north * south * west == 0)
            mask[(mask == 1) & (count >= 2) & (count <= 6) & (rises == 1) & free] = 0
        if (mask == before).all():
            return mask[1:-1, 1:-1].astype(bool)


@dataclass(frozen=True)
class Strokes:
    """One digit as the way of a pen."""

    distance: np.ndarray
    """Of each place from that way, in pixels of MNIST."""

    @property
    def sides(self) -> np.ndarray:
        """Height and width of the digit, in pixels of MNIST."""
        return np.array(self.distance.shape) / PLACES_PER_PIXEL - 2 * MARGIN


def find_strokes(digit: np.ndarray) -> Strokes:
    side = 28 * PLACES_PER_PIXEL
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    lines = thin(np.asarray(large) > 110)
    rows, columns = np.nonzero(lines)
    lines = lines[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    distance = ndimage.distance_transform_edt(~np.pad(lines, MARGIN * PLACES_PER_PIXEL))
    # Without the smoothing the lines would have steps. It lifts their middle by 0.8.
    smooth = np.maximum(0, ndimage.gaussian_filter(distance, 1) - 0.8)
    return Strokes(smooth / PLACES_PER_PIXEL)


def look(
    size: tuple[int, int], centre: np.ndarray, mm_per_pixel: float, turn: float, draw
) -> tuple[np.ndarray, np.ndarray]:
    """Where on the sheet each pixel looks, in millimetres to the right and downwards."""
    height, width = size
    v, u = np.mgrid[:height, :width].astype(np.float64)
    u, v = (u - width / 2) / LONG_SIDE_PIXELS, (v - height / 2) / LONG_SIDE_PIXELS
    tilt = draw.uniform(-0.06, 0.06, 2)  # the camera is not quite above the sheet
    depth = 1 + tilt[0] * u + tilt[1] * v
    scale = mm_per_pixel * LONG_SIDE_PIXELS
    u, v = u / depth * scale, v / depth * scale
    angle = np.deg2rad(turn)
    x = u * np.cos(angle) - v * np.sin(angle) + centre[0]
    y = u * np.sin(angle) + v * np.cos(angle) + centre[1]
    return x, y


def draw_rulings(x, y, kind: str, pixel: float, draw: np.random.Generator) -> np.ndarray:
    """How much light the rulings leave, per pixel and colour."""
    left = np.ones((*x.shape, 3))
    if kind == "plain":
        return left
    colour = np.array(RULING_COLOURS[draw.integers(len(RULING_COLOURS))])
    colour = (colour / PAPER) ** draw.uniform(0.7, 1.5)  # printed paler or darker
    spacing = 5.0 if kind == "squared" else draw.choice([7.0, 8.0, 9.0])
    width = draw.uniform(0.2, 0.5)
    families = [y, x] if kind == "squared" else [y]
    for place in families:
        off = (place - draw.uniform(0, spacing)) % spacing
        distance = np.minimum(off, spacing - off)
        cover = np.clip((width / 2 - distance) / pixel + 0.5, 0, 1) * min(1, width / pixel)
        left *= 1 - cover[..., None] * (1 - colour)
    if kind == "lined" and draw.uniform() < 0.3:  # a red line marks the margin
        cover = np.clip((0.15 - abs(x - draw.uniform(-20, 20))) / pixel + 0.5, 0, 1)
        left *= 1 - cover[..., None] * (1 - np.array([0.92, 0.5, 0.52]))
    return left


def draw_ink(x, y, strokes: Strokes, mm: float, width: float, pixel: float) -> np.ndarray:
    """How much of each pixel is under ink, the digit's middle being at (0, 0).

    Args:
        mm: size of a pixel of MNIST.
        width: of the pen's line, in millimetres.
        pixel: size of a pixel of the photo, in millimetres.
    """
    middle = np.array(strokes.distance.shape)[:, None, None] / 2
    at = np.array([y, x]) / mm * PLACES_PER_PIXEL + middle
    far = ndimage.map_coordinates(strokes.distance, at, order=1, mode="nearest") * mm
    return np.clip((width / 2 - far) / pixel + 0.5, 0, 1)


def write(x, y, digits: list[np.ndarray], height: float, pen: str, pixel: float, draw):
    """How much of each pixel is under ink: the digits from left to right, in the middle."""
    width = draw.uniform(0.5, 0.9 if pen == "pencil" else 1.1)
    placed, end = [], 0.0
    for digit in digits:
        strokes = find_strokes(digit)
        tall = height * draw.uniform(0.85, 1.15) if len(digits) > 1 else height
        mm = tall / strokes.sides.max()
        placed.append((end + strokes.sides[1] * mm / 2, strokes, mm))
        end += strokes.sides[1] * mm + draw.uniform(0.15, 0.5) * height
    middle = (placed[0][0] + placed[-1][0]) / 2
    ink = np.zeros(x.shape)
    for place, strokes, mm in placed:
        up = draw.uniform(-0.1, 0.1) * height if len(digits) > 1 else 0
        ink = np.maximum(ink, draw_ink(x - place + middle, y - up, strokes, mm, width, pixel))
    grain = ndimage.gaussian_filter(draw.normal(0, 1, x.shape), 1)
    return ink * np.clip(1 + (0.5 if pen == "pencil" else 0.15) * grain, 0.3, 1)


def light(shape: tuple[int, int], draw: np.random.Generator) -> np.ndarray:
    """A lamp or a window to a side, and sometimes the soft shadow of a hand."""
    v, u = np.mgrid[: shape[0], : shape[1]] / LONG_SIDE_PIXELS
    lamp = 1 - draw.uniform(0.1, 0.5) * (
        (u - draw.uniform(0, 1)) ** 2 + (v - draw.uniform(0, 1)) ** 2
    )
    if draw.uniform() < 0.3:
        angle = draw.uniform(0, 2 * np.pi)
        side = (u - draw.uniform(0.2, 0.8)) * np.cos(angle) + (v - 0.4) * np.sin(angle)
        lamp *= 1 - draw.uniform(0.15, 0.4) / (1 + np.exp(-side / draw.uniform(0.02, 0.1)))
    return lamp * draw.uniform(0.75, 1.05)


def develop(reflected: np.ndarray, draw: np.random.Generator) -> bytes:
    """A JPEG file of what reaches the lens."""
    tint = np.array([1, draw.uniform(0.95, 1), draw.uniform(0.85, 1)])  # lamps are yellowish
    picture = reflected * light(reflected.shape[:2], draw)[..., None] * tint
    blur = draw.uniform(0.4, 1.1)
    picture = ndimage.gaussian_filter(picture, (blur, blur, 0))
    picture += draw.normal(0, draw.uniform(0.005, 0.025), picture.shape)
    file = io.BytesIO()
    pixels = (255 * picture.clip(0, 1)).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=int(draw.integers(65, 93)))
    return file.getvalue()


def draw_desk(x, y, draw: np.random.Generator) -> np.ndarray:
    """Dark wood or plastic, the grain along one direction."""
    colour = np.array(DESKS[draw.integers(len(DESKS))])
    grain = ndimage.gaussian_filter(draw.normal(0, 1, x.shape), (1, draw.uniform(1, 40)))
    grain *= draw.uniform(0, 0.2) / grain.std()
    return colour * (1 + grain[..., None]).clip(0.3, 2)


def photograph(digits: list[np.ndarray], scene: Scene, draw: np.random.Generator) -> bytes:
    """A JPEG file that shows the digits, 1 to 3 cm high, from left to right on a sheet."""
    height = draw.uniform(10, 30)
    pen = scene.pen if scene.pen != "any" else str(draw.choice([*PENS]))
    size = SIZES[draw.integers(len(SIZES))]
    room = np.array([1.5 * len(digits), 1.5]) * height  # what the digits take, with some space
    if scene.on_desk:
        sheet = np.maximum(room * draw.uniform(1.2, 2.2, 2) / [len(digits), 1], room + height / 4)
        pixel = np.hypot(*sheet) * draw.uniform(1.0, 1.4) / min(size)
        camera, written = draw.uniform(-0.03, 0.03, 2) * np.hypot(*sheet), sheet - room
    else:
        view = draw.uniform(2, 4.4) * height * np.array(size[::-1]) / max(size)
        view *= max(1, (room / view).max())
        pixel = view.max() / max(size)
        camera, written = np.zeros(2), view - room
    x, y = look(size, camera, pixel, draw.uniform(*scene.turn), draw)
    reflected = PAPER * draw_rulings(x, y, scene.ruling, pixel, draw)
    right, down = draw.uniform(-0.45, 0.45, 2) * written
    ink = write(x - right, y - down, digits, height, pen, pixel, draw)[..., None]
    reflected *= 1 - ink * (1 - np.array(PENS[pen]) * draw.uniform(0.85, 1.2) / PAPER)
    if scene.on_desk:
        inside = np.minimum(sheet[0] / 2 - abs(x), sheet[1] / 2 - abs(y)) / pixel
        cover = np.clip(inside + 0.5, 0, 1)[..., None]
        reflected = cover * reflected + (1 - cover) * draw_desk(x, y, draw)
    return develop(reflected, draw)
