"""Files that a stranger may send as a photo: bombs, fragments, forgeries, and honest mistakes.

Everything is made here, from a photograph that scikit-learn brings and from a fixed seed.
"""

import functools
import importlib.util
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SEED = 13


def photo() -> bytes:
    """A real photograph, as it came from a camera and an editor."""
    spec = importlib.util.find_spec("sklearn")
    assert spec
    assert spec.origin
    return (Path(spec.origin).parent / "datasets" / "images" / "china.jpg").read_bytes()


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@functools.cache
def photo_as(format: str) -> bytes:
    """The photograph in each format, small enough to be read thousands of times."""
    with Image.open(io.BytesIO(photo())) as image:
        small = image.resize((160, 107))
        return encoded(small.quantize() if format == "GIF" else small, format)


# --- PNG


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def ihdr(width: int, height: int, depth: int = 8, color: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND")


PIXELS = chunk(b"IDAT", zlib.compress(bytes(9 * 8)))  # 8 by 8, grey: each row a filter, 8 bytes


def inflating_chunks(kind: bytes, start: bytes) -> bytes:
    """A small PNG, each of its 5,000 texts or profiles a megabyte when unpacked."""
    bomb = chunk(kind, start + zlib.compress(bytes(1_000_000), 9))
    return png(ihdr(8, 8), bomb * 5_000, PIXELS)


def pack_zeros(count: int) -> bytes:
    """So many zeros as zlib packs them, without the seconds that it takes for them."""

    def pack(count: int) -> bytes:
        packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
        return packer.compress(bytes(count)) + packer.flush(zlib.Z_FULL_FLUSH)

    millions, rest = divmod(count, 1_000_000)
    checksum = struct.pack(">I", count % 65_521 << 16 | 1)
    return b"\x78\xda" + pack(1_000_000) * millions + pack(rest) + b"\x03\x00" + checksum


# --- JPEG


def segment(kind: int, content: bytes) -> bytes:
    return bytes((0xFF, kind)) + struct.pack(">H", len(content) + 2) + content


def jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG whose header lies about its size."""
    data = bytearray(encoded(Image.new("L", (64, 64)), "JPEG"))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def in_head(*segments: bytes) -> bytes:
    """A good JPEG with more in front."""
    data = photo_as("JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def scan_bomb() -> bytes:
    """A progressive JPEG that passes over all of its picture again and again."""
    data = encoded(Image.new("L", (4_000, 4_000)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 20_000 + data[-2:]


def exif(*entries: tuple[int, int, int, int], next_ifd: int = 0, count: int | None = None) -> bytes:
    """An EXIF block with (tag, type, count, value) each."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    number = struct.pack("<H", len(entries) if count is None else count)
    return b"Exif\0\0II*\0\x08\0\0\0" + number + packed + struct.pack("<I", next_ifd)


# --- GIF, WebP, BMP


def gif(*blocks: bytes, width: int = 8, height: int = 8) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"".join(blocks) + b";"


def gif_picture(width: int = 8, height: int = 8) -> bytes:
    table = bytes(6)
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0x80) + table + b"\x02\x02\x4c\x01\0"


def gif_with(extension: bytes) -> bytes:
    """A good GIF with an extension in front of its picture."""
    data = photo_as("GIF")
    start = 13 + (3 << (data[10] & 7) + 1)
    return data[:start] + extension + data[start:]


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def riff_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def vp8x(width: int, height: int, flags: int = 0x02) -> bytes:
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return riff_chunk(b"VP8X", bytes((flags, 0, 0, 0)) + sides)


def webp_frames(count: int) -> bytes:
    """An animation of very many very small frames."""
    picture = encoded(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    frame = riff_chunk(b"ANMF", bytes(16) + picture)
    return riff(vp8x(1, 1), riff_chunk(b"ANIM", bytes(6)), frame * count)


def bmp(
    width: int, height: int, bits: int = 24, compression: int = 0, pixels: bytes = b""
) -> bytes:
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, 0, 0
    )
    palette = bytes(4 * (256 if bits == 8 else 0))
    start = 14 + len(header) + len(palette)
    return (
        b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + palette + pixels
    )


# --- the collections


