import io
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from course_utils.images import BadImage, read_image
from tests.support.bad_images import chunk, encoded, exif, ihdr, in_head, photo, png

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def solid(mode: str, color: object, size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new(mode, size, color)


def only_color(data: bytes) -> list[int]:
    """The colour of a picture that has one only."""
    pixels = read_image(data)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (6, 8, 3)
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


@pytest.mark.parametrize("format", ["PNG", "WebP", "BMP"])
def test_pixels_come_back_as_they_were(format: str) -> None:
    pixels = np.random.default_rng(13).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    options = {"lossless": True} if format == "WebP" else {}
    assert (read_image(encoded(Image.fromarray(pixels), format, **options)) == pixels).all()


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 77, [77, 77, 77]),
        ("1", 1, [255, 255, 255]),
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), [255, 255, 255]),
        ("RGBA", (0, 100, 200, 51), [204, 224, 244]),  # a fifth of it, and four of white
        ("LA", (100, 102), [193, 193, 193]),  # 0.4 * 100 + 0.6 * 255
        ("I;16", 0x4D00, [77, 77, 77]),  # clipping would make it white
    ],
)
def test_each_mode_of_a_png(mode: str, color: object, expected: list[int]) -> None:
    assert only_color(encoded(solid(mode, color), "PNG")) == expected


@pytest.mark.parametrize(
    ("color", "values", "expected"),
    [(2, (0x1234, 0x8000, 0xFFFF), [0x12, 0x80, 0xFF]), (6, (0, 0, 0, 0x8000), [127, 127, 127])],
)
def test_16_bits_in_colour(color: int, values: tuple[int, ...], expected: list[int]) -> None:
    row = b"\0" + b"".join(value.to_bytes(2, "big") for value in values) * 8
    data = png(ihdr(8, 6, 16, color), chunk(b"IDAT", zlib.compress(row * 6)))
    assert np.abs(np.array(only_color(data)) - expected).max() <= 1


def test_the_clear_colour_of_16_bits_clears_no_other() -> None:
    clear, dark = b"\x12\0" * 3, b"\0\x50" * 3
    rows = (b"\0" + dark * 8) * 6
    data = png(ihdr(8, 6, 16, 2), chunk(b"tRNS", clear), chunk(b"IDAT", zlib.compress(rows)))
    assert only_color(data) == [0, 0, 0]


def test_a_palette_with_transparent_colours() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    half = encoded(image, "PNG", transparency=bytes((255, 0, 51)))
    assert read_image(half)[0].tolist() == [list(RED), list(WHITE), [204, 204, 255]]
    for format in ("PNG", "GIF"):
        one = read_image(encoded(image, format, transparency=2))
        assert one[0].tolist() == [list(RED), list(GREEN), list(WHITE)]


@pytest.mark.parametrize(("ink", "color"), [((0, 0, 0, 0), WHITE), ((0, 255, 255, 0), RED)])
def test_cmyk(ink: tuple[int, ...], color: tuple[int, ...]) -> None:
    got = only_color(encoded(solid("CMYK", ink), "JPEG", quality=100))
    assert np.abs(np.array(got) - color).max() <= 2


@pytest.mark.parametrize("format", ["GIF", "PNG", "WebP"])
def test_of_an_animation_the_first_picture_is_taken(format: str) -> None:
    frames = [solid("RGB", color) for color in (RED, GREEN, BLUE)]
    options = {"lossless": True} if format == "WebP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert only_color(data) == list(RED)


