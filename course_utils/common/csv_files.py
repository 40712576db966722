"""Tell a CSV file from what people give by mistake in its place."""

import re
from pathlib import Path

UNPACKING = (".gz", ".bz2", ".xz", ".zip", ".zst")  # pandas unpacks files of these names
# What such a file is, by the bytes it starts with, and what to do.
_OTHER_KINDS = (
    (rb"\x1f\x8b", "is a gzip archive, not a CSV file: unpack it first"),
    (rb"BZh[1-9]1AY&SY|\xfd7zXZ\0|\(\xb5/\xfd", "is compressed, not a CSV file: unpack it first"),
    (
        rb"PK\x03\x04|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        'is an Excel workbook or a ZIP archive, not a CSV file: save it as "CSV UTF-8", or unpack '
        "it, first",
    ),
    (rb"PAR1[\0-\x08\x15]", "is a Parquet file, not a CSV file: convert it, or name it .parquet"),
    (rb"(?i)\s*<(!doctype|html)", "is a web page, not a CSV file: download the file itself"),
    (
        rb'(?i)"?sep=."?\r?\n',
        "begins with a line `sep=`, which only Excel knows: delete that line, and see that commas "
        "separate the columns",
    ),
)


def check_csv(file: Path) -> None:
    """See that a file does not begin as one of another kind does.

    Raises:
        OSError: it cannot be read.
        ValueError: it does; says what it is and what to do.
    """
    if file.suffix.lower() in UNPACKING:
        return
    with file.open("rb") as opened:
        start = opened.read(100).removeprefix(b"\xef\xbb\xbf")
    for kind, what in _OTHER_KINDS:
        if re.match(kind, start):
            raise ValueError(f"{file.name} {what}.")
