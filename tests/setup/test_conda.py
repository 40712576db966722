"""environment.yml: read as conda reads it, and nothing in it that could drift from the lock."""

import tomllib
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet
from rattler import MatchSpec, Version

from tests.conftest import ROOT


def dependencies() -> list[Any]:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert set(document) == {"name", "channels", "dependencies"}
    return document["dependencies"]


def specs() -> dict[str, MatchSpec]:
    parsed = [MatchSpec(line, strict=True) for line in dependencies() if isinstance(line, str)]
    return {spec.name.normalized: spec for spec in parsed}


def test_conda_brings_only_python_and_pip():
    assert set(specs()) == {"python", "pip"}


def test_the_range_of_python_is_the_projects():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ours = SpecifierSet(tomllib.loads(text)["project"]["requires-python"])
    theirs = SpecifierSet(str(specs()["python"].version))
    for minor in range(8, 18):
        version = f"3.{minor}.1"
        assert Version(version)
        assert ours.contains(version) == theirs.contains(version), version


def test_pip_brings_the_lock_and_the_course():
    by_pip = [line for line in dependencies() if isinstance(line, dict)]
    assert by_pip == [{"pip": ["-r requirements.lock", "-e ."]}]
