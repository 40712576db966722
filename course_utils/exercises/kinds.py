"""Of which kind a value is, in words, and whether an exercise asks for that kind."""

import numbers
import reprlib
import types
from typing import Any, Union, get_args, get_origin

NAMES: dict[Any, str] = {
    type(None): "nothing",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    bytes: "bytes",
    dict: "a dictionary",
    list: "a list",
    tuple: "a tuple",
    set: "a set",
}
ABSTRACT = {float: numbers.Real, int: numbers.Integral}  # NumPy's numbers are among them


def describe(value: Any) -> str:
    """The kind of a value, and the value itself where it can be read: ``a text, '10'``."""
    if value is None:
        return NAMES[type(None)]
    for kind in (bool, int, float, *NAMES):
        if _is_kind(value, kind):
            name = "a truth value" if kind is bool else NAMES[kind]
            return f"{name}, {reprlib.repr(value)}"
    return f"an object of the type {type(value).__name__}"


def find_wrong_kind(value: Any, asked: Any) -> str:
    """What is of another kind than asked for; empty where nothing is.

    Args:
        value: what a function returned.
        asked: its annotation, such as ``dict[str, float]``; ``Any`` asks for nothing.
    """
    kind, inside = get_origin(asked) or asked, get_args(asked)
    if kind is Any:
        return ""
    if kind in (Union, types.UnionType):
        names = " or ".join(NAMES.get(get_origin(each) or each, str(each)) for each in inside)
        fits = any(not find_wrong_kind(value, each) for each in inside)
        return "" if fits else f"{describe(value)}; {names} was asked for"
    if not _is_kind(value, kind):
        return f"{describe(value)}; {NAMES.get(kind, kind.__name__)} was asked for"
    if kind is tuple and len(value) != len(inside):
        return f"a tuple of {len(value)}; one of {len(inside)} was asked for"
    for where, part, wanted in _list_parts(value, kind, inside):
        if fault := find_wrong_kind(part, wanted):
            return f"{NAMES[kind]} in which {where} is {fault}"
    return ""


def _list_parts(value: Any, kind: Any, inside: tuple[Any, ...]) -> list[tuple[str, Any, Any]]:
    """What is in a collection: its place in words, itself, and the annotation it has to fit."""
    if kind is dict and inside:
        keys = [("a key", key, inside[0]) for key in value]
        return keys + [(f"the value of {key!r}", value[key], inside[1]) for key in value]
    if kind in (list, tuple, set) and inside:
        wanted = inside if kind is tuple else inside * len(value)
        return [(f"value {n}", *pair) for n, pair in enumerate(zip(value, wanted, strict=True), 1)]
    return []


def _is_kind(value: Any, kind: Any) -> bool:
    if type(value).__name__ in ("bool", "bool_"):  # NumPy's, too; Python's is also an int
        return kind is bool
    return isinstance(value, ABSTRACT.get(kind, kind))
