"""What is written from the repository's address."""

import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.conftest import ROOT
from tools import links

CITED = links.slug()


def test_files_that_the_readme_links_to_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", readme)
    assert len(targets) > 5
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_nothing_is_behind_pyproject():
    answer = subprocess.run(
        [sys.executable, "tools/links.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


@pytest.fixture
def bare(tmp_path):
    """A notebook with neither badge nor set-up cell."""
    cells = [new_markdown_cell("# Title"), new_markdown_cell("First"), new_code_cell("1 + 1")]
    path = tmp_path / "07_drift.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_a_notebook_gets_its_badge_and_its_set_up_cell(bare):
    notebook = nbformat.reads(links.link_notebook(bare), as_version=4)
    assert [c.cell_type for c in notebook.cells] == ["markdown"] * 2 + ["code", "markdown", "code"]
    assert f"github/{links.slug()}/blob/main/notebooks/07_drift.ipynb" in notebook.cells[0].source
    assert notebook.cells[2].source == links.setup_cell()
    folded = {"cellView": "form", "jupyter": {"source_hidden": True}}
    assert notebook.cells[2].metadata == {"tags": ["set-up"], **folded}


def test_the_map_has_title_and_aim_of_each_notebook(bare, monkeypatch):
    (bare.parents[1] / "notebooks").mkdir()
    moved = bare.rename(bare.parents[1] / "notebooks" / bare.name)
    moved.write_text(moved.read_text().replace("# Title", "# Drift\\n\\nWhen to train again."))
    monkeypatch.setattr(links, "ROOT", moved.parents[1])
    monkeypatch.setattr(links, "slug", lambda: "ada/course")
    address = (
        "https://colab.research.google.com/github/ada/course/blob/main/notebooks/07_drift.ipynb"
    )
    assert links.draw_map().splitlines()[2:] == [
        f"| [07 Drift](07_drift.ipynb) | [Colab]({address}) | When to train again. |"
    ]
    moved.write_text(moved.read_text().replace("# Drift", "Drift"))
    with pytest.raises(ValueError, match=r"07_drift\.ipynb has no title"):
        links.draw_map()


def test_another_address_is_written_everywhere(bare, monkeypatch):
    bare.write_text(links.link_notebook(bare), encoding="utf-8")
    monkeypatch.setattr(links, "project", lambda: ("https://github.com/ada/course", "2.5.0"))
    text = links.link_notebook(bare)
    assert "https://colab.research.google.com/github/ada/course/blob/main/" in text
    assert 'REPOSITORY = \\"https://github.com/ada/course\\"' in text
    assert "git+{REPOSITORY}@v2.5.0" in text
    readme = f"see https://github.com/{CITED}/issues\nversion: 0.1.0\n"
    assert links.link_text(readme) == "see https://github.com/ada/course/issues\nversion: 2.5.0\n"
