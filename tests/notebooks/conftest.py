"""The environment in which the notebooks are checked: the wheel, and no source tree."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from filelock import FileLock

from tests.conftest import ROOT
from tests.support.notebooks import run_python
from tools.install import BIN, EXE


@pytest.fixture(scope="session")
def wheel_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the course installed from its wheel.

    Everything else comes from the environment that the tests run in, by a path file. Path files
    inside that one do not count then, so the course's source is not found through it.
    """
    base = tmp_path_factory.getbasetemp()
    # The workers of a run share it: their folders lie beside each other.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel"
    python = folder / "env" / BIN / f"python{EXE}"
    with FileLock(folder.with_suffix(".lock")):
        if not (ready := folder / "ready").exists():
            _install_wheel(folder, python)
            ready.touch()
    return python


def _install_wheel(folder: Path, python: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, ROOT], check=True)
    venv.create(folder / "env", with_pip=False)
    wheel = next(folder.glob("*.whl"))
    target = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *target], check=True)
    purelib = Path(run_python(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    (purelib / "shared.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
