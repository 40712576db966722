"""gunicorn as deploy/gunicorn.conf.py has it: its metrics, and what it leaves behind.

What it answers to 1,000 cars is in test_answers.py.
"""

import atexit
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest
import requests

from tests.support import ROOT
from tests.support.servers import DEPLOY
from tests.support.serving import MODEL, ask_mpg, count_requests, running
from tests.support.sigterm import sigterm_round
from tests.support.wire import exchange, head

COMMAND = [sys.executable, "-m", "tests.support.servers", "gunicorn"]
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(os.name == "nt", reason="gunicorn is for Unix"),
]


@pytest.mark.parametrize("arguments", ["", "--preload"])
def test_the_workers_share_their_metrics_and_leave_nothing(monkeypatch, arguments):
    monkeypatch.setenv("GUNICORN_CMD_ARGS", arguments)
    with running(COMMAND, workers=2) as served:
        folder = Path(tempfile.gettempdir()) / f"course-metrics-{served.process.pid}"
        assert folder.is_dir()
        for _ in range(40):
            assert ask_mpg(served.url).ok
        for _ in range(5):
            page = requests.get(f"{served.url}/metrics", timeout=60).text
            assert count_requests(page, route="/api/mpg").total() == 40
        served.terminate()
        assert served.process.wait(timeout=60) == 0
        assert not folder.exists()
        assert "Traceback" not in served.said()


def test_a_server_that_does_not_start_leaves_nothing(tmp_path):
    command = [str(Path(sys.executable).with_name("gunicorn")), "--check-config", "--config"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "COURSE_MODEL": str(MODEL)}
    environment["PYTHONPATH"] = os.pathsep.join([str(DEPLOY), str(ROOT)])
    subprocess.run([*command, str(DEPLOY / "gunicorn.conf.py")], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_old_numbers_of_a_server_with_its_pid_are_gone(monkeypatch, tmp_path):
    """In a container each server has the same; SIGHUP reads the configuration again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(atexit, "register", lambda function: function)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    number = tmp_path / f"course-metrics-{os.getpid()}" / "counter_9.db"
    number.parent.mkdir()
    number.touch()
    runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))
    assert not number.exists()
    number.touch()
    runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))
    assert number.exists()


def test_what_it_has_begun_it_answers_before_it_ends():
    found = sigterm_round([*COMMAND, "--slow"])
    assert found.answered > 10
    assert found.lost == []
    assert found.exit_code == 0


def test_no_path_breaks_the_log():
    """A JSON object a request, whatever was asked for."""
    paths = ['/%0A{"service":"other"}', "/%5C%22", '/"\\', "/caf%C3%A9", "/%FF"]
    with running(COMMAND) as served:
        for path in paths:
            assert exchange(served.address, head("GET", f"{path}?q", {})).status == 404
        served.terminate()
        served.process.wait(timeout=60)
        logged = [line["path"] for line in served.log() if line["status"] == 404]
    assert sorted(logged) == sorted(map(unquote, paths))  # the workers' lines may change places
