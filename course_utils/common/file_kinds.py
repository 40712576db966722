"""Tell the files that people give by mistake by the bytes that they start with."""

import re
import tomllib
from pathlib import Path

UNPACKING = (".gz", ".bz2", ".xz", ".zip", ".zst")  # pandas unpacks files of these names
_KINDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def name_kind(start: bytes, wanted: str) -> str | None:
    """What a file is instead of what was wanted; None where its start says nothing.

    Args:
        start: its first bytes.
        wanted: ``photo`` or ``csv``.
    """
    fits = (name for kind, name in _KINDS[wanted] if re.match(kind.encode(), start, re.DOTALL))
    return next(fits, None)


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
    if what := name_kind(start, "csv"):
        raise ValueError(f"{file.name} {what}.")
