"""Tunnels: the real SDK without a network, stand-ins where one would be needed.

Port 4040, where ngrok's agent lists its tunnels, is fixed: these tests stay in one file, so that
they never run side by side.
"""

import asyncio
import importlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import pytest
import requests
from flask import Flask

from course_utils.serving import launch, ngrok_agent, run_with_ngrok, tunnels
from course_utils.serving import notebook as launching
from tests.support import ROOT
from tests.support.standins.ngrok_agent import Agent

STANDINS = ROOT / "tests" / "support" / "standins"
TOKEN = "2secret0token0of0nobody"
EXECUTABLE = "ngrok.exe" if os.name == "nt" else "ngrok"


@pytest.fixture(autouse=True)
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
def colab(monkeypatch):
    monkeypatch.syspath_prepend(STANDINS / "colab")
    yield importlib.import_module("google.colab")
    for name in [name for name in sys.modules if name.startswith("google.colab")]:
        del sys.modules[name]
    del sys.modules["google"].colab


@pytest.fixture
def app():
    app = Flask("tests.hello", static_folder=None)

    @app.get("/")
    def hello():
        return "Hello World!"

    yield app
    launching._stop_all()


def get(url):
    return requests.get(url, timeout=5).text


def install(folder, *, owner=None, mode=0o755):
    """The agent's stand-in, as an executable where flask-ngrok keeps its agent."""
    folder.mkdir(exist_ok=True)
    executable = folder / EXECUTABLE
    text = (STANDINS / "ngrok_agent.py").read_text().partition("\n")[2]
    executable.write_text(f"#!{sys.executable}\n{text}")
    executable.chmod(mode)
    if owner is not None:
        os.chown(executable, owner, -1)
    return executable


# --- no token -------------------------------------------------------------------------------


def test_without_a_token_the_three_steps_are_printed(app, capsys):
    with launch(app, public=True) as server:
        assert server.public_url is None
        assert get(server.url) == "Hello World!"
    printed = capsys.readouterr().out
    assert "NGROK_AUTHTOKEN is not set" in printed
    assert [f"  {step}. " in printed for step in (1, 2, 3)] == [True] * 3


def test_without_a_token_flask_ngrok_is_not_even_tried(app, capsys, tmp_path):
    run_with_ngrok(app)
    server = app.run()
    assert server.public_url is None
    assert get(server.url) == "Hello World!"
    printed = capsys.readouterr().out
    assert "1. Make a free account at https://ngrok.com." in printed
    assert "Running on" not in printed
    assert not list(tmp_path.iterdir())


# --- the SDK --------------------------------------------------------------------------------


def check_failure(app, token, capsys, start):
    with pytest.warns(UserWarning, match="ngrok could not open a tunnel") as caught:
        server = start()
    text = str(caught[0].message) + "".join(capsys.readouterr())
    assert token not in text
    assert "attribute" not in text  # a task, as a running loop gets it, has no url
    assert "run this cell again" in text
    assert "NGROK_AUTHTOKEN" in text
    assert f"The service itself runs: {server.url}" in text
    assert server.public_url is None
    assert get(server.url) == "Hello World!"
    assert caught[0].filename == __file__  # the line to blame is the learner's
    server.stop()


def test_the_real_sdk_fails_kindly(app, token, capsys):
    check_failure(app, token, capsys, lambda: launch(app, public=True))


def test_the_real_sdk_fails_as_kindly_beside_a_notebooks_event_loop(app, token, capsys):
    async def cell():
        check_failure(app, token, capsys, lambda: launch(app, public=True))

    asyncio.run(cell())


def test_the_sdk_opens_and_closes_a_tunnel(app, token, sdk, capsys):
    async def cell():  # in a notebook a loop is running
        server = launch(app, public=True)
        assert get(server.public_url) == "Hello World!"
        assert server.public_url in server._repr_html_()
        replaced = launch(app, public=True)
        assert len(sdk.listeners) == 1
        assert get(replaced.public_url) == "Hello World!"
        replaced.stop()

    asyncio.run(cell())
    printed = capsys.readouterr().out
    assert "opened by the ngrok SDK." in printed
    assert token not in printed


