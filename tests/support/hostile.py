"""Bodies that no good client sends, and which faults an answer must name for each."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.serving import CAR
from tests.support.wire import JSON_TYPE


@dataclass(frozen=True)
class Hostile:
    """``pointers`` are the places of all faults, sorted; ``said`` must stand in what is said."""

    name: str
    body: bytes
    status: int = 400
    pointers: tuple[str, ...] = ("",)
    said: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON_TYPE))

    def __str__(self) -> str:
        return self.name


GOOD = json.dumps(CAR).encode()
ALL = tuple(sorted(f"/{name}" for name in CAR))


def car(**changes: Any) -> bytes:
    return json.dumps(CAR | changes).encode()


def raw(name: str, text: str) -> bytes:
    """A good car but for ``text``, unquoted, as the value of ``name``."""
    return json.dumps(CAR | {name: "@"}).replace('"@"', text).encode()


def every(text: str) -> bytes:
    """A car with ``text``, unquoted, in all places."""
    return ("{" + ", ".join(f'"{name}": {text}' for name in CAR) + "}").encode()


OUT_OF_RANGE = json.dumps(dict.fromkeys(CAR, 1_000_000)).encode()
DOUBLED = GOOD[:-1] + b', "year": 71, "horsepower": 900, "colour": "red"}'
UNKNOWN = {"a/b": 1, "m~n": 1, "~1": 1, "": 1, "horse power": 1}
MANY = {f"k{number}": 1 for number in range(4000)}

BODIES = [
    Hostile("empty", b"", said=("empty",)),
    Hostile("not JSON", b"cylinders=8&year=70", said=("line 1, column 1",)),
    Hostile("an array", b"[8, 307, 130, 3504, 12, 70, 1]", said=("an array", "an object")),
    Hostile("a string", b'"a car"', said=('"a car"', "an object")),
    Hostile(
        "wrong content type",
        GOOD,
        415,
        said=("text/plain", "application/json"),
        headers={"Content-Type": "text/plain"},
    ),
    Hostile("no content type", GOOD, 415, headers={}),
    Hostile("truncated", GOOD[:-20], said=("line 1",)),
    Hostile("something after the end", GOOD + b"{}", said=("Extra data",)),
    Hostile("invalid UTF-8", GOOD.replace(b"year", b"ye\xff\xfe"), said=("UTF-8", "0xff")),
    Hostile("UTF-16", GOOD.decode().encode("utf-16"), said=("UTF-8",)),
    Hostile("BOM", b"\xef\xbb\xbf" + GOOD, said=("byte order mark",)),
    Hostile("NaN", raw("weight", "NaN"), pointers=("/weight",), said=("NaN",)),
    Hostile("Infinity", raw("weight", "Infinity"), pointers=("/weight",), said=("Infinity",)),
    Hostile("1e400", raw("weight", "1e400"), pointers=("/weight",), said=("too large",)),
    Hostile("a 5,000-digit integer", raw("weight", "9" * 5000), said=("digits",)),
    Hostile(
        "a 4,000-digit integer", raw("weight", "9" * 4000), pointers=("/weight",), said=("digits",)
    ),
    Hostile("numeric strings", every('"8"'), pointers=ALL, said=('"8"', "a number from")),
    Hostile("booleans", every("true"), pointers=ALL, said=("true", "an integer from")),
    Hostile("missing", b"{}", pointers=ALL, said=("missing", "nothing")),
    Hostile("unknown", car(colour="red"), pointers=("/colour",), said=("unknown", '"red"')),
    Hostile(
        "odd names",
        car(**UNKNOWN),
        pointers=("/", "/a~1b", "/horse power", "/m~0n", "/~01"),
        said=("unknown",),
    ),
    Hostile(
        "a lone surrogate as a name",
        GOOD[:-1] + b', "\\ud800": 1}',
        pointers=("/\ud800",),
        said=("unknown",),
    ),
    Hostile(
        "a lone surrogate as a name among other faults",
        b'{"year": 99, "\\udfff~": 1, "colour": "red"}',
        pointers=tuple(sorted([*ALL, "/colour", "/\udfff~0"])),
    ),
    Hostile("duplicate", GOOD[:-1] + b', "year": 71}', pointers=("/year",), said=("once",)),
    Hostile(
        "duplicate, out of range and unknown at once",
        DOUBLED,
        pointers=("/colour", "/horsepower", "/horsepower", "/year"),
        said=("once", "900", "unknown"),
    ),
    Hostile("100,000 brackets", b"[" * 100_000, 413, said=("65536 bytes",)),
    Hostile("60,000 brackets", b"[" * 60_000, said=("too many", "500")),
    Hostile("900 nested brackets", raw("weight", "[" * 990 + "]" * 990), said=("too many",)),
    Hostile("an object as a value", car(weight={"kg": 1600}), pointers=("/weight",)),
    Hostile("a 10 MB body", b"[" + b"8," * 5_000_000 + b"8]", 413, said=("65536 bytes",)),
    Hostile(
        "thousands of unknown names, one of them twice",
        json.dumps(CAR | MANY)[:-1].encode() + b', "k1": 1}',
        pointers=tuple(sorted(["/k1", *(f"/{name}" for name in MANY)])),
    ),
    Hostile("out of range", OUT_OF_RANGE, pointers=ALL, said=("1000000", "from 3 to 8")),
    Hostile("half an integer", car(cylinders=4.5, year=70.5), pointers=("/cylinders", "/year")),
]
