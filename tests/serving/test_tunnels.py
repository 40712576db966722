"""Tunnels: the real SDK without a network, a stand-in where one would be needed."""

import asyncio
import importlib
import inspect
import os
import re
import signal
import subprocess
import sys
import threading

import flask_ngrok
import pytest
import requests
from flask import Flask
from IPython.core.interactiveshell import InteractiveShell

from course_utils.serving import launch, run_with_ngrok, tunnels
from course_utils.serving import notebook as launching
from tests.support import ROOT, leftovers
from tests.support.serving import free_port, wait_until

STANDINS = ROOT / "tests" / "support" / "standins"
TOKEN = "2secret0token0of0nobody"


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    """The token that this machine may have stays out of the tests."""
    monkeypatch.delenv(tunnels.TOKEN_NAME, raising=False)


@pytest.fixture
def token(no_token, monkeypatch):
    monkeypatch.setenv(tunnels.TOKEN_NAME, f" {TOKEN}\n")
    return TOKEN


@pytest.fixture
def sdk(monkeypatch):
    """The SDK's stand-in, as the module ``ngrok``."""
    monkeypatch.delitem(sys.modules, "ngrok", raising=False)
    monkeypatch.syspath_prepend(STANDINS / "sdk")
    standin = importlib.import_module("ngrok")
    yield standin
    assert standin.listeners == [], "a tunnel was left open"
    del sys.modules["ngrok"]


@pytest.fixture
def colab(monkeypatch):
    monkeypatch.syspath_prepend(STANDINS / "colab")
    yield importlib.import_module("google.colab")
    for name in [name for name in sys.modules if name.startswith("google.colab")]:
        del sys.modules[name]
    del sys.modules["google"].colab


@pytest.fixture(autouse=True)
def notebook():
    """What a notebook's cells run in."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def make_app(name):
    app = Flask(f"tests.{name}", static_folder=None)

    @app.get("/")
    def hello():
        return "Hello World!"

    return app


@pytest.fixture
def app():
    yield make_app("hello")
    launching._stop_all()


def get(url):
    return requests.get(url, timeout=60).text


def launch_public(app):
    return launch(app, public=True)


def run_as_flask_ngrok_does(app):
    run_with_ngrok(app)
    return app.run("0.0.0.0", debug=True)


both_ways = pytest.mark.parametrize("start", [launch_public, run_as_flask_ngrok_does])


@both_ways
def test_without_a_token_the_three_steps_are_printed(app, capsys, start):
    with start(app) as server:
        assert server.public_url is None
        assert get(server.url) == "Hello World!"
    printed = capsys.readouterr().out
    assert "NGROK_AUTHTOKEN is not set" in printed
    assert [f"  {step}. " in printed for step in (1, 2, 3)] == [True] * 3


@both_ways
@pytest.mark.parametrize("in_event_loop", [False, True])  # a notebook's cells run in one
def test_the_real_sdk_offline_is_a_warning(app, token, capfd, start, in_event_loop):
    async def run_cell():
        return start(app)

    with pytest.warns(UserWarning, match="ngrok could not open a tunnel") as caught:
        server = asyncio.run(run_cell()) if in_event_loop else start(app)
    text = str(caught[0].message)
    assert token not in text + "".join(capfd.readouterr())
    assert "attribute" not in text  # a task, as a running loop gets it, has no url
    assert "run this cell again" in text
    assert "NGROK_AUTHTOKEN" in text
    assert f"The service itself runs: {server.url}" in text
    assert server.public_url is None
    assert get(server.url) == "Hello World!"
    assert caught[0].filename == __file__  # the line to blame is the learner's


@both_ways
def test_the_sdk_opens_and_closes_a_tunnel(app, token, sdk, capsys, start):
    async def run_cell():
        server = start(app)
        assert get(server.public_url) == "Hello World!"
        replaced = start(app)
        assert len(sdk.listeners) == 1
        assert get(replaced.public_url) == "Hello World!"
        assert f"Public at {replaced.public_url} " in capsys.readouterr().out
        replaced.stop()

    asyncio.run(run_cell())
    assert token not in capsys.readouterr().out


@both_ways
def test_the_service_that_has_the_one_address_keeps_it(app, token, sdk, monkeypatch, start):
    monkeypatch.setattr(sdk, "one_address", True)
    first = start(app)
    with pytest.warns(UserWarning, match=f"hello has {first.public_url}: stop it") as caught:
        second = start(make_app("second"))
    assert "one address" in str(caught[0].message)
    assert second.public_url is None
    assert get(second.url) == get(first.public_url)
    second.stop()
    assert get(first.public_url) == "Hello World!"
    first.stop()
    with start(make_app("third")) as third:
        assert get(third.public_url) == "Hello World!"


@both_ways
@pytest.mark.parametrize("closed", [0, 1])
def test_a_tunnel_closed_leaves_the_others_open(app, token, sdk, start, closed):
    servers = [start(app), start(make_app("second"))]
    servers.pop(closed).stop()
    with servers[0] as left:
        assert get(left.public_url) == "Hello World!"


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_a_script_in_flask_ngroks_two_lines_serves_until_ctrl_c():
    program = f"""
