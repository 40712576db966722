"""The resolver's word: what Colab ships and what the course needs go together."""

import pytest

from tests.conftest import ROOT, Resolver

pytestmark = pytest.mark.thorough

RUNTIMES = {"today": "3.13", "2026.04": "3.12"}


def resolve(uv: Resolver, python: str, *constraints: str, text: str = ""):
    """The course's runtime dependencies, without extras, under constraints."""
    given = [word for constraint in constraints for word in ("--constraint", constraint)]
    command = ["pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    return uv(*command, "--python-version", python, *given, "pyproject.toml", text=text)


@pytest.mark.registry
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_course_installs_beside_what_colab_ships(uv: Resolver, runtime):
    constraints = ROOT / "tests/support/colab" / f"{runtime}.txt"
    answer = resolve(uv, RUNTIMES[runtime], str(constraints))
    assert answer.returncode == 0, answer.stderr
    pins = constraints.read_text(encoding="utf-8").splitlines()
    resolved = answer.stdout.splitlines()
    for name in ("keras", "tensorflow"):
        pin = next(line for line in pins if line.startswith(f"{name}=="))
        assert pin in resolved
    assert not any(line.startswith("tensorflow-cpu") for line in resolved)


@pytest.mark.registry
def test_a_runtime_too_old_is_noticed(uv: Resolver):
    today = (ROOT / "tests/support/colab/today.txt").read_text(encoding="utf-8").splitlines()
    others = [line for line in today if not line.startswith(("#", "flask=="))]
    answer = resolve(uv, "3.13", "-", text="\n".join([*others, "flask==2.2.5"]))
    assert answer.returncode != 0
    assert "flask" in answer.stderr
