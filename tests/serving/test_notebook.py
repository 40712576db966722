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
def busy_port():
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_it_answers_while_the_cell_goes_on(capsys, free_port):
    with launch(make_app(), port=free_port) as server:
        assert get(server.url) == "Hello World!"
        assert server.url == f"http://127.0.0.1:{free_port}"
        assert server.port == free_port
        assert server.public_url is None
    printed = capsys.readouterr().out
    assert printed == f"Serving hello at {server.url} - server.stop() ends it.\n"


def test_requests_are_answered_side_by_side(free_port):
    with launch(make_app(), port=free_port) as server:
        kwargs = {"data": "3", "timeout": 60}  # it takes three seconds
        slow = threading.Thread(target=requests.post, args=(server.url + "/slow",), kwargs=kwargs)
        slow.start()
        assert get(server.url) == "Hello World!"
        assert slow.is_alive(), "the second request was answered after the first one"
        slow.join()


@pytest.mark.thorough
def test_a_cell_run_a_hundred_times_leaves_nothing_behind(free_port):
    get_threads = threading.active_count
    process = psutil.Process()
    before = get_threads(), listening(), process.children(), process.num_fds()
    for number in range(100):
        server = launch(make_app(text=str(number)), port=free_port)
        assert server.port == free_port
        assert get(server.url) == str(number)
    assert listening() - before[1] == {free_port}
    server.stop()
    deadline = time.monotonic() + 5  # the thread of the last answer may still be closing
    while get_threads() > before[0] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (get_threads(), listening(), process.children(), process.num_fds()) == before


def test_a_busy_port_is_left_to_its_owner(capsys, busy_port):
    with launch(make_app(), port=busy_port) as server:
        assert server.port != busy_port
        assert get(server.url) == "Hello World!"
        assert f"(port {busy_port} is taken)" in capsys.readouterr().out
        with launch(make_app(text="again"), port=busy_port) as replaced:
            assert replaced.port == server.port  # links already handed out stay right
            assert get(replaced.url) == "again"


def test_two_apps_at_once(free_port):
    with (
        launch(make_app("one", "1"), port=free_port) as one,
        launch(make_app("two", "2"), port=free_port) as two,
    ):
        assert one.port == free_port != two.port
        assert [get(one.url), get(two.url)] == ["1", "2"]


def test_the_default_port_is_flasks(capsys):
    with launch(make_app()) as server:
        taken = " (port 5000 is taken)" in capsys.readouterr().out
        assert taken == (server.port != 5000)


def test_any_free_port_on_request(capsys):
    with launch(make_app(), port=0) as server:
        assert get(server.url) == "Hello World!"
    assert "taken" not in capsys.readouterr().out


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(ValueError, match="ports are numbers from 1 to 65535"):
        launch(make_app(), port=port)


def test_stop_twice_from_two_threads(free_port):
    server = launch(make_app(), port=free_port)
    others = [threading.Thread(target=server.stop) for _ in range(3)]
    for other in others:
        other.start()
    server.stop()
    for other in others:
        other.join(5)
        assert not other.is_alive()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        get(server.url)
    assert free_port not in listening()


def test_an_old_server_stopped_late_leaves_the_new_one_alone(free_port):
    old = launch(make_app(text="old"), port=free_port)
    with launch(make_app(text="new"), port=free_port) as new:
        old.stop()
        assert get(new.url) == "new"


def test_many_threads_launching_one_app_leave_one_server(free_port):
    servers = []
    threads = [
        threading.Thread(target=lambda: servers.append(launch(make_app(), port=free_port)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(servers) == 8
    assert (
        sum(server.public_url is None and "stopped" not in repr(server) for server in servers) == 1
    )
    assert get(f"http://127.0.0.1:{free_port}") == "Hello World!"
    for server in servers:
        server.stop()
    assert free_port not in listening()


def test_requests_leave_no_line_in_the_cell(capfd, free_port):
    with launch(make_app(), port=free_port) as server:
        capfd.readouterr()
        get(server.url)
        get(server.url + "/missing")
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"no HTTP at all\r\n\r\n")
            assert client.recv(1000)
        assert capfd.readouterr() == ("", "")


def test_an_error_in_the_app_still_shows(capfd, caplog, free_port):
    with launch(make_app(), port=free_port) as server:
        assert requests.get(server.url + "/broken", timeout=60).status_code == 500
    assert "as asked" in caplog.text + capfd.readouterr().err


def test_a_silent_client_loses_its_thread(free_port, monkeypatch):
    monkeypatch.setattr("course_utils.serving.notebook._QuietHandler.timeout", 0.2)
    with (
        launch(make_app(), port=free_port) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as client,
    ):
        assert client.recv(1) == b""


def test_it_shows_as_a_link(free_port):
    server = launch(make_app("tests.<b>"), port=free_port)
    assert f'<a href="{server.url}" target="_blank">{server.url}</a>' in server._repr_html_()
    assert "&lt;b&gt;: " in server._repr_html_()
    assert repr(server) == f"<Server <b>: {server.url}>"
    server.stop()
    assert "href" not in server._repr_html_()
    assert repr(server) == "<Server <b>: stopped>"


def test_a_page_shows_below_a_cell_and_leaves_a_link(free_port):
    InteractiveShell.instance()  # what a notebook's cells run in
    with launch(make_app("tests.<b>"), port=free_port) as server, capture_output() as captured:
        server.show("/docs?a=1&b=2", height=300)
    InteractiveShell.clear_instance()
    (shown,) = captured.outputs
    address = f"{server.url}/docs?a=1&amp;b=2"
    assert f'<iframe src="{address}" title="&lt;b&gt;"' in shown.data["text/html"]
    assert 'height="300"' in shown.data["text/html"]
    assert f'<a href="{address}"' in shown.data["text/html"]
    assert shown.data["text/plain"] == f"{server.url}/docs?a=1&b=2"


def test_any_wsgi_callable_and_a_notebooks_own_app(capsys, free_port):
    def greet(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"plain WSGI"]

    own = make_app()
    own.name = "__main__"
    with launch(greet, port=free_port) as server, launch(own, port=free_port) as app:
        assert get(server.url) == "plain WSGI"
        assert (server.name, app.name) == ("greet", "app")


def test_python_ends_quietly_with_servers_running(free_port):
    program = f"""
import sys
from course_utils.serving import launch
from flask import Flask
assert "tensorflow" not in sys.modules
server = launch(Flask("last"), port={free_port})
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"Serving last at http://127\.0\.0\.1:\d+ - .*\n", done.stdout)


def test_importing_the_package_loads_no_web_server():
    program = (
        "import sys, course_utils; "
        "print(sorted({'flask', 'werkzeug', 'tensorflow', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"
