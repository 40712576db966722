"""gunicorn as deploy/gunicorn.conf.py has it: its metrics, and what it leaves behind.

What it answers to 1,000 cars is in test_answers.py.
"""

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest
import requests

from tests.support.serving import ask_mpg, count_requests, running
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
