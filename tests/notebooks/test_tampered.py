"""Whether the full run would notice: one character changed in every compared output."""

import json
import shutil
import string
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output

from tests.support import ROOT
from tests.support.notebooks import (
    NOTEBOOKS,
    code_cells,
    each_notebook,
    is_compared,
    read,
    sanitize,
    validate,
)

REPLAY = ROOT / "tests" / "support" / "replay.py"


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


def tamper(cell) -> None:
    """Change every output of a cell that nbval compares."""
    for output in cell.outputs:
        if output.output_type == "stream":
            output.text = changed(output.text)
        elif output.output_type == "error":
            output.evalue = changed(output.evalue)
        else:
            for kind, content in output.data.items():
                if isinstance(content, str) and not kind.startswith("image/p"):
                    output.data[kind] = changed(content)


@pytest.fixture
def replay(path, tmp_path) -> Path:
    """A Jupyter folder with a kernel that gives the stored outputs of the notebook."""
    folder = tmp_path / "jupyter" / "kernels" / "replay"
    folder.mkdir(parents=True)
    argv = [sys.executable, str(REPLAY), str(path), "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Replay", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return tmp_path / "jupyter"


@pytest.mark.slow
@each_notebook
def test_every_change_is_noticed(path, replay, tmp_path):
    notebook = read(path)
    expected = [n for n, cell in enumerate(code_cells(notebook)) if is_compared(cell)]
    for number in expected:
        tamper(code_cells(notebook)[number])
    copy = tmp_path / path.name
    nbformat.write(notebook, copy)
    reports = validate(copy, Path(sys.executable), replay=replay)
    assert [number for number, report in reports.items() if report] == expected


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS[:1], ids=lambda path: path.stem)
def test_nothing_else_is_noticed(path, replay, tmp_path):
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    reports = validate(copy, Path(sys.executable), replay=replay)
    assert set(reports.values()) == {""}


def test_a_change_is_small_and_survives_the_sanitizer():
    assert changed("12 of 20 at http://localhost:5000/") == "12 of 21 at http://localhost:5000/"
    assert changed("http://localhost:5000") == "http://localhosu:5000"
    assert changed("no number") == "no numbes"
    with pytest.raises(ValueError, match="nothing of this output"):
        changed("\n")


def test_every_kind_of_output_is_changed():
    cell = new_code_cell(
        outputs=[
            new_output("stream", text="1"),
            new_output("execute_result", data={"text/plain": "1", "image/png": "aGk="}),
            new_output("error", ename="ValueError", evalue="1"),
        ]
    )
    tamper(cell)
    assert [cell.outputs[0].text, cell.outputs[2].evalue] == ["2", "2"]
    assert cell.outputs[1].data == {"text/plain": "2", "image/png": "aGk="}
