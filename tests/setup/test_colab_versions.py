"""The resolver's word: what Colab ships and what the course needs go together."""

import pytest

from tests.conftest import ROOT, run_uv


@pytest.mark.thorough
@pytest.mark.registry
@pytest.mark.parametrize(("runtime", "python"), [("today", "3.13"), ("2026.04", "3.12")])
def test_the_course_installs_beside_what_colab_ships(runtime: str, python: str):
    shipped = ROOT / "tests" / "support" / "colab" / f"{runtime}.txt"
    options = ["--quiet", "--python-version", python, "--constraint", shipped]
    answer = run_uv("pip", "compile", *options, "pyproject.toml")
    assert answer.returncode == 0, answer.stderr
