"""requirements.lock: complete, within our ranges, installable on every platform; and Colab."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT, run_uv
from tools.install import SUPPORTED, explain_unsupported

PLATFORMS = ["x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "aarch64-apple-darwin"]
MACHINES = {
    ("linux", "x86_64"): (PLATFORMS[0], "POSIX :: Linux", "Linux on an Intel or AMD processor"),
    ("win32", "AMD64"): (PLATFORMS[1], "Microsoft :: Windows", "Windows on an Intel or AMD"),
    ("darwin", "arm64"): (PLATFORMS[2], "MacOS", "Mac with Apple silicon"),
}
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def direct() -> list[Requirement]:
    """What pyproject.toml asks for, extras included."""
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    requirements = [Requirement(line) for line in PROJECT["dependencies"] + extras]
    return [r for r in requirements if r.name != PROJECT["name"]]


def locked() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in LOCK.splitlines():
        requirement = Requirement(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_every_line_is_one_exact_version_without_a_place():
    assert "://" not in LOCK
    for requirements in locked().values():
        for requirement in requirements:
            assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement


def test_everything_asked_for_is_locked_within_its_range():
    for asked in direct():
        for requirement in locked()[canonicalize_name(asked.name)]:
            version = str(requirement.specifier).removeprefix("==")
            assert asked.specifier.contains(version), f"{requirement} against {asked}"


def test_conda_brings_python_and_pip_and_pip_the_lock_and_the_course():
    document = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, by_pip = document["dependencies"]
    assert python == f"python {PROJECT['requires-python']}"
    assert pip.startswith("pip ")
    assert by_pip == {"pip": ["-c requirements.lock", "-e .[lab]"]}


def test_each_dependency_says_what_needs_it_and_no_extra_asks_for_test_tools():
    """pyproject.toml: a comment at each line, and what learners install is what notebooks need."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text[text.index("\ndependencies = [") : text.index("\ntest = [")]
    lines = [line for line in block.splitlines() if line.startswith('    "')]
    own = [line for line in lines if PROJECT["name"] in line]
    assert [line for line in lines if " # " not in line and line not in own[1:]] == []
    names = {Requirement(line).name for line in closure("lab")}
    assert not names & {"ray", "playwright", "mypy", "pytest", "ruff"}
    assert {"jupyterlab", "duckdb", "coremltools", "dill"} <= names


def closure(extra: str) -> list[str]:
    """What an extra asks for, and the extras that it names."""
    found: list[str] = []
    for line in PROJECT["optional-dependencies"][extra]:
        asked = Requirement(line)
        nested = asked.extras if asked.name == PROJECT["name"] else ()
        found += [line] if not nested else [each for one in nested for each in closure(one)]
    return found


def test_supported_machines_are_the_same_everywhere():
    """For each that install.py lets in the lock has wheels; the page and classifiers name them."""
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for (system, machine), (platform, classifier, words) in MACHINES.items():
        assert not explain_unsupported(system, machine)
        assert platform in PLATFORMS
        assert f"Operating System :: {classifier}" in PROJECT["classifiers"]
        assert words in page
    assert set(MACHINES) == SUPPORTED
    for system, machine, words in (
        ("darwin", "x86_64", "Intel Macs"),
        ("win32", "ARM64", "Windows on Arm"),
        ("linux", "aarch64", "Linux on Arm"),
    ):
        reason = explain_unsupported(system, machine)
        assert words in reason
        assert words in page
        assert "Google Colab" in reason
        assert reason.count(". ") == 0  # one sentence


def test_keras_is_the_one_whose_files_colab_reads():
    today = (ROOT / "tests/support/colab/today.txt").read_text(encoding="utf-8")
    assert str(locked()["keras"][0]) in today.splitlines()


ONLY_WHEELS = ["pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:"]


@pytest.mark.thorough
@pytest.mark.registry
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_lock_has_wheels(platform, python):
    where = ["--python-platform", platform, "--python-version", python]
    answer = run_uv(*ONLY_WHEELS, *where, "requirements.lock")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.thorough
@pytest.mark.registry
def test_pip_takes_the_lock(tmp_path):
    """It minds what uv does not: a package that says it is not for this Python."""
    options = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--target", str(tmp_path)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options]
    answer = subprocess.run(
        [*command, "-r", "requirements.lock"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.thorough
@pytest.mark.registry
@pytest.mark.parametrize(("runtime", "python"), [("today", "3.13"), ("2026.04", "3.12")])
def test_the_course_installs_beside_what_colab_ships(runtime, python):
    shipped = ROOT / "tests" / "support" / "colab" / f"{runtime}.txt"
    options = ["--quiet", "--python-version", python, "--constraint", shipped]
    answer = run_uv("pip", "compile", *options, "pyproject.toml")
    assert answer.returncode == 0, answer.stderr
