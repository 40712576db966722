"""What is said to a person whose file or URL is not taken."""

import re

# What people send by mistake, by the bytes it starts with.
_OTHER_KINDS = (
    (rb"$", "an empty file"),
    (rb"....ftyp(hei|hev|mif|msf)", "a HEIC photo, as iPhones take them"),
    (rb"....ftypavi[fs]", "an AVIF image"),
    (rb"....ftyp", "a video"),
    (rb"II\*\0|MM\0\*", "a TIFF image"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"(\xef\xbb\xbf)?\s*(<[^\0]*)?<svg", "an SVG drawing"),
    (rb"(\xef\xbb\xbf)?\s*<", "a page of HTML or XML"),
    (rb"", "a file of another kind"),
)


class Refusal(ValueError):
    """Says to a person what is wrong, what was received, what is allowed; repeats no input."""

    def __init__(self, detail: str, received: str, allowed: str):
        super().__init__(f"{detail} Received: {received}. Allowed: {allowed}.")
        self.detail = detail
        self.received = received
        self.allowed = allowed


class BadImage(Refusal):
    """The bytes are not an image that is read here; says why to a person, never what they are."""


def name_kind(data: bytes) -> str:
    """What a file is that is no image of a kind that is read here."""
    return next(name for start, name in _OTHER_KINDS if re.match(start, data[:1000], re.DOTALL))


def report_damage(received: str = "an image whose inside is damaged") -> BadImage:
    """The error for a file that cannot be decoded."""
    allowed = "an undamaged file; open it and save it anew"
    return BadImage("The image cannot be decoded.", received, allowed)


def report_truncation() -> BadImage:
    """The error for a file that lacks its end."""
    detail = "The image is truncated: the file ends before the picture does."
    return BadImage(detail, "a part of an image", "the whole file; send it again")
