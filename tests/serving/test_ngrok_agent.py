"""flask-ngrok opens its tunnels with an agent that may be run, or with our own."""

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from flask import Flask

from course_utils.serving import launch, ngrok_agent, run_with_ngrok, tunnels
from tests.support import ROOT
from tests.support.tunnels import EXECUTABLE, NOTHING_OF_THE_MACHINE, STANDINS, TOKEN, get

pytestmark = NOTHING_OF_THE_MACHINE


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


def test_without_a_token_flask_ngrok_is_not_even_tried(app, capsys, tmp_path):
    run_with_ngrok(app)
    server = app.run()
    assert server.public_url is None
    assert get(server.url) == "Hello World!"
    printed = capsys.readouterr().out
    assert "1. Make a free account at https://ngrok.com." in printed
    assert "Running on" not in printed
    assert not list(tmp_path.iterdir())


def test_flask_ngrok_leaves_a_running_agent_alone(app, agent):
    run_with_ngrok(app)
    with app.run() as server:
        assert get(server.public_url) == "Hello World!"


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
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60
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
        ("exec sleep 60", "listed none within"),
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
    print(requests.get(server.public_url, timeout=60).text)
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
            timeout=60,
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