from flask import Flask
from course_utils.serving import run_with_ngrok
app = Flask("script")
run_with_ngrok(app)
app.run(port={free_port()})
print("and goes on")
"""
    command = [sys.executable, "-u", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
        try:
            said = ""
            while not said.endswith("Ctrl-C ends it.\n"):
                said += (line := script.stdout.readline())
                assert line, said
            url = re.search(r"http://\S+", said)[0]
            assert requests.get(url, timeout=60).status_code == 404
            script.send_signal(signal.SIGINT)
            assert script.stdout.read() == "and goes on\n"
            assert script.wait(60) == 0
        finally:
            script.kill()


def test_another_tunnel_is_not_blamed_for_a_refused_token(app, token, sdk, monkeypatch):
    with launch(make_app("first"), public=True):
        monkeypatch.setenv(tunnels.TOKEN_NAME, "refused" + TOKEN)
        with pytest.warns(UserWarning, match="holds your own token"):
            launch(app, public=True)


def test_a_refused_token_is_not_repeated(app, sdk, monkeypatch, capsys):
    monkeypatch.setenv(tunnels.TOKEN_NAME, "refused" + TOKEN)
    with pytest.warns(UserWarning, match="ERR_NGROK_105") as caught:
        launch(app, public=True)
    assert TOKEN not in str(caught[0].message) + "".join(capsys.readouterr())
    assert "Your authtoken: (your token)" in str(caught[0].message)


def test_a_network_that_never_answers_is_given_up(app, token, sdk, monkeypatch):
    monkeypatch.setattr(tunnels, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(sdk, "delay", 0.6)
    with pytest.warns(UserWarning, match="did not answer within"):
        server = launch(app, public=True)
    assert get(server.url) == "Hello World!"
    for thread in threading.enumerate():
        if thread.name == "ngrok":
            thread.join(5)
    assert len(sdk.opened) == 1  # late,
    assert sdk.listeners == []  # and closed at once: nobody was told its address


def test_run_with_ngrok_has_flask_ngroks_signature_and_ignores_its_debugger(app):
    signatures = [inspect.signature(f) for f in (run_with_ngrok, flask_ngrok.run_with_ngrok)]
    assert [[*each.parameters] for each in signatures] == [["app"], ["app"]]
    with run_as_flask_ngrok_does(app) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert not app.debug


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({}, "NGROK_AUTHTOKEN does not exist"),
        ({"secrets": {"NGROK_AUTHTOKEN": TOKEN}, "hidden": {"NGROK_AUTHTOKEN"}}, "not have access"),
        ({"answering": False}, "timed out"),
        ({"secrets": {"NGROK_AUTHTOKEN": " "}}, "is not set"),
    ],
)
def test_in_colab_without_a_token_the_page_is_shown(app, colab, capsys, monkeypatch, state, reason):
    for name, value in state.items():
        monkeypatch.setattr(colab.userdata, name, value)
    with launch(app, public=True) as server:
        assert server.public_url is None
        server.show("/docs", height=300)
        assert colab.output.calls == [server.port] * 2
    printed = capsys.readouterr().out
    assert reason in printed
    assert "three steps" in printed
    assert "only this browser can see it" in printed
    assert TOKEN not in printed


@both_ways
def test_in_colab_the_secret_is_used(app, colab, sdk, monkeypatch, capsys, start):
    monkeypatch.setattr(colab.userdata, "secrets", {tunnels.TOKEN_NAME: TOKEN})
    with start(app) as server:
        assert get(server.public_url) == "Hello World!"
    assert colab.output.calls == []
    assert TOKEN not in capsys.readouterr().out


@pytest.fixture
def cloudflared(monkeypatch):
    """Its stand-in as the only one on the PATH."""
    folders = f"{STANDINS / 'cloudflared'}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", folders)


posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")


@posix
def test_cloudflared_opens_and_closes_a_tunnel_without_a_token(app, cloudflared, capfd):
    before = leftovers.children()
    with launch(app, public="cloudflared") as server:
        for _ in range(3):
            assert get(server.public_url) == "Hello World!"
        printed, log = capfd.readouterr()
        assert f"Public at {server.public_url} " in printed
        assert "INF" not in printed + log
        replaced = launch(app, public="cloudflared")
        assert get(replaced.public_url) == "Hello World!"
        assert len(leftovers.children() - before) == 1
        replaced.stop()
    with pytest.raises(requests.ConnectionError):
        get(replaced.public_url or "http://127.0.0.1:9")
    assert wait_until(lambda: not leftovers.children() - before)


@posix
@pytest.mark.parametrize(
    ("state", "reason"), [("offline", "no such host"), ("silent", "no connection within 0 s")]
)
def test_cloudflared_that_cannot_connect_is_a_warning(app, cloudflared, monkeypatch, state, reason):
    monkeypatch.setenv("CLOUDFLARED", state)
    if state == "silent":
        monkeypatch.setattr(tunnels, "TIMEOUT_S", 0.4)
    before = leftovers.children()
    with pytest.warns(UserWarning, match=reason) as caught:
        server = launch(app, public="cloudflared")
    assert f"The service itself runs: {server.url}" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert server.public_url is None
    assert get(server.url) == "Hello World!"
    assert wait_until(lambda: leftovers.children() == before)


def test_without_cloudflared_a_sentence_says_where_to_get_it(app, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with launch(app, public="cloudflared") as server:
        assert server.public_url is None
        assert get(server.url) == "Hello World!"
    assert "https://github.com/cloudflare/cloudflared/releases" in capsys.readouterr().out


def test_cloudflared_is_started_only_when_it_is_named(app, cloudflared, monkeypatch, capsys):
    with launch(app, public=True) as server:
        assert server.public_url is None
    assert "NGROK_AUTHTOKEN" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r'"cloudflared" or False, not .cloudflare.'):
        launch(app, public="cloudflare")
