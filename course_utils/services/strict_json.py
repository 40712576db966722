"""Read a request's body as JSON, strictly (RFC 8259), with every fault named.

Python's own reader is lenient: it takes NaN, keeps the last of two equal keys, follows nesting
until the interpreter's limit and guesses UTF-16. A service that takes bodies from strangers
wants none of that.
"""

import json
import threading
from collections import Counter
from typing import Any

from course_utils.schema import Fault, NotJSONNumber, pointer

MAX_BRACKETS = 1_000  # an upper bound on nesting that costs nothing to check
MAX_DIGITS = 4_300  # Python's own limit for reading an integer


class MalformedJSON(ValueError):
    """The bytes are not JSON; ``faults`` says why."""

    def __init__(self, detail: str, received: str, allowed: str = "a JSON text in UTF-8"):
        super().__init__(detail)
        self.faults = [Fault("", detail, received, allowed)]


class _Reader(threading.local):
    """A JSON decoder a thread: making one anew costs more than reading a small body with it."""

    def __init__(self) -> None:
        self._doubled: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._as_object, parse_constant=NotJSONNumber
        )

    def _as_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            times = Counter(name for name, _ in pairs)
            self._doubled.extend(name for name in times if times[name] > 1)
        return found

    def read(self, text: str) -> tuple[Any, list[str]]:
        """The value of ``text`` and the keys that stand more than once in an object."""
        self._doubled = []
        return self._decoder.decode(text), self._doubled


_reader = _Reader()


def loads(data: bytes) -> tuple[Any, list[Fault]]:
    """Parse ``data``.

    Returns:
        The value, and a fault for each key that stands twice in one object. Constants that
        JSON lacks (NaN, Infinity) come back as `NotJSONNumber`, so that whoever validates the
        value can name their place.

    Raises:
        MalformedJSON: the bytes are not JSON at all.
    """
    _refuse_at_sight(data)
    try:
        text = data.decode("utf-8")
        value, doubled = _reader.read(text)
    except UnicodeDecodeError as error:
        raise MalformedJSON(
            f"byte {error.start} is not valid UTF-8", f"byte 0x{data[error.start]:02x}"
        ) from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        found = repr(text[error.pos : error.pos + 10]) if error.pos < len(text) else "the end"
        raise MalformedJSON(f"not JSON at {at}: {error.msg}", found) from None
    except RecursionError:  # Python's limit, less what stands on the stack already
        raise MalformedJSON("the body is nested too deeply", "arrays in arrays") from None
    except ValueError:  # Python refuses to read an integer of more than 4,300 digits
        raise MalformedJSON(
            "a number is too long",
            f"an integer of more than {MAX_DIGITS} digits",
            f"numbers of at most {MAX_DIGITS} digits",
        ) from None
    faults = [
        Fault(pointer(name), "this key stands more than once", "the key again", "each key once")
        for name in doubled
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
