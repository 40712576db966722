"""`make publish`: the repository's address, all links and the tag in one step."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import copy_tree
from tests.support.notebooks import code_cells, read
from tools import links

AUTHOR = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the working tree as a repository with one commit."""
    tree = copy_tree(tmp_path)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "Begin"]):
        git(tree, *AUTHOR, *command)
    for name, value in (("user.name", "Test"), ("user.email", "test@example.org")):
        git(tree, "config", name, value)
    return tree


def git(tree: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=tree, text=True).strip()


def publish(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tools.publish", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_one_step_sets_address_links_and_tag(checkout):
    done = publish(checkout, "ada/course")
    assert done.returncode == 0, done.stderr
    tag = f"v{links.project()[1]}"
    assert f"git push https://github.com/ada/course HEAD:main {tag}" in done.stdout
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "rev-parse", tag) == git(checkout, "rev-parse", "HEAD")
    for path in sorted((checkout / "notebooks").glob("[0-9]*.ipynb")):
        notebook = read(path)
        assert "github/ada/course/blob/main" in notebook.cells[0].source
        cell = code_cells(notebook)[0].source
        assert 'REPOSITORY = "https://github.com/ada/course"' in cell
        assert '"/OWNER/" in REPOSITORY' in cell  # the check itself is no address
    for name in ("README.md", "CITATION.cff", "pyproject.toml"):
        text = (checkout / name).read_text("utf-8")
        assert "OWNER" not in text
        assert "github.com/ada/course" in text
    again = publish(checkout, "ada/course")
    assert "is published already" in again.stderr
    assert again.returncode == 1


@pytest.mark.parametrize("given", [[], ["ada"], ["https://github.com/ada/course"]])
def test_what_is_no_owner_and_name_changes_nothing(checkout, given):
    done = publish(checkout, *given)
    assert done.returncode == 1
    assert "make publish REPO=owner/name" in done.stderr
    assert git(checkout, "status", "--porcelain") == ""


def test_changes_that_are_not_committed_are_not_published(checkout):
    (checkout / "README.md").write_text("changed")
    done = publish(checkout, "ada/course")
    assert "Commit your changes first" in done.stderr
    assert not git(checkout, "tag", "--list")