def others() -> dict[str, bytes]:
    """Files of other kinds, as they are sent by mistake or in the hope that they run."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("photo.jpg", photo_as("JPEG"))
    return {
        "empty": b"",
        "a text": b"This is a photo of a cat.\n" * 40,
        "html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "svg that includes a file": (
            b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg><text>&x;</text></svg>'
        ),
        "unclosed comments": b"<!--" * 250_000,
        "zip": archive.getvalue(),
        "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(40),
        "javascript in front of a gif": b"/*" + photo_as("GIF"),
        "10 MB and a byte": photo_as("JPEG").ljust(10_000_001, b"\0"),
    }


def bombs() -> dict[str, bytes]:
    """Small files that claim to be large pictures, or are many times as large when unpacked."""
    return {
        "png of 700 KB that becomes 690 MB": png(
            ihdr(15_166, 15_166, color=2), chunk(b"IDAT", pack_zeros(15_166 * (3 * 15_166 + 1)))
        ),
        "png of 2**31-1 a side": png(ihdr(2**31 - 1, 2**31 - 1), PIXELS),
        "png of one long line": png(ihdr(25_000_000, 1), PIXELS),
        "png that changes its size": png(ihdr(8, 8), ihdr(40_000, 40_000), PIXELS),
        "jpeg of 100 megapixels": jpeg_of_size(10_000, 10_000),
        "jpeg with two frames": in_head(segment(0xC0, b"\x08" + b"\xff\xdc" * 2 + b"\1\1\x11\0")),
        "jpeg of 20,000 scans": scan_bomb(),
        "gif of 65535 a side": gif(gif_picture(), width=65_535, height=65_535),
        "gif whose picture is larger than it": gif(gif_picture(65_535, 65_535)),
        "gif of 43 bytes whose disposal fills 169 megapixels": gif(
            b"!\xf9\x04\x08\0\0\0\0", gif_picture(13_000, 13_000), width=13_000, height=13_000
        ),
        "webp of 16 million a side": riff(vp8x(1 << 24, 1 << 24), riff_chunk(b"ANIM", bytes(6))),
        "lossless webp of 16383 a side": riff(
            riff_chunk(b"VP8L", b"\x2f\xfe\xbf\xff\x0f" + bytes(9))
        ),
        "bmp of 2**31-1 a side": bmp(2**31 - 1, 2**31 - 1),
        "bmp upside down": bmp(30_000, -30_000),
    }


def damaged() -> dict[str, bytes]:
    """Files that start like an image and do not go on like one."""
    good = photo_as("JPEG")
    data = {
        "jpeg of 0 x 0": jpeg_of_size(0, 0),
        "gif of 0 x 0": gif(gif_picture(0, 0), width=0, height=0),
        "jpeg without a frame": good[:2] + good[good.index(b"\xff\xda") :],
        "jpeg without a scan": good[: good.index(b"\xff\xda")] + b"\xff\xd9",
        "jpeg of padding": b"\xff\xd8" + b"\xff" * 9_000_000,
        "jpeg of rubbish": b"\xff\xd8\xff\xe0\0\x02" + b"a" * 9_000_000,
        "jpeg of small segments": in_head(segment(0xE3, b"") * 2_000_000),
        "png without pixels": png(ihdr(8, 8)),
        "png with too few pixels": png(ihdr(80, 80), PIXELS),
        "png with a wrong checksum": png(ihdr(8, 8)[:-4] + b"abcd", PIXELS),
        "png without a palette": png(ihdr(8, 8, color=3), PIXELS),
        "png of empty chunks": png(ihdr(8, 8), PIXELS, chunk(b"IDAT") * 700_000),
        "png that does not start with its header": png(PIXELS, ihdr(8, 8)),
        "png whose chunk is 4 GB": png(ihdr(8, 8), b"\xff\xff\xff\xffIDAT"),
        "gif without a picture": gif(),
        "gif of comments": gif(b"!\xfe\0" * 2_000_000, gif_picture()),
        "gif of rubbish": b"GIF89a" + b"a" * 5_000_000,
        "webp without a frame": riff(vp8x(8, 8)),
        "webp of empty chunks": riff(vp8x(8, 8), riff_chunk(b"abcd", b"") * 1_000_000),
        "bmp of runs": bmp(5_000, 5_000, 8, 1, pixels=b"\x01\x07" * 4_900_000),
        "bmp with a 4 GB header": b"BM" + bytes(12) + b"\xff" * 40,
        "bmp that holds a jpeg": bmp(8, 8, 24, 4, pixels=good),
    }
    whole = {f: photo_as(f) for f in FORMATS} | {"progressive JPEG": seeds()[1]}
    for name, content in whole.items():
        data |= {f"only the start of a {name}": content[:12], f"{name} cut off": content[:-20]}
    return data


def bad() -> dict[str, bytes]:
    """All files that must be refused."""
    return others() | bombs() | damaged()


def odd() -> dict[str, bytes]:
    """Good pictures with something else in the file, which is read by nobody."""
    comment = b"".join(b"\xff" + b"x" * 255 for _ in range(35_000)) + b"\0"
    jpeg, flipped = photo_as("JPEG"), (0x0112, 3, 1, 3)
    return {
        "gif with a 9 MB comment": gif_with(b"!\xfe" + comment),
        "jpeg with a segment of length 0": in_head(b"\xff\xe3\0\0"),
        "jpeg and a zip": jpeg + others()["zip"],
        "jpeg with 10 MB of metadata": in_head(segment(0xE2, bytes(65_000)) * 150),
        "jpeg with a broken profile": in_head(segment(0xE2, b"ICC_PROFILE\0\x09\x09" + bytes(9))),
        "jpeg with broken photoshop data": in_head(
            segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04" + b"\xff" * 20)
        ),
        "jpeg with exif that ends early": in_head(segment(0xE1, exif(flipped)[:-9])),
        "jpeg with exif that loops": in_head(segment(0xE1, exif((0x8769, 4, 1, 8), next_ifd=8))),
        "jpeg with exif of 65535 entries": in_head(segment(0xE1, exif(count=65_535))),
        "jpeg with exif of 4 GB": in_head(segment(0xE1, exif((0x010E, 2, 2**32 - 1, 0)))),
        "jpeg with orientation 99": in_head(segment(0xE1, exif((0x0112, 3, 1, 99)))),
        "jpeg with a broken second photo": in_head(segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff")),
        "png with a bomb as a text": inflating_chunks(b"zTXt", b"Comment\0\0"),
        "png with a bomb as another text": inflating_chunks(b"iTXt", b"Comment\0\1\0\0\0"),
        "png with a bomb as a profile": inflating_chunks(b"iCCP", b"sRGB\0\0"),
        "png that says it is animated": png(ihdr(8, 8), chunk(b"acTL", b"\xff" * 8), PIXELS),
        "png that goes on unpacking": png(ihdr(8, 8), chunk(b"IDAT", pack_zeros(400_000_000))),
        "webp of 10,000 frames": webp_frames(10_000),
    }


@functools.cache
def seeds() -> list[bytes]:
    """Small good files of all kinds, to be mutated."""
    with Image.open(io.BytesIO(photo())) as image:
        small = image.resize((24, 16))
    rgba = small.convert("RGBA")
    rgba.putalpha(small.convert("L"))
    animated = {"save_all": True, "append_images": [small.rotate(180)]}
    return [
        encoded(small, "JPEG"),
        encoded(small, "JPEG", progressive=True, exif=exif((0x0112, 3, 1, 6))),
        encoded(small.convert("CMYK"), "JPEG"),
        encoded(small.quantize(16), "PNG", transparency=3),
        encoded(small.convert("I;16"), "PNG"),
        encoded(small, "PNG", **animated),
        encoded(rgba, "WEBP", lossless=True),
        encoded(small, "WEBP", **animated),
        encoded(small.quantize(), "GIF", transparency=3),
        encoded(small, "GIF", **animated),
        encoded(small.quantize(), "BMP"),
        encoded(rgba, "BMP"),
    ]


def mutated(count: int) -> Iterator[bytes]:
    """Good files with bytes changed, cut out, or taken from another file."""
    chance = random.Random(SEED)
    for number in range(count):
        data = bytearray(seeds()[number % len(seeds())])
        for _ in range(chance.choice((1, 1, 2, 4, 16))):
            # Most of what can go wrong is decided near the start.
            at = chance.randrange(chance.choice((40, 200, 1000)))
            length = chance.choice((1, 1, 2, 4, 50))
            donor = chance.choice(seeds())
            start = chance.randrange(len(donor))
            ways = (b"", bytes(length), b"\xff" * length, chance.randbytes(length))
            data[at : at + length] = chance.choice((*ways, donor[start : start + length]))
        yield bytes(data)
