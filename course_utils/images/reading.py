"""Untrusted bytes → an RGB array, or a refusal that says why.

Pillow decodes, and its own limits hold. Three things it leaves to its caller: how many pixels are
too many; what surrounds the pixels of JPEG, PNG and GIF files, which can keep it busy for minutes
and is therefore taken out before it looks (comments, profiles, texts, previews); and how often a
progressive JPEG may pass over the whole picture. (JPEG: ITU-T T.81; PNG: W3C, third edition;
GIF89a: CompuServe, 1990.)
"""

import io
import re
import struct
from typing import Literal

import numpy as np
import PIL.WebPImagePlugin  # noqa: F401  # else Pillow loads all of its plugins to find WebP
from PIL import Image, ImageStat

from course_utils.common import name_kind
from course_utils.images.refusals import BadImage, report_damage, report_truncation

#: formats that are read
FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP")
MAX_BYTES = 10_000_000
MAX_PIXELS = 25_000_000
MAX_SIDE_PIXELS = 65_535  # resizing a picture of one long line costs memory out of proportion
MAX_SCANS = 20  # of a JPEG; encoders write about 10, a bomb thousands
MAX_PARTS = 20_000  # segments of a JPEG, chunks of a PNG, blocks of a GIF before its picture

Background = Literal["white", "contrast"]

_START = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|BM", re.DOTALL)
# Marker, but neither padding (0xFF) nor an escaped 0xFF of the picture (0xFF 0x00).
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_EOI = b"\xff\xd9"  # ends a JPEG
_APP1, _APP14, _APP15, _COM, _SOS = 0xE1, 0xEE, 0xEF, 0xFE, 0xDA
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_ORIENTATION_TAG = 0x0112
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
    data: bytes,
    *,
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
    if len(data) > MAX_BYTES:
        received, allowed = f"{len(data):,} bytes", f"at most {MAX_BYTES:,} bytes"
        raise BadImage("The file is too large.", received, allowed)
    if not _START.match(data):
        detail = "This is not an image of a kind that is read here."
        kind = name_kind(data[:1000], "photo") or "a file of another kind"
        raise BadImage(detail, kind, "a JPEG, PNG, WebP, GIF or BMP image")
    try:
        content, exif = _strip_metadata(data)
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_cost(image)
            orientation = _read_orientation(exif or image.info.get("exif", b""))
            return np.array(_to_upright_rgb(image, orientation, size, longest, background))
    except BadImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's message begins with the number of pixels.
        number = re.search(r"\d+", str(error))
        received = f"{int(number[0]):,}" if number else "more than 179 million"
        raise _report_size(f"{received} pixels") from error
    except Exception as error:  # of a damaged file decoders raise whatever it makes them
        ended = isinstance(error, (EOFError, IndexError, struct.error))
        if ended or "truncated" in str(error).lower():
            raise report_truncation() from error
        raise report_damage() from error


def _report_size(received: str) -> BadImage:
    allowed = f"at most {MAX_PIXELS / 1e6:g} million pixels, and {MAX_SIDE_PIXELS:,} a side"
    return BadImage("The image has too many pixels.", received, f"{allowed}; make it smaller")