def test_a_refused_token_is_not_repeated(app, sdk, monkeypatch, capsys):
    monkeypatch.setenv(tunnels.TOKEN, "refused" + TOKEN)
    with pytest.warns(UserWarning, match="ERR_NGROK_105") as caught:
        launch(app, public=True)
    assert TOKEN not in str(caught[0].message) + "".join(capsys.readouterr())
    assert "Your authtoken: (your token)" in str(caught[0].message)


def test_a_network_that_never_answers_is_given_up(app, token, sdk, monkeypatch):
    monkeypatch.setattr(tunnels, "PATIENCE", 0.2)
    monkeypatch.setattr(sdk, "delay", 0.6)
    with pytest.warns(UserWarning, match="did not answer within"):
        server = launch(app, public=True)
    assert get(server.url) == "Hello World!"
    for thread in threading.enumerate():
        if thread.name == "ngrok":
            thread.join(5)
    assert len(sdk.opened) == 1  # late,
    assert sdk.listeners == {}  # and closed at once: nobody was told its address


def test_a_server_stopped_meanwhile_closes_its_tunnel(app):
    closed = []
    server = launch(app)
    server.stop()
    server._publish(tunnels.Tunnel("https://late.example", "hand", lambda: closed.append(True)))
    assert closed == [True]
    assert server.public_url is None


# --- an agent that runs already ---------------------------------------------------------------


