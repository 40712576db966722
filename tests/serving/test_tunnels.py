"""Tunnels: the real SDK without a network, stand-ins where one would be needed."""

import asyncio
import importlib
import socket
import sys
import threading
import warnings

import pytest
from flask import Flask

from course_utils.serving import launch, run_with_ngrok, tunnels
from course_utils.serving import notebook as launching
from tests.support.tunnels import NOTHING_OF_THE_MACHINE, STANDINS, TOKEN, get

pytestmark = NOTHING_OF_THE_MACHINE


@pytest.fixture
def colab(monkeypatch):
    monkeypatch.syspath_prepend(STANDINS / "colab")
    yield importlib.import_module("google.colab")
    for name in [name for name in sys.modules if name.startswith("google.colab")]:
        del sys.modules[name]
    del sys.modules["google"].colab


# --- no token -------------------------------------------------------------------------------


def test_without_a_token_the_three_steps_are_printed(app, capsys):
    with launch(app, public=True) as server:
        assert server.public_url is None
        assert get(server.url) == "Hello World!"
    printed = capsys.readouterr().out
    assert "NGROK_AUTHTOKEN is not set" in printed
    assert [f"  {step}. " in printed for step in (1, 2, 3)] == [True] * 3


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