def _check_cost(image: Image.Image) -> None:
    """Refuse what would cost too much, after the header and before anything is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS or max(image.size) > MAX_SIDE_PIXELS:
        raise _report_size(f"{width:,} × {height:,} pixels")
    if image.format == "BMP" and image.info["compression"] in (1, 2):
        # Run lengths, which Pillow expands in Python, one by one.
        raise report_damage("a compressed BMP, which is not read here")


def _strip_metadata(data: bytes) -> tuple[bytes, bytes]:
    """The file without what decoding does not need, and its EXIF block if that was taken out."""
    if data.startswith(b"\xff\xd8"):
        return _strip_jpeg(data)
    if data.startswith(b"\x89PNG"):
        return _strip_png(data)
    if data.startswith(b"GIF"):
        return _strip_gif(data), b""
    # Of a WebP that is cut off Pillow would only say that it cannot be decoded.
    if data.startswith(b"RIFF") and 8 + struct.unpack_from("<I", data, 4)[0] > len(data):
        raise report_truncation()
    return data, b""


def _strip_jpeg(data: bytes) -> tuple[bytes, bytes]:
    view = memoryview(data)
    kept, at, exif = [view[:2]], 2, b""
    for _ in range(MAX_PARTS):
        marker = _MARKER.search(data, at)
        if marker is None:
            raise report_truncation()
        at, kind = marker.start(), data[marker.start() + 1]
        if kind == _SOS:
            return b"".join([*kept, view[at : _find_end_of_scans(data, at)]]), exif
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if kind == _APP1 and data.startswith(b"Exif\0\0", at + 4):
            exif = data[at + 4 : end]
        elif (not _APP1 <= kind <= _APP15 and kind != _COM) or kind == _APP14:
            kept.append(view[at:end])
        at = end
    raise report_damage(f"an image in more than {MAX_PARTS:,} segments")


def _find_end_of_scans(data: bytes, start: int) -> int:
    """Where the picture ends; what phones append (a second photo, a video) is left out."""
    end = data.find(_EOI, start) + 2
    if end < start:
        raise report_truncation()
    scans = data.count(b"\xff\xda", start, end)  # cannot stand inside a scan: 0xFF is escaped
    if scans > MAX_SCANS:
        allowed = f"at most {MAX_SCANS}; save it anew, not as progressive"
        raise BadImage("The JPEG is made of too many scans.", f"{scans:,} scans", allowed)
    return end


def _strip_png(data: bytes) -> tuple[bytes, bytes]:
    view = memoryview(data)
    kept, at, exif = [view[:8]], 8, b""
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise report_truncation()
        # The clear colour of a 16-bit picture means another one once 8 bits are left.
        if kind in _PNG_KEPT and not (kind == b"tRNS" and data[24] == 16):
            kept.append(view[at:end])
        elif kind == b"eXIf":
            exif = data[at + 8 : end - 4]
        if kind == b"IEND":
            return b"".join(kept), exif
        at = end
    raise report_damage(f"an image in more than {MAX_PARTS:,} chunks")


def _strip_gif(data: bytes) -> bytes:
    """Without the extensions before its first picture, but for what says which colour is clear."""
    at = start = 13 + _measure_color_table(data[10])
    control = b""
    for _ in range(MAX_PARTS):
        kind = data[at]
        if kind == ord(","):
            if at + 11 + _measure_color_table(data[at + 9]) > len(data):
                raise report_truncation()
            return data[:start] + control + data[at:]
        if kind == ord(";"):
            raise report_damage("a GIF without a picture")
        if kind == ord("!"):
            end = _find_end_of_blocks(data, at + 2)
            if data[at + 1] == 0xF9 and end == at + 8:
                # Without the bits of the disposal, for which Pillow would fill a whole picture
                # before its size can be looked at.
                flags = data[at + 3] & 0b11100011
                control = data[at : at + 3] + bytes([flags]) + data[at + 4 : end]
            at = end
        else:  # A stray byte between blocks is skipped, as viewers do.
            at += 1
    raise report_damage(f"an image in more than {MAX_PARTS:,} blocks")


def _measure_color_table(flags: int) -> int:
    """The bytes of the colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _find_end_of_blocks(data: bytes, at: int) -> int:
    while size := data[at]:
        at += size + 1
    return at + 1


def _read_orientation(exif: bytes) -> int:
    """The tag Orientation of an EXIF block (CIPA DC-008, 4.6.5); 1 where it says nothing usable.

    Read here, since Pillow's reader warns about each oddity of a block, and warnings cannot be
    caught for one thread alone.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], "")
    try:
        start = struct.unpack_from(f"{order}I", tiff, 4)[0]
        count = struct.unpack_from(f"{order}H", tiff, start)[0] if order else 0
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:  # damaged: the picture may be good all the same
        pass
    return 1


def _to_upright_rgb(
    image: Image.Image,
    orientation: int,
    size: tuple[int, int] | None,
    longest: int | None,
    background: Background,
) -> Image.Image:
    if longest:
        factor = min(1, longest / max(image.size))
        width, height = (max(1, round(side * factor)) for side in image.size)
        wanted: tuple[int, int] | None = (width, height)
    else:
        # Turned last, when the picture is small: so the size wanted is turned for now.
        wanted = size[::-1] if size and orientation >= 5 else size
    if wanted:
        # A JPEG more than eight times as large is decoded at 1/2, 1/4 or 1/8: what resizing makes
        # of four pixels a side or more hardly differs.
        image.draft(None, (4 * wanted[0], 4 * wanted[1]))
    image = _to_rgb(image, background)
    if wanted:
        image = image.resize(wanted, Image.Resampling.BILINEAR)
    turn = _UPRIGHT.get(orientation)
    return image.transpose(turn) if turn is not None else image


def _to_rgb(image: Image.Image, background: Background) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
    image = image.convert("RGBA")
    ground = "black" if background == "contrast" and _shows_light_lines(image) else "white"
    opaque = Image.new("RGB", image.size, ground)
    opaque.paste(image, mask=image)
    return opaque


def _shows_light_lines(image: Image.Image) -> bool:
    """Whether an RGBA picture is mostly transparent, and what is drawn on it light."""
    alpha = image.getchannel("A")
    drawn = alpha.point(lambda value: 255 * (value >= 128))
    if ImageStat.Stat(drawn).mean[0] >= 255 / 2 or not drawn.getbbox():
        return False
    return bool(ImageStat.Stat(image.convert("L"), drawn).mean[0] >= 128)