def test_a_running_agent_is_asked(app, agent, capsys, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # must not be asked for this machine
    with launch(app, public=True) as server:
        monkeypatch.delenv("http_proxy")
        assert get(server.public_url) == "Hello World!"
        assert server.public_url != server.url
        assert "opened by the ngrok agent that runs on this machine" in capsys.readouterr().out
        assert len(agent.tunnels) == 1
    assert agent.tunnels == {}


def test_a_running_agent_is_the_second_way(app, token, agent):
    with launch(app, public=True) as server:  # the real SDK fails here
        assert get(server.public_url) == "Hello World!"


def test_an_agent_that_refuses(app, agent):
    agent.failure = "ERR_NGROK_334: this address is in use"
    with pytest.warns(UserWarning, match=r"answered 502: .*ERR_NGROK_334.*run this cell again"):
        server = launch(app, public=True)
    assert get(server.url) == "Hello World!"


def test_something_else_on_the_agents_port(app, capsys):
    with socket.create_server(tunnels.AGENT):
        pass  # the port can be had
    other = Flask("other", static_folder=None)
    other.get("/api/tunnels")(lambda: {"tunnels": None})
    with launch(other, port=tunnels.AGENT[1]):
        launch(app, public=True)
    assert "three steps" in capsys.readouterr().out


def test_flask_ngrok_leaves_a_running_agent_alone(app, agent):
    run_with_ngrok(app)
    with app.run() as server:
        assert get(server.public_url) == "Hello World!"


# --- flask-ngrok ------------------------------------------------------------------------------


def test_flask_ngrok_with_an_agent_where_it_looks(app, tmp_path, capsys):
    # As flask-ngrok's own chmod would have left it: no one but root may run it.
    executable = install(tmp_path / "ngrok", mode=0o1411)
    taken = launch(Flask("another"))  # so that port 5000 is not ours
    run_with_ngrok(app)
    for _ in range(2):  # the cell again
        server = app.run("0.0.0.0", debug=True)
        assert server.url.startswith("http://127.0.0.1:")
        assert server.port != 5000
        assert get(server.public_url) == "Hello World!"
        printed = capsys.readouterr().out
        assert f" * Running on {server.public_url}\n" in printed
        assert f"opened by flask-ngrok with {executable}." in printed
    server.stop()
    taken.stop()
    assert tunnels.agent_tunnels() is None


def test_flask_ngrok_with_an_agent_on_the_path(app, tmp_path, monkeypatch, capsys):
    executable = install(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(executable.parent), prepend=os.pathsep)
    run_with_ngrok(app)
    with app.run() as server:
        assert get(server.public_url) == "Hello World!"
        assert str(executable) in capsys.readouterr().out


def test_flask_ngrok_with_our_own_agent(app, token, sdk, tmp_path, capsys):
    run_with_ngrok(app)
    with app.run() as server:
        assert get(server.public_url) == "Hello World!"
        assert "flask-ngrok with the ngrok SDK" in capsys.readouterr().out
    assert tunnels.agent_tunnels() is None
    assert not list(tmp_path.iterdir())  # nothing is left in the shared temp folder


def test_our_own_agent_ends_with_the_python_that_started_it(token, sdk):
    program = """
import os
from course_utils.serving import run_with_ngrok
from flask import Flask
app = Flask("last")
run_with_ngrok(app)
print(app.run().public_url)
os._exit(9)  # as when a kernel is killed
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=30
    )
    assert done.returncode == 9, done.stderr
    deadline = time.monotonic() + 5
    while tunnels.agent_tunnels() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert tunnels.agent_tunnels() is None


def test_flask_ngrok_and_the_real_sdk_offline(app, token, capfd):
    run_with_ngrok(app)
    with pytest.warns(UserWarning, match=r"flask-ngrok opened no tunnel: ngrok could") as caught:
        server = app.run()
    assert get(server.url) == "Hello World!"
    assert "run this cell again" in str(caught[0].message)
    assert token not in str(caught[0].message) + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (f"echo {TOKEN} ERR_NGROK_121; exit 1", r"\(your token\) ERR_NGROK_121.*delete it"),
        ("sleep 60", "listed none within"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="a shell script plays the agent")
def test_an_agent_that_fails(app, token, tmp_path, monkeypatch, program, reason):
    monkeypatch.setattr(tunnels, "PATIENCE", 0.5)
    install(tmp_path / "ngrok").write_text(f"#!/bin/sh\n{program}\n")
    run_with_ngrok(app)
    with pytest.warns(UserWarning, match=reason):
        server = app.run()
    assert get(server.url) == "Hello World!"


@pytest.mark.skipif(os.name == "nt", reason="a shell script plays the agent")
def test_an_agent_that_does_not_end_when_asked_is_ended(monkeypatch):
    stubborn = subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"], stdout=subprocess.PIPE
    )
    stubborn.stdout.readline()
    wait = stubborn.wait
    monkeypatch.setattr(stubborn, "wait", lambda timeout=None: wait(timeout and 0.2))
    ngrok_agent._end(stubborn)
    stubborn.stdout.close()
    assert stubborn.returncode == -9


@pytest.mark.skipif(os.name == "nt", reason="on Windows each user has a temp folder")
def test_an_agent_that_others_may_change_is_not_run(app, tmp_path, capsys):
    install(tmp_path / "ngrok", mode=0o757)
    run_with_ngrok(app)
    with pytest.warns(UserWarning, match="others may change it, so it is not run"):
        server = app.run()
    assert server.public_url is None
    assert "three steps" in capsys.readouterr().out


@pytest.mark.skipif(
    getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can give files away"
)
@pytest.mark.parametrize("whose", ["folder", "file"])
def test_an_agent_of_another_user_is_not_run(app, token, sdk, tmp_path, whose):
    executable = install(tmp_path / "ngrok", owner=65534)
    if whose == "folder":
        os.chown(executable, 0, -1)
        os.chown(executable.parent, 65534, -1)
    run_with_ngrok(app)
    with pytest.warns(UserWarning, match=f"{executable} belongs to another user"):
        server = app.run()
    assert get(server.public_url) == "Hello World!"  # by the next way
    server.stop()


ORDINARY = """
import os, sys, requests
assert os.getuid() != 0
from course_utils.serving import run_with_ngrok
from flask import Flask
app = Flask("hello")
app.get("/")(lambda: "Hello World!")
run_with_ngrok(app)
with app.run() as server:
    print(requests.get(server.public_url, timeout=5).text)
"""


@pytest.mark.skipif(
    getattr(os, "geteuid", lambda: 1)() != 0, reason="the other tests are that test"
)
@pytest.mark.parametrize("way", ["where flask-ngrok looks", "our own agent"])
def test_flask_ngrok_for_a_user_who_is_not_root(way):
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        environment = {"TMPDIR": str(folder), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
        source = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
        if way == "our own agent":
            environment[tunnels.TOKEN] = TOKEN
            source.insert(0, str(STANDINS / "sdk"))
        else:
            executable = install(folder / "ngrok")
            text = executable.read_text().partition("\n")[2]
            executable.write_text(f"#!/usr/bin/env python3\n{text}")
            os.chown(folder / "ngrok", 65534, 65534)
            os.chown(executable, 65534, 65534)
        os.chown(folder, 65534, 65534)
        environment["PYTHONPATH"] = os.pathsep.join(source)
        python = ordinary_python(environment)
        done = subprocess.run(
            [python, "-c", ORDINARY],
            user=65534,
            group=65534,
            extra_groups=[],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=40,
        )
        assert done.stderr == ""
        assert done.stdout.endswith("Hello World!\n")
        assert " * Running on http://127.0.0.1:" in done.stdout
    finally:
        shutil.rmtree(folder)


def ordinary_python(environment):
    """A Python of our version that the user nobody may run, with our packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            ran = subprocess.run(
                [python, "-c", "import course_utils.serving.notebook"],
                user=65534,
                group=65534,
                extra_groups=[],
                env=environment,
                cwd="/",
                capture_output=True,
            )
        except OSError:
            continue
        if ran.returncode == 0:
            return python
    pytest.skip(f"no {version} that another user may run, with the course's packages, is here")


def test_our_own_agent_as_a_command(app, token, sdk, monkeypatch):
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(os.fdopen(reading, "rb")))
    with launch(app) as server:
        agent = threading.Thread(target=ngrok_agent.main, args=(["http", str(server.port)],))
        agent.start()
        while not (listed := tunnels.agent_tunnels()):
            time.sleep(0.02)
        assert get(listed[0]["public_url"]) == "Hello World!"
        os.close(writing)
        agent.join(5)
        assert not agent.is_alive()
    sys.stdin.close()


