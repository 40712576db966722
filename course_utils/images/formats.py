"""What an image file says about itself, read before anything is decoded.

A decoder should not be the first to look at a stranger's file. `examine` tells the format by the
content, reads the size, bounds the work that decoding can cost, and keeps only what the pixels
need. Comments, colour profiles, texts and previews are left out: each of them has kept some
decoder busy for minutes. (PNG: W3C, third edition; JPEG: ITU-T T.81; GIF89a; WebP: RFC 9649.)
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

#: formats that are read
FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP")
MAX_BYTES = 10_000_000
MAX_PIXELS = 25_000_000
MAX_SIDE = 65_535  # pixels; resizing a picture of one long line costs memory out of proportion
MAX_SCANS = 64  # of a JPEG; encoders write about 10, a bomb thousands
MAX_SCANNED = 500_000_000  # pixels in all scans together: a second's work, or less
MAX_PARTS = 20_000  # chunks or segments

# Marker, but neither padding (0xFF) nor an escaped 0xFF of the picture (0xFF 0x00).
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_SOF = frozenset((0xC0, 0xC1, 0xC2))  # baseline, extended, progressive: what browsers show
_OTHER_SOF = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xDE}
_APP1, _APP13, _APP15, _COM, _SOS = 0xE1, 0xED, 0xEF, 0xFE, 0xDA
_PNG_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
# What people send by mistake, by the bytes it starts with.
_OTHERS = (
    (rb"....ftyp(hei|hev|mif|msf)", "a HEIC photo, as iPhones take them"),
    (rb"....ftypavi[fs]", "an AVIF image"),
    (rb"....ftyp", "a video"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image"),
    (rb"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (rb"II\*\0|MM\0\*", "a TIFF image"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04|PK\x05\x06", "a ZIP archive"),
    (rb"\x1f\x8b", "a gzip archive"),
    (rb"8BPS", "a Photoshop document"),
    (rb"\0\0\x01\0", "an icon"),
    (rb"(\xef\xbb\xbf)?\s*<[^\0]*<svg|(\xef\xbb\xbf)?\s*<svg", "an SVG drawing"),
    (rb"(\xef\xbb\xbf)?\s*<", "a page of HTML or XML"),
)


class BadImage(ValueError):
    """The bytes are not an image that is read here; says why to a person, never what they are."""

    def __init__(self, detail: str, received: str, allowed: str):
        super().__init__(f"{detail} Received: {received}. Allowed: {allowed}.")
        self.detail = detail
        self.received = received
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file that may be decoded."""

    format: str  # one of FORMATS
    width: int
    height: int
    orientation: int  # of EXIF: 1 is upright, 2 to 8 are the ways to turn and mirror
    content: bytes  # the file without what decoding does not need


def examine(data: bytes, max_pixels: int = MAX_PIXELS) -> ImageFile:
    """Look at a file without decoding it.

    Raises:
        BadImage: not an image, of another format, too large, truncated, or made to keep a
            decoder busy.
    """
    if len(data) > MAX_BYTES:
        raise BadImage(
            "The file is too large.", f"{len(data):,} bytes", f"at most {MAX_BYTES:,} bytes"
        )
    for start, reader in _READERS.items():
        if re.match(start, data, re.DOTALL):
            try:
                return reader(data, max_pixels)
            except (IndexError, struct.error):  # it pointed beyond its own end
                raise truncated() from None
    raise BadImage(
        "This is not an image of a kind that is read here.",
        _looks_like(data),
        "a JPEG, PNG, WebP, GIF or BMP image",
    )


def damaged(what: str = "an image whose inside is damaged") -> BadImage:
    """The error for a file that cannot be decoded."""
    return BadImage(
        "The image cannot be decoded.", what, "an undamaged file; open it and save it anew"
    )


def truncated() -> BadImage:
    """The error for a file that lacks its end."""
    return BadImage(
        "The image is truncated: the file ends before the picture does.",
        "a part of an image",
        "the whole file; send it again",
    )


def _looks_like(data: bytes) -> str:
    if not data:
        return "an empty file"
    for start, name in _OTHERS:
        if re.match(start, data[:1000], re.DOTALL):
            return name
    return "a file of another kind"


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise damaged(f"an image of {width} × {height} pixels")
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise BadImage(
            "The image has too many pixels.",
            f"{width:,} × {height:,} pixels",
            f"at most {max_pixels / 1e6:g} million pixels, and {MAX_SIDE:,} a side; "
            "make it smaller",
        )


