"""The environment in which the notebooks are checked: the wheel, and no source tree."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.notebooks import run_python
from tools.install import BIN, EXE


@pytest.fixture(scope="session")
def wheel_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the course installed from its wheel.

    Everything else comes from the environment that the tests run in, by a path file. Path files
    inside that one do not count then, so the course's source is not found through it.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, ROOT], check=True)
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / BIN / f"python{EXE}"
    wheel = next(folder.glob("*.whl"))
    target = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *target], check=True)
    purelib = Path(run_python(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    (purelib / "shared.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python