def test_our_own_agent_needs_a_token_and_its_port(sdk, monkeypatch):
    with pytest.raises(SystemExit, match="NGROK_AUTHTOKEN is not set"):
        ngrok_agent.main(["http", "5000"])
    monkeypatch.setenv(tunnels.TOKEN, TOKEN)
    with socket.create_server(tunnels.AGENT), pytest.raises(SystemExit, match="port 4040"):
        ngrok_agent.main(["http", "5000"])


# --- Colab ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({}, "Colab's Secrets hold no NGROK_AUTHTOKEN"),
        ({"secrets": {tunnels.TOKEN: TOKEN}, "hidden": {tunnels.TOKEN}}, "switch on its notebook"),
        ({"answering": False}, "Colab did not answer"),
        ({"secrets": {tunnels.TOKEN: " "}}, "is empty"),
        ({"get": None}, "cannot be read (TypeError)"),
    ],
)
def test_in_colab_without_a_token_the_page_is_shown(app, colab, capsys, monkeypatch, state, reason):
    for name, value in state.items():
        monkeypatch.setattr(colab.userdata, name, value)
    with launch(app, public=True) as server:
        assert server.public_url is None
        assert colab.output.calls == [server.port]
    printed = capsys.readouterr().out
    assert reason in printed
    assert "three steps" in printed
    assert "only this browser can see it" in printed
    assert TOKEN not in printed


def test_in_colab_a_page_shows_through_its_proxy(app, colab):
    with launch(app) as server:
        server.show("/docs", height=300)
        assert colab.output.calls == [server.port]


def test_in_colab_the_secret_is_used(app, colab, sdk, monkeypatch, capsys):
    monkeypatch.setattr(colab.userdata, "secrets", {tunnels.TOKEN: TOKEN})
    for start in (lambda: launch(app, public=True), app_run(app)):
        with start() as server:
            assert get(server.public_url) == "Hello World!"
    assert colab.output.calls == []
    assert TOKEN not in capsys.readouterr().out


def app_run(app):
    run_with_ngrok(app)
    return lambda: app.run()


def test_warnings_as_errors_leave_the_service_running(app, token):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="The service itself runs"):
            launch(app, public=True)
    (server,) = launching._servers.values()
    assert get(server.url) == "Hello World!"
