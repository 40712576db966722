"""Untrusted bytes or a URL → an RGB array, safely.

`read_image` takes what a stranger uploads, `fetch_image` what a stranger's URL leads to. What is
no good photo is refused with a message for a person, before it can cost much time or memory.
"""

import io
from typing import Literal

import numpy as np
from PIL import Image, ImageStat

from course_utils.images.downloads import BadURL, download
from course_utils.images.formats import (
    FORMATS,
    MAX_BYTES,
    MAX_PIXELS,
    BadImage,
    ImageFile,
    damaged,
    examine,
    truncated,
)

__all__ = ["FORMATS", "MAX_BYTES", "MAX_PIXELS", "BadImage", "BadURL", "fetch_image", "read_image"]

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


Background = Literal["white", "contrast"]


def read_image(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    size: tuple[int, int] | None = None,
    longest: int | None = None,
    background: Background = "white",
) -> np.ndarray:
    """Decode a photo.

    JPEG, PNG, WebP, GIF and BMP are told apart by content, never by a name. The picture is
    turned upright as its EXIF block asks, transparent parts become white, 16 bits a channel
    become 8, and of an animation the first frame is taken. Safe to call from many threads.

    Args:
        data: the file, at most ``MAX_BYTES``.
        max_pixels: how many pixels it may have, before it is resized.
        size: (width, height) in pixels to resize to; proportions are not kept.
        longest: in the place of ``size``, pixels that no side may exceed; a larger picture
            shrinks to that, its proportions kept.
        background: what transparent parts become; with ``"contrast"`` black under light lines,
            which would be lost on white (where more than half is opaque, it is no drawing of
            lines, and they become white).

    Returns:
        uint8 array of shape ``(height, width, 3)``: red, green, blue from 0 to 255.

    Raises:
        BadImage: this is not such a file, or it is too large, truncated or damaged.
    """
    file = examine(data, max_pixels)
    if longest:
        size = _shrunk(file, longest)
    try:
        with Image.open(io.BytesIO(file.content), formats=[file.format]) as image:
            if image.size != (file.width, file.height):
                raise damaged()
            return np.array(_upright_rgb(image, file, size, background))
    except BadImage:
        raise
    except Exception as error:  # of a damaged file decoders raise whatever it makes them
        if "truncated" in str(error):
            raise truncated() from error
        raise damaged() from error


def fetch_image(
    url: str,
    *,
    seconds: float = 5,
    max_pixels: int = MAX_PIXELS,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Fetch a photo from the public internet and decode it, as `read_image` does.

    Args:
        url: http or https; `downloads.download` says what is refused.
        seconds: the time that fetching may take in all.
        max_pixels: as in `read_image`.
        size: as in `read_image`.

    Returns:
        uint8 array of shape ``(height, width, 3)``.

    Raises:
        BadURL: the URL may not be used, or nothing good came from there.
        BadImage: what came is not an image that is read here.
    """
    data = download(url, seconds=seconds, max_bytes=MAX_BYTES)
    return read_image(data, max_pixels=max_pixels, size=size)


def _shrunk(file: ImageFile, longest: int) -> tuple[int, int]:
    """The size of the upright picture once no side is longer than that."""
    upright = (file.height, file.width) if file.orientation >= 5 else (file.width, file.height)
    shrunk = min(1, longest / max(upright))
    return max(1, round(upright[0] * shrunk)), max(1, round(upright[1] * shrunk))


def _upright_rgb(
    image: Image.Image, file: ImageFile, size: tuple[int, int] | None, background: Background
) -> Image.Image:
    # Turned last, when the picture is small: so the size wanted is turned for now.
    wanted = size[::-1] if size and file.orientation >= 5 else size
    if wanted:
        # A JPEG more than eight times as large is decoded at 1/2, 1/4 or 1/8: what resizing makes
        # of four pixels a side or more hardly differs.
        image.draft(None, (4 * wanted[0], 4 * wanted[1]))
    image = _rgb(image, background)
    if wanted:
        image = image.resize(wanted, Image.Resampling.BILINEAR)
    turn = _UPRIGHT.get(file.orientation)
    return image.transpose(turn) if turn is not None else image


def _rgb(image: Image.Image, background: Background) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    ground = "black" if background == "contrast" and _is_light_lines(image) else "white"
    opaque = Image.new("RGB", image.size, ground)
    opaque.paste(image, mask=image)
    return opaque


def _is_light_lines(image: Image.Image) -> bool:
    """Whether an RGBA picture is mostly transparent, and what is drawn on it light."""
    alpha = image.getchannel("A")
    drawn = alpha.point(lambda value: 255 * (value >= 128))
    if ImageStat.Stat(drawn).mean[0] >= 255 / 2 or not drawn.getbbox():
        return False
    return bool(ImageStat.Stat(image.convert("L"), drawn).mean[0] >= 128)
