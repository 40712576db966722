"""Stand-ins for what opens tunnels, and an app to be reached through one.

Port 4040, where ngrok's agent lists its tunnels, is fixed: `scheduling` keeps the tests that use it
apart. They find neither a token nor an agent of the machine's own.
"""

import importlib
import os
import sys
import tempfile
from pathlib import Path

import pytest
import requests
from flask import Flask

from course_utils.serving import notebook as launching
from course_utils.serving import tunnels
from tests.support import ROOT
from tests.support.standins.ngrok_agent import Agent

STANDINS = ROOT / "tests" / "support" / "standins"
TOKEN = "2secret0token0of0nobody"
EXECUTABLE = "ngrok.exe" if os.name == "nt" else "ngrok"
NOTHING_OF_THE_MACHINE = pytest.mark.usefixtures("neither_token_nor_agent")


@pytest.fixture
def neither_token_nor_agent(monkeypatch, tmp_path):
    """What the machine has of its own stays out of the tests."""
    if tunnels.agent_tunnels() is not None:
        pytest.skip("an ngrok agent runs on this machine")
    monkeypatch.delenv(tunnels.TOKEN, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders = os.environ["PATH"].split(os.pathsep)
    without = [folder for folder in folders if not Path(folder, EXECUTABLE).exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(without))


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv(tunnels.TOKEN, f" {TOKEN}\n")
    return TOKEN


@pytest.fixture
def sdk(monkeypatch):
    """The SDK's stand-in, here and in processes started from here."""
    monkeypatch.setenv("PYTHONPATH", str(STANDINS / "sdk"))
    monkeypatch.delitem(sys.modules, "ngrok", raising=False)
    monkeypatch.syspath_prepend(STANDINS / "sdk")
    standin = importlib.import_module("ngrok")
    yield standin
    assert standin.listeners == {}, "a tunnel was left open"
    del sys.modules["ngrok"]


@pytest.fixture
def agent():
    with Agent() as running:
        yield running
        assert running.tunnels == {}, "a tunnel was left open"


@pytest.fixture
def app():
    app = Flask("tests.hello", static_folder=None)

    @app.get("/")
    def hello():
        return "Hello World!"

    yield app
    launching._stop_all()


def get(url):
    return requests.get(url, timeout=60).text
