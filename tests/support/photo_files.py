"""One photo as a file of each kind that people send, to compare what two decoders make of it."""

import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

from tests.support.bad_images import chunk, encoded, exif, png

# Where the pixels of each pass of an interlaced PNG lie (PNG, third edition, 8.2): first row, first
# column, step between rows, step between columns.
ADAM7 = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]
GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6  # colour types of PNG
ORIENTATION = 0x0112


def write_png(pixels: np.ndarray, color: int, *extra: bytes, interlaced: bool = False) -> bytes:
    """A PNG of any depth, which Pillow cannot write: uint8 or uint16, (height, width, channels).

    Args:
        pixels: its pixels.
        color: one of PNG's colour types.
        extra: chunks that go before the pixels.
        interlaced: in seven passes.
    """
    height, width = pixels.shape[:2]
    depth = 8 * pixels.dtype.itemsize
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    parts = [pixels[top::down, left::right] for top, left, down, right in ADAM7]
    rows = b"".join(_write_rows(part) for part in (parts if interlaced else [pixels]))
    return png(chunk(b"IHDR", head), *extra, chunk(b"IDAT", zlib.compress(rows)))


def _write_rows(pixels: np.ndarray) -> bytes:
    if not pixels.size:
        return b""
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">"))
    return b"".join(b"\0" + row.tobytes() for row in big_endian)  # 0: no filter


def swapped_profile() -> bytes:
    """A colour profile in which red and blue have changed places, which no viewer can overlook."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    assert swapped != profile
    return swapped


def orient(orientation: int) -> bytes:
    """An EXIF block that says only how the picture is to be turned."""
    return exif((ORIENTATION, 3, 1, orientation))


def add_alpha(photo: Image.Image) -> Image.Image:
    """The photo, clear on the left, opaque on the right, in all steps between."""
    ramp = Image.linear_gradient("L").rotate(90).resize(photo.size)
    clear = photo.convert("RGBA")
    clear.putalpha(ramp)
    return clear


def jpegs(photo: Image.Image) -> dict[str, bytes]:
    options = {f"JPEG {name}": {"subsampling": name} for name in ("4:2:0", "4:2:2", "4:4:4")}
    options["JPEG progressive"] = {"progressive": True}
    options["JPEG with restarts"] = {"restart_marker_blocks": 4}
    options["JPEG of quality 30"] = {"quality": 30}
    options["JPEG without YCbCr"] = {"keep_rgb": True}
    options["JPEG with a profile"] = {"icc_profile": swapped_profile()}
    found = {
        name: encoded(photo, "JPEG", **{"quality": 90, **each}) for name, each in options.items()
    }
    for mode, name in (("L", "grey"), ("CMYK", "CMYK")):
        found[f"JPEG {name}"] = encoded(photo.convert(mode), "JPEG", quality=90)
    return found


def pngs(photo: Image.Image) -> dict[str, bytes]:
    """In all of them the pixels are stored as they are, but for the palettes."""
    pixels, clear = np.asarray(photo), add_alpha(photo)
    grey = np.asarray(photo.convert("L"))
    fine = (pixels.astype(np.uint16) << 8) + np.arange(photo.width, dtype=np.uint16)[:, None] % 256
    fine_clear = np.dstack([fine, np.asarray(clear)[..., 3].astype(np.uint16) * 257])
    few = photo.quantize(16)
    return {
        "PNG": encoded(photo, "PNG"),
        "PNG grey": encoded(photo.convert("L"), "PNG"),
        "PNG black and white": encoded(photo.convert("1"), "PNG"),
        "PNG of a palette": encoded(photo.quantize(256), "PNG"),
        "PNG of 16 colours": encoded(few, "PNG", bits=4),
        "PNG of a palette with a clear colour": encoded(few, "PNG", transparency=3),
        "PNG with alpha": encoded(clear, "PNG"),
        "PNG grey with alpha": encoded(clear.convert("LA"), "PNG"),
        "PNG with a clear colour": write_png(
            pixels, RGB, chunk(b"tRNS", struct.pack(">HHH", *map(int, pixels[0, 0])))
        ),
        "PNG of 16 bits": write_png(fine, RGB),
        "PNG of 16 bits grey": write_png(fine[..., 1:2], GREY),
        "PNG of 16 bits with alpha": write_png(fine_clear, RGBA),
        "PNG of 16 bits grey with alpha": write_png(fine_clear[..., 2:], GREY_ALPHA),
        "PNG interlaced": write_png(pixels, RGB, interlaced=True),
        "PNG interlaced grey": write_png(grey[..., None], GREY, interlaced=True),
        "PNG with a profile": encoded(photo, "PNG", icc_profile=swapped_profile()),
        "PNG with gAMA": write_png(pixels, RGB, chunk(b"gAMA", struct.pack(">I", 100_000))),
        "PNG with cHRM and gAMA": write_png(
            pixels,
            RGB,
            chunk(
                b"cHRM", struct.pack(">8I", 31270, 32900, 15000, 6000, 30000, 60000, 64000, 33000)
            ),
            chunk(b"gAMA", struct.pack(">I", 45_455)),
        ),
        "PNG with cICP": write_png(pixels, RGB, chunk(b"cICP", bytes((9, 16, 0, 1)))),
        "PNG animated": encoded(photo, "PNG", save_all=True, append_images=[photo.rotate(180)]),
    }


def others(photo: Image.Image) -> dict[str, bytes]:
    clear, few = add_alpha(photo), photo.quantize(64)
    turned = [photo.rotate(180)]
    return {
        "WebP lossy": encoded(photo, "WebP", quality=80),
        "WebP lossless": encoded(photo, "WebP", lossless=True),
        "WebP lossy with alpha": encoded(clear, "WebP", quality=80),
        "WebP lossless with alpha": encoded(clear, "WebP", lossless=True, exact=True),
        "WebP with a profile": encoded(photo, "WebP", lossless=True, icc_profile=swapped_profile()),
        "WebP animated": encoded(photo, "WebP", lossless=True, save_all=True, append_images=turned),
        "GIF": encoded(few, "GIF"),
        "GIF with a clear colour": encoded(few, "GIF", transparency=3),
        "GIF interlaced": encoded(few, "GIF", interlace=1),
        "GIF animated": encoded(
            few, "GIF", save_all=True, append_images=[each.quantize(64) for each in turned]
        ),
        "BMP": encoded(photo, "BMP"),
        "BMP of a palette": encoded(few, "BMP"),
        "BMP grey": encoded(photo.convert("L"), "BMP"),
        "BMP of 32 bits": encoded(clear, "BMP"),
    }


def turned(photo: Image.Image) -> dict[str, bytes]:
    """Stored in each of the eight orientations of EXIF."""
    found = {}
    for number in range(1, 9):
        block = orient(number)
        found[f"JPEG of orientation {number}"] = encoded(photo, "JPEG", quality=90, exif=block)
        found[f"PNG of orientation {number}"] = encoded(photo, "PNG", exif=block)
        found[f"WebP of orientation {number}"] = encoded(photo, "WebP", lossless=True, exif=block)
    return found


def sizes(photo: Image.Image) -> dict[str, bytes]:
    """From one pixel on, taller and wider than the network's picture, and larger."""
    shapes = [(1, 1), (2, 3), (7, 5), (224, 224), (224, 500), (500, 224), (223, 225), (448, 448)]
    shapes += [(60, 900), (900, 60), (3, 2000), (2000, 3), (301, 733), (733, 301)]
    found = {}
    for size in shapes:
        resized = photo.resize(size, Image.Resampling.BICUBIC)
        found[f"PNG of {size[0]} x {size[1]}"] = encoded(resized, "PNG")
    return found


