"""Swift as tree-sitter's parser sees it."""

from collections.abc import Iterator
from pathlib import Path

import tree_sitter_swift
from tree_sitter import Language, Node, Parser

from tests.conftest import ROOT

IOS = ROOT / "ios"
APP = IOS / "NetworksAtWork"
CONTRACT = APP / "ModelContract.swift"
PARSER = Parser(Language(tree_sitter_swift.language()))


def files() -> list[Path]:
    return sorted(IOS.rglob("*.swift"))


def nodes(source: bytes) -> Iterator[Node]:
    """Every node of the syntax tree, punctuation included."""
    waiting = [PARSER.parse(source).root_node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def text(node: Node | None) -> str:
    assert node is not None
    assert node.text is not None
    return node.text.decode()


def line(node: Node) -> int:
    return node.start_point[0] + 1


def broken_lines(source: bytes) -> list[int]:
    """Where this is no Swift."""
    return [line(node) for node in nodes(source) if node.is_error or node.is_missing]


def forced_lines(source: bytes) -> list[int]:
    """Where ``x!``, ``try!``, ``as!`` or a type like ``Int!`` may bring the app down."""
    return [
        line(node)
        for node in nodes(source)
        if node.type in ("bang", "!", "as!")
        and not (node.parent and node.parent.type == "prefix_expression")  # !x is "not x"
    ]


def constants(source: bytes) -> dict[str, str]:
    """The ``static let name = literal`` of a file, strings without their quotes."""
    found = {}
    for node in nodes(source):
        if node.type != "property_declaration" or not text(node).startswith("static let"):
            continue
        value = node.child_by_field_name("value")
        if value is not None and value.type == "line_string_literal":
            value = value.child_by_field_name("text")
        found[text(node.child_by_field_name("name"))] = text(value)
    return found


def strings(source: bytes) -> list[str]:
    """The literal texts in the code."""
    return [text(node) for node in nodes(source) if node.type == "line_str_text"]
