"""The notebooks in Colab: its versions, its own package (a stand-in), and the real set-up cell."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.conftest import ROOT, run_uv
from tests.support import copy_tree
from tests.support.notebooks import CELL_TIMEOUT_S, NOTEBOOKS, clean_environment, code_cells, read
from tools import links
from tools.install import BIN, EXE

STANDIN = ROOT / "tests" / "support" / "standins" / "colab"
TODAY = ROOT / "tests" / "support" / "colab" / "today.txt"
# What Colab ships of what the course needs; the rest is the set-up cell's business.
SHIPPED = [
    *("flask", "ipykernel", "ipython", "keras", "matplotlib", "numpy", "pandas", "pillow"),
    *("requests", "scikit-learn", "tensorflow", "werkzeug"),
]
STARTUP = "import google.colab\n"  # Colab has it loaded before the first cell runs
# Those that lean on Colab itself, and those that need an extra. The others run in the same
# versions with `make test-colab`.
IN_EVERY_RUN = {"00", "01", "02", "03", "04", "12", "16"}
each_in_colab = pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, id=p.stem, marks=() if p.name[:2] in IN_EVERY_RUN else pytest.mark.nightly)
        for p in NOTEBOOKS
    ],
)

pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.registry]


@dataclass
class Colab:
    """A runtime as a learner finds it."""

    python: Path
    repository: Path
    environment: dict[str, str]

    def versions(self) -> dict[str, str]:
        command = [self.python, "-m", "pip", "list", "--format=json"]
        listing = subprocess.check_output(command, env=self.environment, stderr=subprocess.DEVNULL)
        return {entry["name"].lower(): entry["version"] for entry in json.loads(listing)}

    def open(self, path: Path) -> nbformat.NotebookNode:
        """A notebook whose set-up cell installs from the repository as it lies here."""
        published = f"git+{links.project()[0]}@"
        text = path.read_text(encoding="utf-8")
        assert text.count(published) == 1
        here = f"git+{self.repository.as_uri()}@"
        return nbformat.reads(text.replace(published, here), as_version=4)

    def run(self, notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
        """Run all cells in a fresh kernel; an error in one is raised here."""
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(
            notebook, timeout=CELL_TIMEOUT_S, kernel_name="colab", resources=resources
        )
        return client.execute(env=self.environment)


@pytest.fixture(scope="module")
def colab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colab]:
    folder = tmp_path_factory.mktemp("colab")
    python = folder / "env" / BIN / f"python{EXE}"
    environment = clean_environment(folder / "home", python) | {
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": str(STANDIN),
    }
    startup = folder / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "colab.py").write_text(STARTUP)
    checked(run_uv("venv", "--quiet", "--seed", "--python", sys.executable, str(folder / "env")))
    install = ["pip", "install", "--quiet", "--only-binary", ":all:", "--python", str(python)]
    checked(run_uv(*install, "-c", str(TODAY), *SHIPPED))

    kernel = folder / "share/kernels/colab"
    kernel.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "share"))
        yield Colab(python, _publish(folder / "repository"), environment)


@pytest.fixture(scope="module")
def set_up(colab, tmp_path_factory) -> tuple[dict[str, str], dict[str, str], str]:
    """The versions before and after the set-up cell ran, and what it said."""
    folder = tmp_path_factory.mktemp("set-up")
    before = colab.versions()
    notebook = colab.open(NOTEBOOKS[0])
    ask = new_code_cell("from course_utils.environment import in_colab; print(in_colab())")
    done = colab.run(new_notebook(cells=[code_cells(notebook)[0], ask]), folder)
    said = "".join(output.get("text", "") for cell in done.cells for output in cell.outputs)
    return before, colab.versions(), said


def test_the_set_up_cell_installs_the_course_and_changes_nothing_else(set_up):
    before, after, said = set_up
    assert "networks-at-work" not in before
    assert {name: after.get(name) for name in before} == before
    assert after["networks-at-work"] == importlib.metadata.version("networks-at-work")
    assert {"flask-ngrok", "ngrok", "granian", "ai-edge-litert"} <= set(after) - set(before)
    assert said.endswith("Ready.\nTrue\n")


def test_the_set_up_cell_does_nothing_the_second_time(colab, set_up, tmp_path):
    notebook = colab.open(NOTEBOOKS[0])
    done = colab.run(new_notebook(cells=code_cells(notebook)[:1]), tmp_path)
    assert done.cells[0].outputs == []
    assert colab.versions() == set_up[1]


@each_in_colab
def test_the_notebook_runs_in_colab(path, colab, set_up, tmp_path):
    notebook = colab.open(path)
    extra = links.EXTRA.search(code_cells(notebook)[0].source)[1]
    if extra:  # as on the machine of its own that each notebook has in Colab
        checked(run_uv("pip", "uninstall", "--python", str(colab.python), "networks-at-work"))
    done = colab.run(notebook, tmp_path)
    assert len(code_cells(done)) == len(code_cells(read(path)))
    after = colab.versions()
    assert {name: after.get(name) for name in set_up[1]} == set_up[1]


def _publish(folder: Path) -> Path:
    """The working tree as a repository with a release tag, as the set-up cell finds it."""
    copy_tree(folder)
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    tag = f"v{links.project()[1]}"
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")}
    for command in (["init", "-q"], ["add", "-f", "."], ["commit", "-qm", "Release"], ["tag", tag]):
        subprocess.run(["git", *author, *command], cwd=folder, env=outer, check=True)
    return folder


def checked(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stderr