def make_noisy(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The photo enlarged, with the noise of a camera's sensor."""
    large = np.asarray(photo.resize(size, Image.Resampling.BICUBIC)).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 6, large.shape).astype(np.float32)
    return Image.fromarray((large + noise).clip(0, 255).astype(np.uint8))


def large_jpegs(photo: Image.Image, size: tuple[int, int]) -> dict[str, bytes]:
    """JPEGs that Pillow decodes at a smaller scale at once (its `draft`)."""
    noisy = make_noisy(photo, size)
    options = {f"JPEG {name}": {"subsampling": name} for name in ("4:2:0", "4:2:2", "4:4:4")}
    options |= {"JPEG progressive": {"progressive": True}, "JPEG turned": {"exif": orient(6)}}
    found = {name: encoded(noisy, "JPEG", quality=85, **each) for name, each in options.items()}
    for mode, name in (("L", "grey"), ("CMYK", "CMYK")):
        found[f"JPEG {name}"] = encoded(noisy.convert(mode), "JPEG", quality=85)
    return {f"{name} of {size[0]} x {size[1]}": content for name, content in found.items()}


def from_a_phone(photo: Image.Image, orientation: int = 1) -> bytes:
    """Twelve megapixels, as JPEG."""
    noisy = make_noisy(photo, (4000, 3000))
    return encoded(noisy, "JPEG", quality=85, exif=orient(orientation))


def derive(photo: Image.Image) -> dict[str, bytes]:
    """All files of one photo, by what they are."""
    return jpegs(photo) | pngs(photo) | others(photo) | turned(photo) | sizes(photo)