# What a corner of the stored picture shows, for each orientation: EXIF names the side at which
# the stored row 0 and column 0 are seen.
CORNERS = {
    **{1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left")},
    **{5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom")},
}


def seen(orientation: int) -> np.ndarray:
    """How a picture, stored as 2 rows of 3 pixels, is meant to be seen."""
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    row_0, column_0 = CORNERS[orientation]
    upright = stored if row_0 in ("top", "bottom") else stored.T
    if "bottom" in (row_0, column_0):
        upright = upright[::-1]
    if "right" in (row_0, column_0):
        upright = upright[:, ::-1]
    return upright


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("format", ["PNG", "WebP"])
@pytest.mark.parametrize("orientation", CORNERS)
def test_it_is_turned_upright(orientation: int, format: str, order: str) -> None:
    stored = Image.fromarray(seen(1)).convert("RGB")
    block = Image.Exif()
    block.endian = "<" if order == "little" else ">"
    block[0x0112] = orientation
    options = {"lossless": True} if format == "WebP" else {}
    pixels = read_image(encoded(stored, format, exif=block.tobytes(), **options))
    assert (pixels[..., 0] == seen(orientation)).all()


@pytest.mark.parametrize("orientation", CORNERS)
def test_a_jpeg_is_turned_upright_and_resized(orientation: int) -> None:
    stored = Image.fromarray(seen(1)).resize((300, 200), Image.Resampling.NEAREST)
    data = encoded(stored, "JPEG", quality=95, exif=exif((0x0112, 3, 1, orientation)))
    for scale in (100, 30):  # the second by way of a smaller decoding
        rows, columns = seen(orientation).shape
        pixels = read_image(data, size=(columns * scale, rows * scale))
        middles = pixels[scale // 2 :: scale, scale // 2 :: scale, 0].astype(int)
        assert np.abs(middles - seen(orientation)).max() <= 8


def test_resizing_averages_and_keeps_no_proportions() -> None:
    board = (np.indices((60, 90)).sum(0) % 2 * 255).astype(np.uint8)
    pixels = read_image(encoded(Image.fromarray(board), "PNG"), size=(9, 30))
    assert pixels.shape == (30, 9, 3)
    assert np.abs(pixels[5:-5, 2:-2].astype(int) - 127).max() <= 4


@pytest.mark.parametrize(
    ("size", "turned", "shape"),
    [((900, 30), 6, (300, 10)), ((90, 30), 1, (30, 90)), ((3000, 1), 1, (1, 300))],
)
def test_the_longest_side_can_be_bounded(
    size: tuple[int, int], turned: int, shape: tuple[int, int]
) -> None:
    data = encoded(Image.new("RGB", size), "JPEG", exif=exif((0x0112, 3, 1, turned)))
    assert read_image(data, longest=300).shape == (*shape, 3)


@pytest.mark.parametrize(
    ("line", "share", "expected"),
    [(255, 0.2, 0), (20, 0.2, 255), (255, 0.8, 255), (20, 0.8, 255), (255, 0, 255)],
)
def test_what_is_transparent_can_contrast_with_the_lines(
    line: int, share: float, expected: int
) -> None:
    """The ground is black under light lines only; what is opaque for the most part is no line."""
    pixels = np.zeros((10, 10, 4), np.uint8)
    pixels[: int(10 * share)] = (line, line, line, 255)
    data = encoded(Image.fromarray(pixels), "PNG")
    read = read_image(data, background="contrast")
    assert (read[-1] == expected).all()
    assert (read[: int(10 * share)] == line).all()
    assert (read_image(data)[-1] == 255).all()


def test_a_large_jpeg_is_resized_to_what_plain_resizing_gives() -> None:
    with Image.open(io.BytesIO(photo())) as image:
        expected = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR), dtype=int)
        large = encoded(image.resize((4000, 3000), Image.Resampling.BICUBIC), "JPEG", quality=90)
    assert np.abs(read_image(large, size=(224, 224)) - expected).mean() < 4


def test_the_limit_of_pixels_is_exact() -> None:
    with pytest.raises(BadImage) as caught:
        read_image(encoded(Image.new("1", (5_000, 5_001)), "PNG"))
    assert caught.value.received == "5,000 × 5,001 pixels"
    largest = encoded(Image.new("1", (5_000, 5_000)), "PNG")
    assert read_image(largest, size=(1, 1)).shape == (1, 1, 3)


def test_ten_million_bytes_are_allowed() -> None:
    data = encoded(solid("RGB", RED), "BMP")
    assert only_color(data.ljust(10_000_000, b"\0")) == list(RED)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"", "an empty file"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"II*\0", "TIFF"),
        (b"<svg xmlns=''>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP"),
    ],
)
def test_the_message_names_what_was_sent_and_what_may_be(start: bytes, name: str) -> None:
    with pytest.raises(BadImage) as caught:
        read_image(start)
    assert name in caught.value.received
    assert caught.value.allowed == "a JPEG, PNG, WebP, GIF or BMP image"


def test_a_gif_without_a_picture_is_not_called_cut_off() -> None:
    with pytest.raises(BadImage) as caught:
        read_image(b"GIF89a" + bytes([8, 0, 8, 0, 0, 0, 0]) + b";")
    assert caught.value.received == "a GIF without a picture"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WebP", "GIF"])
def test_a_file_that_was_cut_is_never_called_damaged(format: str) -> None:
    """Wherever that was: behind the picture's last byte it is read all the same."""
    whole = encoded(Image.linear_gradient("L").resize((8, 6)), format)
    for length in range(12, len(whole) - 2):
        with pytest.raises(BadImage, match="truncated") as caught:
            read_image(whole[:length])
        assert caught.value.allowed == "the whole file; send it again"


def test_the_pixels_of_a_bomb_are_counted() -> None:
    with pytest.raises(BadImage) as caught:
        read_image(png(ihdr(100_000, 50_000), chunk(b"IDAT")))
    assert caught.value.received == "5,000,000,000 pixels"


def test_many_threads_read_at_once() -> None:
    files = [photo(), in_head(), encoded(solid("RGBA", (1, 2, 3, 4)), "PNG"), b"GIF89a", b"%PDF"]
    files += [encoded(solid("P", 1), "GIF"), encoded(solid("RGB", RED), "WebP")]

    def outcome(data: bytes) -> object:
        try:
            return read_image(data, size=(32, 24)).tobytes()
        except BadImage as error:
            return str(error)

    alone = [outcome(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, files * 70)) == alone * 70
