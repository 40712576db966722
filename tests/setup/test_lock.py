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
    assert by_pip == {"pip": ["-r requirements.lock", "-e ."]}


def test_keras_is_the_one_whose_files_colab_reads():
    today = (ROOT / "tests/support/colab/today.txt").read_text(encoding="utf-8")
    assert str(locked()["keras"][0]) in today.splitlines()


PLATFORMS = ["x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "aarch64-apple-darwin"]
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
