"""The set-up cell where it can install nothing: a sentence, and no cell after it runs."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.conftest import run_uv
from tests.support.notebooks import clean_environment
from tools import links
from tools.install import BIN, EXE

# That it installs shows test_colab.py.
pytestmark = [pytest.mark.thorough, pytest.mark.registry]
PLACEHOLDER = "https://github.com/OWNER/networks-at-work"

# A stand-in for git on a machine without a network.
GIT = """#!/bin/sh
echo "$@" >>{called}
test "$1" = version && echo "git version 2.47.3" && exit
echo "fatal: unable to access: Could not resolve host: github.com" >&2
exit 128
"""


@dataclass
class Runtime:
    """A kernel that lacks the course, and a record of the programs that were called in it."""

    environment: dict[str, str]
    called: Path

    def run(self, source: str, folder: Path) -> NotebookNode:
        """Run the set-up cell, and one that needs the library; the notebook with its outputs."""
        cells = [new_code_cell(source), new_code_cell("import course_utils")]
        notebook = new_notebook(cells=cells)
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, kernel_name="bare", resources=resources)
        with pytest.raises(CellExecutionError):
            client.execute(env=self.environment)
        assert notebook.cells[1].outputs == []
        return notebook.cells[0]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("bare")
    python = folder / "env" / BIN / f"python{EXE}"
    for command in (
        ["venv", "--quiet", "--seed", "--python", sys.executable, folder / "env"],
        ["pip", "install", "--quiet", "--python", python, "ipykernel"],
    ):
        done = run_uv(*command)
        assert done.returncode == 0, done.stderr
    kernel = folder / "share" / "kernels" / "bare"
    kernel.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Bare", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    programs = folder / "programs"
    programs.mkdir()
    (programs / "git").write_text(GIT.format(called=folder / "called"))
    (programs / "git").chmod(0o755)
    environment = clean_environment(folder / "home", python)
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "share"))
        yield Runtime(environment, folder / "called")


def set_up_cell(repository: str) -> str:
    """The cell as the notebooks have it, for a course that is published at an address."""
    written = f'REPOSITORY = "{links.project()[0]}"'
    source = links.setup_cell("[drift]")
    assert source.count(written) == 1
    return source.replace(written, f'REPOSITORY = "{repository}"')


def test_without_a_wheel_and_an_address_one_sentence_says_what_to_do(runtime, tmp_path):
    cell = runtime.run(set_up_cell(PLACEHOLDER), tmp_path)
    (error,) = cell.outputs  # nothing is said to be installed
    (sentence,) = error.traceback
    assert "`make wheel`" in sentence
    assert "drag the file" in sentence
    assert sentence.count(". ") == 0
    assert not runtime.called.exists()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for git is a script")
def test_a_repository_that_does_not_answer_is_one_sentence(runtime, tmp_path):
    cell = runtime.run(set_up_cell("https://github.com/ada/course"), tmp_path)
    said, error = cell.outputs
    assert said.text.startswith("Installing")
    (sentence,) = error.traceback
    assert sentence.startswith("pip could not install what this notebook needs (")
    assert "\n" not in sentence
    assert "run this cell again" in sentence
    assert "\x1b" not in sentence
    assert "https://github.com/ada/course" in runtime.called.read_text()


def test_a_wheel_that_is_damaged_is_one_sentence(runtime, tmp_path):
    (tmp_path / "networks_at_work-0.1.0-py3-none-any.whl").write_bytes(b"half of it")
    cell = runtime.run(set_up_cell(PLACEHOLDER), tmp_path)
    (sentence,) = cell.outputs[-1].traceback
    assert "networks_at_work-0.1.0-py3-none-any.whl" in sentence
    assert sentence.startswith("pip could not install what this notebook needs (")
