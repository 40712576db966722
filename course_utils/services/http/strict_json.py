"""Read a request's body as JSON, strictly (RFC 8259), with every fault named.

Python's own reader is lenient: it takes NaN, keeps the last of two equal keys, follows nesting
until the interpreter's limit and guesses UTF-16. A service that takes bodies from strangers
wants none of that.
"""

import json
from collections import Counter
from typing import Any

import jiter

from course_utils.inference import Fault, NotJSONNumber, describe, pointer

MAX_BRACKETS = 500  # bounds nesting, too, well below where any Python gives up
MAX_DIGITS = 4_300  # Python's own limit for reading an integer


class MalformedJSON(ValueError):
    """The bytes are not JSON; ``faults`` says why."""

    def __init__(self, detail: str, received: str, allowed: str = "a JSON text in UTF-8"):
        super().__init__(detail)
        self.faults = [Fault("", detail, received, allowed)]


def loads(data: bytes) -> tuple[Any, list[Fault]]:
    """Parse ``data``.

    Returns:
        The value, and a fault for each key that stands twice in one object. Constants that
        JSON lacks (NaN, Infinity) come back as `NotJSONNumber`, so that whoever validates the
        value can name their place.

    Raises:
        MalformedJSON: the bytes are not JSON at all.
    """
    try:
        return jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True), []
    except ValueError:  # it stops at the first fault and says little; what follows says all
        return _read_again(data)


def _read_again(data: bytes) -> tuple[Any, list[Fault]]:
    """What `loads` gives, by way of Python's own reader, which can be asked about every fault."""
    _refuse_at_sight(data)
    doubled: list[list[str]] = []  # an entry an object, the outermost last

    def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        times = Counter(name for name, _ in pairs)
        doubled.append([name for name in times if times[name] > 1])
        return dict(pairs)

    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=as_object, parse_constant=NotJSONNumber)
    except UnicodeDecodeError as error:
        raise MalformedJSON(
            f"byte {error.start} is not valid UTF-8", f"byte 0x{data[error.start]:02x}"
        ) from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        found = repr(text[error.pos : error.pos + 10]) if error.pos < len(text) else "the end"
        raise MalformedJSON(f"not JSON at {at}: {error.msg}", found) from None
    except ValueError:  # Python refuses to read an integer of more than 4,300 digits
        raise MalformedJSON(
            "a number is too long",
            f"an integer of more than {MAX_DIGITS} digits",
            f"numbers of at most {MAX_DIGITS} digits",
        ) from None
    outermost = doubled.pop() if isinstance(value, dict) else []
    detail, received, allowed = "this key stands more than once", "the key again", "each key once"
    faults = [Fault(pointer(name), detail, received, allowed) for name in outermost]
    faults += [
        Fault("", f"further in, {detail}: {describe(name)}", received, allowed)
        for names in doubled
        for name in names
    ]
    return value, faults


def _refuse_at_sight(data: bytes) -> None:
    if not data.strip():
        raise MalformedJSON("the body is empty", "0 characters of JSON")
    if data.startswith(b"\xef\xbb\xbf"):
        raise MalformedJSON("the body starts with a byte order mark", "a byte order mark")
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise MalformedJSON(
            "the body holds too many arrays and objects",
            f"more than {MAX_BRACKETS} brackets",
            f"at most {MAX_BRACKETS} arrays and objects",
        )