def _jpeg(data: bytes, max_pixels: int) -> ImageFile:
    """Segments up to the first scan one by one; the scans are only counted."""
    view = memoryview(data)
    kept, at, size, orientation = [view[:2]], 2, None, 1
    for _ in range(MAX_PARTS):
        marker = _MARKER.search(data, at)
        if marker is None:
            raise truncated()
        kind, at = data[marker.start() + 1], marker.start()
        if kind == _SOS:
            break
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if end > len(data):
            raise truncated()
        if kind in _OTHER_SOF or 0xD0 <= kind <= 0xD9 or (kind in _SOF and size):
            raise damaged("a JPEG of a kind that browsers cannot show either")
        if kind in _SOF:
            height, width = size = struct.unpack_from(">HH", data, at + 5)
            _check_size(width, height, max_pixels)
        elif kind == _APP1 and data.startswith(b"Exif\0\0", at + 4):
            orientation = _orientation(data[at + 4 : end])
        if not (_APP1 <= kind <= _APP13 or kind in (_APP15, _COM)):
            kept.append(view[at:end])
        at = end
    else:
        raise _too_many("segments")
    if size is None:
        raise damaged()
    end = _end_of_scans(data, at, size[0] * size[1])
    content = b"".join([*kept, view[at:end]])
    return ImageFile("JPEG", size[1], size[0], orientation, content)


def _end_of_scans(data: bytes, at: int, pixels: int) -> int:
    """Where the picture ends; what phones append (a second photo, a video) is left out."""
    end = data.find(b"\xff\xd9", at)
    if end < 0:
        raise truncated()
    scans = data.count(b"\xff\xda", at, end)  # cannot stand inside a scan: 0xFF is escaped there
    if scans > MAX_SCANS or scans * pixels > max(MAX_SCANNED, pixels):
        raise BadImage(
            "The JPEG is made of too many scans.",
            f"{scans:,} scans",
            f"at most {MAX_SCANS}, fewer in a large photo; save it anew, not as progressive",
        )
    return end + 2


def _png(data: bytes, max_pixels: int) -> ImageFile:
    view = memoryview(data)
    kept, at, orientation = [view[:8]], 8, 1
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    if data[8:16] != b"\0\0\0\x0dIHDR":
        raise damaged()
    _check_size(width, height, max_pixels)
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise truncated()
        if kind == b"IHDR" and at > 8:
            raise damaged()
        # The one transparent colour of a 16-bit image means nothing once 8 bits are left.
        if kind in _PNG_KEPT and not (kind == b"tRNS" and depth == 16):
            kept.append(view[at:end])
        elif kind == b"eXIf":
            orientation = _orientation(data[at + 8 : end - 4])
        if kind == b"IEND":
            return ImageFile("PNG", width, height, orientation, b"".join(kept))
        at = end
    raise _too_many("chunks")


def _gif(data: bytes, max_pixels: int) -> ImageFile:
    """The first picture, with what says which colour of it is transparent."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    _check_size(width, height, max_pixels)
    at = first = 13 + _color_table(flags)
    control = b""
    for _ in range(MAX_PARTS):
        kind = data[at]
        if kind == ord(","):
            left, top, across, down, flags = struct.unpack_from("<4HB", data, at + 1)
            width, height = max(width, left + across), max(height, top + down)
            _check_size(width, height, max_pixels)
            end = _end_of_blocks(data, at + 11 + _color_table(flags))
            content = data[:first] + control + data[at:end] + b";"
            return ImageFile("GIF", width, height, 1, content)
        if kind == ord(";"):
            raise damaged("a GIF without a picture")
        if kind == ord("!"):
            end = _end_of_blocks(data, at + 2)
            if data[at + 1] == 0xF9:
                control = data[at:end]
            at = end
        else:  # a stray byte between blocks is skipped, as viewers do
            at += 1
    raise _too_many("blocks")


def _color_table(flags: int) -> int:
    """The bytes of a GIF's colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _end_of_blocks(data: bytes, at: int) -> int:
    while size := data[at]:
        at += size + 1
    return at + 1


def _webp(data: bytes, max_pixels: int) -> ImageFile:
    if 8 + struct.unpack_from("<I", data, 4)[0] > len(data):
        raise truncated()
    kind, orientation = data[12:16], 1
    if kind == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
        width, height = low_w + (high_w << 16) + 1, low_h + (high_h << 16) + 1
        orientation = _webp_orientation(data)
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise damaged()
    _check_size(width, height, max_pixels)
    return ImageFile("WebP", width, height, orientation, data)


def _webp_orientation(data: bytes) -> int:
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return 1
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            return _orientation(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    raise _too_many("chunks")


def _bmp(data: bytes, max_pixels: int) -> ImageFile:
    header = struct.unpack_from("<I", data, 14)[0]
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    _check_size(width, abs(height), max_pixels)
    # Bytes or bit fields; run lengths would be expanded by Python, one by one.
    if header != 12 and struct.unpack_from("<I", data, 30)[0] not in (0, 3):
        raise damaged("a compressed BMP, which is not read here")
    return ImageFile("BMP", width, abs(height), 1, data)


def _orientation(exif: bytes) -> int:
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
            if tag == 0x0112:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:  # damaged: the picture may be good all the same
        pass
    return 1


def _too_many(parts: str) -> BadImage:
    return damaged(f"an image in more than {MAX_PARTS:,} {parts}")


_READERS: dict[bytes, Callable[[bytes, int], ImageFile]] = {
    rb"\xff\xd8\xff": _jpeg,
    rb"\x89PNG\r\n\x1a\n": _png,
    rb"GIF8[79]a": _gif,
    rb"RIFF....WEBP": _webp,
    rb"BM": _bmp,
}
