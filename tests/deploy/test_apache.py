"""Apache with mod_wsgi, the site of deploy/ in it: its configuration, its logs, its end.

What it answers to 1,000 cars is in test_answers.py.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import psutil
import pytest
import requests

from tests.support.servers import DEPLOY, apache_configuration, search_path
from tests.support.serving import CAR, free_port, running, wait_until
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


def configtest(folder, *change: str) -> "subprocess.CompletedProcess[str]":
    """What `apachectl configtest` runs, on the site, changed if wished."""
    path = apache_configuration(folder, free_port(), DEPLOY / "wsgi.py")
    text = path.read_text("utf-8")
    if change:
        assert change[0] in text
        path.write_text(text.replace(*change), "utf-8")
    program = shutil.which("apache2", path=search_path()) or ""
    return subprocess.run(
        [program, "-t", "-f", str(path)],
        env=os.environ | {"APACHE_LOG_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_site_is_well_formed(tmp_path):
    done = configtest(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "Syntax OK"


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ('/%0A{"service":"o"}', '/%0A{"service":"o"}'),
        ("/%5C%22", "/%5C%22"),
        ('/"\\', '/"\\'),
        ("/%FF", "/%FF"),
        ("/café", "/caf"),  # a browser would send %C3%A9
        ("/a?b=c", "/a"),
    ],
)
def test_no_path_breaks_the_log(served, path, logged):
    """A JSON object a request, whatever was asked for."""
    before = len(served.log())
    assert exchange(served.address, head("GET", path, {})).status == 404
    wait_until(lambda: len(served.log()) > before)
    assert served.log()[-1]["path"] == logged


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("WSGIDaemonProcess networks", "WSGIDaemonProces networks", "Invalid command"),
        ("processes=2", "processes=two", "Invalid process count"),
        ("</VirtualHost>", "", "was not closed"),
        ("RequestReadTimeout header", "RequestReadTimeout headr", "Unknown RequestReadTimeout"),
    ],
)
def test_what_is_wrong_in_it_is_noticed(tmp_path, old, new, says):
    done = configtest(tmp_path, old, new)
    assert done.returncode == 1
    assert says in done.stderr


def test_refusals_come_through_and_the_log_has_their_ids(served):
    answer = requests.post(f"{served.url}/api/mpg", json={**CAR, "cylinders": 400}, timeout=60)
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
        assert requests.post(f"{served.url}/api/mpg", json=CAR, timeout=60).ok
    assert {counted(served.url) for _ in range(10)} == {before + 40}


def counted(url: str) -> int:
    """Cars that the metrics say were answered."""
    text = requests.get(f"{url}/metrics", timeout=60).text
    lines = re.findall(r"_count\{.*/api/mpg.*status=\"200\".*\} (\S+)", text)
    return int(float(lines[0])) if lines else 0


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
