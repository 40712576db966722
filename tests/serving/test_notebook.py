"""Apps behind a cell: real servers, real sockets."""

import re
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest
import requests
from flask import Flask, request
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from course_utils.serving import launch
from tests.support.serving import free_port, wait_until


def make_app(name="tests.hello", text="Hello World!"):
    app = Flask(name, static_folder=None)

    @app.get("/")
    def hello():
        return text

    @app.get("/broken")
    def broken():
        raise RuntimeError("as asked")

    @app.post("/slow")
    def slow():
        time.sleep(float(request.data))
        return "awake"

    return app


def get(url):
    return requests.get(url, timeout=60).text


def listening():
    return {
        connection.laddr.port
        for connection in psutil.Process().net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.fixture
def port():
    """A port that is free."""
    return free_port()


@pytest.fixture
def server(port):
    with launch(make_app(), port=port) as server:
        yield server


def test_it_answers_while_the_cell_goes_on(capsys, port):
    with launch(make_app(), port=port) as server:
        assert get(server.url) == "Hello World!"
        assert (server.url, server.port) == (f"http://127.0.0.1:{port}", port)
        assert server.public_url is None
    printed = capsys.readouterr().out
    assert printed == f"Serving hello at {server.url} - server.stop() ends it.\n"
    server.stop()  # a second time
    with pytest.raises(requests.ConnectionError):
        get(server.url)
    assert port not in listening()


def test_requests_are_answered_side_by_side(server):
    kwargs = {"data": "3", "timeout": 60}  # it takes three seconds
    slow = threading.Thread(target=requests.post, args=(server.url + "/slow",), kwargs=kwargs)
    slow.start()
    assert get(server.url) == "Hello World!"
    assert slow.is_alive(), "the second request was answered after the first one"
    slow.join()


@pytest.mark.thorough
def test_a_cell_run_a_hundred_times_leaves_nothing_behind(port):
    process = psutil.Process()

    def resources():
        return threading.active_count(), len(process.children()), process.num_fds()

    get_first = launch(make_app("first"), port=0)  # what the first request imports stays open
    get(get_first.url)
    get_first.stop()
    before, ports = resources(), listening()
    for number in range(100):
        server = launch(make_app(text=str(number)), port=port)
        assert server.port == port
        assert get(server.url) == str(number)
    assert listening() - ports == {port}
    server.stop()
    # There may be less, what has closed meanwhile; the last answer's thread may still be closing.
    wait_until(lambda: all(now <= then for now, then in zip(resources(), before, strict=True)))
    assert listening() <= ports


def test_a_busy_port_is_left_to_its_owner(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = other.getsockname()[1]
        with launch(make_app(), port=busy) as server:
            assert server.port != busy
            assert get(server.url) == "Hello World!"
            assert f"(port {busy} is taken)" in capsys.readouterr().out
            with launch(make_app(text="again"), port=busy) as replaced:
                assert replaced.port == server.port  # links already handed out stay right
                assert get(replaced.url) == "again"


def test_the_default_port_is_flasks(capsys):
    with launch(make_app()) as server:
        taken = " (port 5000 is taken)" in capsys.readouterr().out
        assert taken == (server.port != 5000)


def test_an_old_server_stopped_late_leaves_the_new_one_alone(port):
    old = launch(make_app(text="old"), port=port)
    with launch(make_app(text="new"), port=port) as new:
        old.stop()
        assert get(new.url) == "new"
        with launch(make_app("another"), port=port) as another, launch(make_app(), port=port) as it:
            assert another.port != port  # another app does not take the place
            assert it.port == port
            assert get(it.url) == "Hello World!"


def test_requests_leave_no_line_in_the_cell(capfd, server):
    capfd.readouterr()
    get(server.url)
    get(server.url + "/missing")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"no HTTP at all\r\n\r\n")
        assert client.recv(1000)
    assert capfd.readouterr() == ("", "")


def test_an_error_in_the_app_still_shows(capfd, caplog, server):
    assert requests.get(server.url + "/broken", timeout=60).status_code == 500
    assert "as asked" in caplog.text + capfd.readouterr().err


def test_a_silent_client_loses_its_thread(server, monkeypatch):
    monkeypatch.setattr("course_utils.serving.notebook._QuietHandler.timeout", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        assert client.recv(1) == b""


def test_it_says_where_it_is_and_when_it_has_stopped(port):
    server = launch(make_app("tests.b"), port=port)
    assert repr(server) == f"<Server b: {server.url}>"
    server.stop()
    assert repr(server) == "<Server b: stopped>"


def test_a_page_shows_below_a_cell_and_leaves_a_link(port):
    InteractiveShell.instance()  # what a notebook's cells run in
    with launch(make_app("tests.<b>"), port=port) as server, capture_output() as captured:
        server.show("/docs?a=1&b=2", height=300)
    InteractiveShell.clear_instance()
    (shown,) = captured.outputs
    address = f"{server.url}/docs?a=1&amp;b=2"
    assert f'<iframe src="{address}" title="&lt;b&gt;"' in shown.data["text/html"]
    assert 'height="300"' in shown.data["text/html"]
    assert f'<a href="{address}"' in shown.data["text/html"]
    assert shown.data["text/plain"] == f"{server.url}/docs?a=1&b=2"


def test_any_wsgi_callable_and_a_notebooks_own_app(port):
    def greet(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"plain WSGI"]

    own = make_app()
    own.name = "__main__"
    with launch(greet, port=port) as server, launch(own, port=port) as app:
        assert get(server.url) == "plain WSGI"
        assert (server.name, app.name) == ("greet", "app")


def test_python_ends_quietly_with_servers_running(port):
    program = f"""
import sys
from course_utils.serving import launch
from flask import Flask
assert "tensorflow" not in sys.modules
server = launch(Flask("last"), port={port})
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"Serving last at http://127\.0\.0\.1:\d+ - .*\n", done.stdout)
