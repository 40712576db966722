"""Apache with mod_wsgi, the site of deploy/ in it: its configuration, its logs, its end.

What it answers to 1,000 cars is in test_answers.py.
"""

import json
import os
import signal
import socket
import sys

import psutil
import pytest
import requests

from tests.support.serving import CAR, ask_mpg, count_requests, running, wait_until
from tests.support.wire import JSON_TYPE, chunked, exchange, head, post, receive

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(os.name == "nt", reason="Debian's Apache"),
    pytest.mark.registry,  # which has mod_wsgi
    pytest.mark.usefixtures("apache"),
]
BODY = json.dumps(CAR).encode()
LENGTH = str(len(BODY))
COMMAND = [sys.executable, "-m", "tests.support.servers", "apache"]


@pytest.fixture(scope="module")
def served(apache):
    with running(COMMAND, workers=2) as served:
        yield served


@pytest.fixture(scope="module", autouse=True)
def slow_client(served):
    """Begins a request at the start of this module, and does not go on."""
    with socket.create_connection(served.address, timeout=60) as connection:
        connection.sendall(b"POST /api/mpg HTTP/1.1\r\nHost: course.test\r\n")
        yield connection


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ('/%0A{"service":"o"}', '/%0A{"service":"o"}'),
        ('/"\\', '/"\\'),
        ("/%FF", "/%FF"),
        ("/café", "/caf"),  # a browser would send %C3%A9
    ],
)
def test_no_path_breaks_the_log(served, path, logged):
    """A JSON object a request, whatever was asked for."""
    before = len(served.log())
    assert exchange(served.address, head("GET", path, {})).status == 404
    wait_until(lambda: len(served.log()) > before)
    assert served.log()[-1]["path"] == logged


def test_refusals_come_through_and_the_log_has_their_ids(served):
    answer = ask_mpg(served.url, {**CAR, "cylinders": 400})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/cylinders"]
    line = served.wait_for_log(answer.headers["x-request-id"])
    assert (line["status"], line["path"], line["service"]) == (400, "/api/mpg", "mpg")
    assert line["us"] > 0


def test_bodies_in_chunks_and_bodies_too_large(served):
    assert exchange(served.address, chunked(BODY, 50)).status == 200
    large = exchange(served.address, post(b" " * 100_000))
    assert large.status == 413
    assert large.problem["errors"][0]["pointer"] == ""


def test_both_processes_are_in_the_metrics(served):
    """Whichever is asked, it knows all requests, for they share their counts."""
    before = counted(served.url)
    for _ in range(40):
        assert ask_mpg(served.url).ok
    assert {counted(served.url) for _ in range(10)} == {before + 40}


def counted(url: str) -> int:
    """Cars that the metrics say were answered."""
    page = requests.get(f"{url}/metrics", timeout=60).text
    return count_requests(page, route="/api/mpg", status="200").total()


def test_two_processes_of_their_own_load_it_at_the_start(served):
    """Named, so that `ps` tells them from Apache's; nothing was asked before /readyz."""
    names = [each.cmdline()[0] for each in psutil.Process(served.process.pid).children()]
    assert sum(name.startswith("(wsgi:networks-at") for name in names) == 2, names


def test_a_graceful_stop_answers_what_is_in_flight():
    """`systemctl stop apache2` is one: SIGWINCH."""
    with running([*COMMAND, "--slow"], workers=2) as served:
        request = head("POST", "/api/mpg", {**JSON_TYPE, "X-Tag": "last", "Content-Length": LENGTH})
        with socket.create_connection(served.address, timeout=60) as connection:
            connection.sendall(request + BODY)
            assert wait_until(lambda: '"last"' in served.text())
            served.process.send_signal(signal.SIGWINCH)
            assert receive(connection).status == 200
        assert served.process.wait(timeout=60) == 0


def test_who_sends_slowly_is_sent_away(slow_client):
    """Its thread is free again after ten seconds, and not kept for ever."""
    assert receive(slow_client).status == 408
