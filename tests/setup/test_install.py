"""tools/install.py and the Makefile: any pip's settings, any Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, copy_tree
from tools.install import pip_settings, uv_environment, uv_variables

posix = pytest.mark.skipif(os.name == "nt", reason="make is for Unix; Windows uses the tools")


def test_pips_settings_become_uvs():
    """Variables win over files, and settings for installing over global ones."""
    said = r"""
:env:.index-url='https://mirror.example/simple'
global.index-url='https://global.example'
global.extra-index-url='https://a.example/simple\nhttps://b.example/simple'
global.find-links='/wheels\n/more'
global.cert='/global.pem'
install.cert='/etc/company.pem'
freeze.cert='/another.pem'
install.trusted-host='mirror.example'
global.no-index='false'
"""
    assert uv_variables(pip_settings(said.strip())) == {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/etc/company.pem",
        "UV_INSECURE_HOST": "mirror.example",
    }


def test_pips_variables_reach_uv_and_the_users_own_win(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "77")
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "88")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    environment = uv_environment()
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["UV_HTTP_TIMEOUT"] == "88"


def make(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run make as a shell would, also where this run was started by ``make PYTHON=...``."""
    outer = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAKE") and name != "PYTHON"
    }
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(
        command, cwd=folder, env=outer | environment, capture_output=True, text=True, check=False
    )


def link_programs(folder: Path, *names: str) -> Path:
    """A folder for PATH, as on a machine with little on it."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


@posix
def test_without_a_python_in_range_make_says_what_is_missing(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "tools/install.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    folder = link_programs(tmp_path / "programs", "make", "sh", "echo", "test", "touch")
    for name in ("python3", "python"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")  # an old one, as the probe sees it
        (folder / name).chmod(0o755)
    answer = make(tmp_path, "lab", PATH=str(folder))
    assert answer.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in answer.stderr
    assert "make PYTHON=" in answer.stderr


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("win32", "ARM64")])
def test_a_machine_without_wheels_is_told_before_anything_is_made(tmp_path, system, machine):
    """The real program; only what Python says of its machine is replaced."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "install.py", tmp_path / "tools")
    start = (
        "import platform, runpy, sys; "
        f"sys.platform, platform.machine = {system!r}, lambda: {machine!r}; "
        "runpy.run_path('tools/install.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "use the course in Google Colab" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tools"]
    assert done.stdout == ""


@posix
@pytest.mark.parametrize(
    ("target", "extras"), [("lab", ["lab"]), ("wheel", ["lab"]), ("lint", ["lab", "test"])]
)
def test_learners_get_no_test_tools(tmp_path, target, extras):
    """What make would install on a fresh machine, in this order."""
    tree = copy_tree(tmp_path)
    answer = make(tree, "--dry-run", target, f"PYTHON={sys.executable}")
    called = [line for line in answer.stdout.splitlines() if "tools/install.py" in line]
    assert [line.split("install.py")[1].strip() or "lab" for line in called] == extras
