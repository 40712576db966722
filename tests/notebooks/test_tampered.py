"""Whether the full run would notice: one character changed in each compared output.

nbval's own comparison is asked, in memory: no kernel runs.
"""

import copy
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.support.notebooks import PATTERNS, each_notebook, is_compared, sanitize


def changed(text: str) -> str:
    """The text with its last digit changed, or a letter if there is none, outside of what the
    sanitizer rewrites anyway.
    """
    for order in (string.digits, string.ascii_lowercase):
        for place in reversed(range(len(text))):
            if text[place] in order:
                other = order[(order.index(text[place]) + 1) % len(order)]
                candidate = text[:place] + other + text[place + 1 :]
                if sanitize(candidate) != sanitize(text):
                    return candidate
    raise ValueError(f"nothing of this output would be compared: {text!r}")


def tampered(outputs) -> Iterator[list]:
    """The outputs of a cell, again and again, each time with another text of them changed."""
    for number, output in enumerate(outputs):
        places = []
        if output.output_type == "stream":
            places = [(output, "text")]
        elif output.output_type == "error":
            places = [(output, "evalue")]
        else:
            texts = [k for k, v in output.data.items() if isinstance(v, str)]
            places = [(output.data, kind) for kind in texts if not kind.startswith("image/p")]
        for holder, key in places:
            draft = copy.deepcopy(outputs)
            inner = draft[number] if holder is output else draft[number].data
            inner[key] = changed(inner[key])
            yield draft


def cells_of(path: Path, request: pytest.FixtureRequest) -> list[IPyNbCell]:
    """The cells of a notebook as nbval has them, its kernel apart."""
    notebook = IPyNbFile.from_parent(request.session, path=path)
    notebook.sanitize_patterns.update(PATTERNS)
    return list(notebook.collect())


@each_notebook
def test_every_change_is_noticed(path, request):
    looked_at = 0
    for cell in cells_of(path, request):
        if not is_compared(cell.cell):
            continue
        stored = cell.cell.outputs
        assert cell.options["check"]
        assert cell.compare_outputs(copy.deepcopy(stored), stored)
        for draft in tampered(stored):
            assert not cell.compare_outputs(draft, stored), cell.cell.source
            looked_at += 1
    assert looked_at > 0
