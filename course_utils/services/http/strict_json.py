"""Read a request's body as JSON, strictly (RFC 8259), with every fault named.

Python's own reader is lenient: it takes NaN, keeps the last of two equal keys, follows nesting
until the interpreter's limit and guesses UTF-16. A service that takes bodies from strangers
wants none of that.
"""

import json
from collections import Counter
from typing import Any

import jiter

from course_utils.inference import Fault, describe, pointer
from course_utils.services.http.errors import Problem

MAX_BRACKETS = 500  # bounds nesting, too, well below where any Python gives up
MAX_UNKNOWN_KEYS = 20  # that are named in an answer
MAX_KEY_CHARACTERS = 40  # of a name in an answer


def parse_json(data: bytes) -> tuple[Any, list[Fault]]:
    """Parse a body.

    Returns:
        The value, and a fault for each key that stands twice in the object that it is. Constants
        that JSON lacks (NaN, Infinity) come back as floats: whoever validates the value has to
        refuse what is not finite, and can name its place.

    Raises:
        Problem: 400, the bytes are not JSON at all.
    """
    try:
        return jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True), []
    except ValueError:  # it stops at the first fault and says little; what follows says all
        return _parse_again(data)


def get_text(data: bytes, key: str) -> str:
    """The text under ``key``, the only key that the object in a body may have.

    Raises:
        Problem: 400, with every fault of the body.
    """
    value, faults = parse_json(data)
    allowed = f'an object with a text under the key "{key}"'
    if isinstance(value, dict):
        unknown = [name[:MAX_KEY_CHARACTERS] for name in value if name != key]
        for name in unknown[:MAX_UNKNOWN_KEYS]:
            faults.append(Fault(pointer(name), "unknown key", "the key", allowed))
        if not isinstance(value.get(key), str):
            received = describe(value[key]) if key in value else "nothing"
            faults.append(Fault(pointer(key), "not a text", received, "a text"))
    else:
        faults.append(Fault("", "not an object", describe(value), allowed))
    if faults:
        raise Problem(400, f"The body has to be {allowed}.", faults)
    return str(value[key])


def _parse_again(data: bytes) -> tuple[Any, list[Fault]]:
    """What `parse_json` gives, by Python's own reader, which can be asked about every fault."""
    if not data.strip():
        raise _refuse("the body is empty", "0 characters of JSON")
    if data.startswith(b"\xef\xbb\xbf"):
        raise _refuse("the body starts with a byte order mark", "a byte order mark")
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        received = f"more than {MAX_BRACKETS} brackets"
        raise _refuse("the body holds too many arrays and objects", received)
    names: list[str] = []

    def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names[:] = [name for name, _ in pairs]  # the outermost object comes last
        return dict(pairs)

    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=as_object)
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02x}"
        raise _refuse(f"byte {error.start} is not valid UTF-8", byte) from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        found = repr(text[error.pos : error.pos + 10]) if error.pos < len(text) else "the end"
        raise _refuse(f"not JSON at {at}: {error.msg}", found) from None
    except ValueError:  # Python refuses to read an integer of more than 4,300 digits
        raise _refuse("a number has more than 4,300 digits", "a longer integer") from None
    counts = Counter(names if isinstance(value, dict) else [])
    detail, received, allowed = "this key stands more than once", "the key again", "each key once"
    doubled = [name for name in counts if counts[name] > 1]
    return value, [Fault(pointer(name), detail, received, allowed) for name in doubled]


def _refuse(detail: str, received: str) -> Problem:
    allowed = f"a JSON text in UTF-8 with at most {MAX_BRACKETS} arrays and objects"
    return Problem(400, "The body is not JSON.", [Fault("", detail, received, allowed)])
