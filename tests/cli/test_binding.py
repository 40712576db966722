"""Where `course serve` listens: names and addresses of any kind, ports of any owner."""

import re
import socket
import subprocess
from pathlib import Path

import pytest
import requests

from course_utils.serving import production
from course_utils.serving.ports import is_in_use
from tests.support.command import course
from tests.support.servers import no_user_switch, unprivileged
from tests.support.serving import COURSE, free_port, stop

UNPRIVILEGED_FROM = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
NO_ADDRESS = "is not an address of this machine"
NO_NAME = "is not the address or name of a machine"
ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", NO_ADDRESS),  # for documentation: nobody has it
        ("2001:db8::1", NO_ADDRESS),
        ("224.0.0.1", NO_ADDRESS),  # to many machines at once
        ("255.255.255.255", NO_ADDRESS),
        pytest.param("fe80::1", "cannot be listened on", marks=ipv6),  # of which network?
        ("nowhere.invalid", NO_NAME),
        ("http://localhost", NO_NAME),
        ("127.0.0.1:5000", NO_NAME),
        ("x" * 300, NO_NAME),
        ("", NO_NAME),
    ],
)
def test_a_host_that_cannot_be_listened_on_is_named(host, said):
    result = course("serve", "hello", "--host", host, "--port", free_port())
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert said in result.output
    assert "127.0.0.1 (this machine alone)" in result.output


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", pytest.param("::", marks=ipv6)]
)
def test_a_busy_port_is_named_and_a_free_one_suggested(host):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = course("serve", "hello", "--host", host, "--port", port)
    assert result.exit_code == 1
    assert f"Port {port} is in use" in result.output
    free = int(re.search(r"--port, for example (\d+)", result.output)[1])
    socket.create_server(("127.0.0.1", free)).close()


@pytest.mark.skipif(bool(no_user_switch()), reason=no_user_switch())
@pytest.mark.skipif(
    not UNPRIVILEGED_FROM.exists() or int(UNPRIVILEGED_FROM.read_text()) <= 80,
    reason="anybody may listen on port 80 here",
)
def test_a_port_for_administrators_is_one_sentence():
    if is_in_use(80):
        pytest.skip("another program listens on port 80")
    command = unprivileged([str(COURSE), "serve", "hello", "--port", "80"], 10001)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Port 80 is reserved for an administrator here. Choose another" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_at_the_last_moment_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {port} is in use"):
            production.run(lambda host: None, host="127.0.0.1", port=port, workers=1)


@pytest.mark.parametrize(
    "host", ["localhost", "0.0.0.0", *(pytest.param(host, marks=ipv6) for host in ("::1", "::"))]
)
def test_it_answers_once_it_says_that_it_serves(host):
    command = [str(COURSE), "serve", "hello", "--host", host, "--port", str(free_port())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = re.search(r"Serving hello at (\S+)", process.stderr.readline())[1]
            assert requests.get(f"{url}/readyz", timeout=60).ok
        finally:
            stop(process)


@pytest.mark.parametrize(
    ("words", "near"),
    [("serve mgp", "mpg"), ("serve Digits", "digit"), ("drift mgp", "mpg")],
)
def test_the_nearest_name_is_suggested(words, near):
    result = course(*words.split())
    assert result.exit_code == 2
    assert f"Did you mean {near}?" in result.output
