"""Untrusted bytes or a URL → an RGB array, safely.

`read_image` takes what a stranger uploads, `fetch_image` what a stranger's URL leads to. What is
no good photo is refused with a message for a person, before it can cost much time or memory.
"""

import io

import numpy as np
from PIL import Image

from course_utils.downloads import BadURL, download
from course_utils.image_files import (
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


def read_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Decode a photo.

    JPEG, PNG, WebP, GIF and BMP are told apart by content, never by a name. The picture is
    turned upright as its EXIF block asks, transparent parts become white, 16 bits a channel
    become 8, and of an animation the first frame is taken. Safe to call from many threads.

    Args:
        data: the file, at most ``MAX_BYTES``.
        max_pixels: how many pixels it may have, before it is resized.
        size: (width, height) in pixels to resize to; proportions are not kept.

    Returns:
        uint8 array of shape ``(height, width, 3)``: red, green, blue from 0 to 255.

    Raises:
        BadImage: this is not such a file, or it is too large, truncated or damaged.
    """
    file = examine(data, max_pixels)
    try:
        with Image.open(io.BytesIO(file.content), formats=[file.format]) as image:
            if image.size != (file.width, file.height):
                raise damaged()
            return np.array(_upright_rgb(image, file, size))
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


def _upright_rgb(image: Image.Image, file: ImageFile, size: tuple[int, int] | None) -> Image.Image:
    # Turned last, when the picture is small: so the size wanted is turned for now.
    wanted = size[::-1] if size and file.orientation >= 5 else size
    if wanted:
        # A JPEG more than eight times as large is decoded at 1/2, 1/4 or 1/8: what resizing makes
        # of four pixels a side or more hardly differs.
        image.draft(None, (4 * wanted[0], 4 * wanted[1]))
    image = _rgb(image)
    if wanted:
        image = image.resize(wanted, Image.Resampling.BILINEAR)
    turn = _UPRIGHT.get(file.orientation)
    return image.transpose(turn) if turn is not None else image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGB", image.size, "white")
    image = image.convert("RGBA")
    white.paste(image, mask=image)
    return white
