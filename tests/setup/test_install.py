"""tools/install.py and the Makefile: any pip's settings, any Python, a second time at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support import ROOT
from tests.support.serving import wait_until
from tools.install import pip_settings, uv_environment, uv_variables

posix = pytest.mark.skipif(os.name == "nt", reason="make is for Unix; Windows uses the tools")


def test_pips_settings_become_uvs():
    listing = "\n".join(
        [
            "global.index-url='https://mirror.example/simple'",
            "global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'",
            "global.find-links='/wheels\\n/more'",
            "global.cert='/etc/company.pem'",
            "install.trusted-host='mirror.example'",
            "global.no-index='false'",
            "global.progress-bar='off'",
        ]
    )
    assert uv_variables(pip_settings(listing)) == {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/etc/company.pem",
        "UV_INSECURE_HOST": "mirror.example",
    }


def test_variables_win_over_files_and_installing_over_global():
    listing = "\n".join(
        [
            ":env:.index-url='https://variable.example'",
            "global.cert='/global.pem'",
            "global.index-url='https://global.example'",
            "install.cert='/install.pem'",
            "freeze.cert='/another.pem'",
        ]
    )
    settings = pip_settings(listing)
    assert settings == {"index-url": "https://variable.example", "cert": "/install.pem"}


def test_pips_variables_reach_uv_and_the_users_own_win(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "77")
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "88")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    environment = uv_environment()
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["UV_HTTP_TIMEOUT"] == "88"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the Makefile reads, without an environment."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__*"))
    return tmp_path


def make(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(
        command, cwd=folder, env=outer | environment, capture_output=True, text=True, check=False
    )


@posix
def test_without_a_python_in_range_make_says_what_is_missing(checkout, tmp_path):
    folder = tmp_path / "programs"  # a machine with little on it
    folder.mkdir()
    for program in ("make", "sh", "echo", "test", "touch"):
        (folder / program).symlink_to(str(shutil.which(program)))
    for name in ("python3", "python"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")  # an old one, as the probe sees it
        (folder / name).chmod(0o755)
    answer = make(checkout, "lab", PATH=str(folder))
    assert answer.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in answer.stderr
    assert "make PYTHON=" in answer.stderr


@posix
def test_a_python_in_range_is_found(checkout):
    answer = make(checkout, "--dry-run", "lab")
    assert answer.returncode == 0
    assert "tools/install.py" in answer.stdout
    chosen = next(line for line in answer.stdout.splitlines() if "tools/install.py" in line)
    version = subprocess.check_output([chosen.split()[0], "--version"], text=True)
    assert version.startswith(("Python 3.11", "Python 3.12", "Python 3.13"))


@posix
def test_an_environment_up_to_date_is_left_alone(checkout):
    (checkout / ".venv").mkdir()
    time.sleep(0.05)
    (checkout / ".venv/ready").touch()
    assert "install.py" not in make(checkout, "--dry-run", "lab").stdout
    time.sleep(0.05)
    (checkout / "requirements.lock").touch()
    assert "install.py" in make(checkout, "--dry-run", "lab").stdout


@pytest.mark.thorough
@posix
@pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv", reason="measures `make lab` in the environment make made"
)
def test_the_second_make_lab_takes_5_seconds_of_the_processor(tmp_path, unmeasured):
    config = {"ServerApp": {"open_browser": False}}
    (tmp_path / "jupyter_server_config.json").write_text(json.dumps(config))
    runtime = tmp_path / "runtime"
    environment = unmeasured | {
        "JUPYTER_CONFIG_DIR": str(tmp_path),
        "JUPYTER_RUNTIME_DIR": str(runtime),
    }
    assert _to_jupyterlab(environment, runtime, tmp_path) < 5


def _to_jupyterlab(environment: dict[str, str], runtime: Path, folder: Path) -> float:
    """Start ``make lab``, end it once its server is up; seconds of the processor."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["make", "lab"], cwd=ROOT, env=environment, stdout=log, stderr=log, process_group=0
        )
    try:
        # Written when the server listens; or it has gone.
        wait_until(lambda: list(runtime.glob("jpserver-*.json")) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        made = psutil.Process(process.pid)
        times = [part.cpu_times() for part in [made, *made.children(recursive=True)]]
        return sum(t.user + t.system + t.children_user + t.children_system for t in times)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
        for left in runtime.glob("jpserver-*"):
            left.unlink()
