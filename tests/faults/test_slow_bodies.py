"""Bodies sent a byte a second: nobody else waits, and the service still ends in time."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tests.support.serving import CAR, Served, serving
from tests.support.wire import post

pytestmark = pytest.mark.thorough

SLOW_CLIENTS = 20


@contextlib.contextmanager
def slow_clients(served: Served, number: int) -> Iterator[list[socket.socket]]:
    """Clients that have sent all but the last bytes and go on with one a second."""
    request = post(b"{" + b" " * 1000 + b"}")
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(number):
            connection = socket.create_connection(served.address, timeout=60)
            connections.append(stack.enter_context(connection))
            connection.sendall(request[:-1000])
        leave = threading.Event()

        def drip() -> None:
            while not leave.wait(1):
                for connection in connections:
                    with contextlib.suppress(OSError):  # the server may have gone
                        connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        stack.callback(thread.join)
        stack.callback(leave.set)
        yield connections


def test_slow_bodies_delay_nobody_and_sigterm_ends_them() -> None:
    with (
        serving("mpg") as served,
        slow_clients(served, SLOW_CLIENTS),
        requests.Session() as session,
    ):
        time.sleep(0.5)
        # A slow body in the way would cost a thousand seconds.
        for _ in range(100):
            assert session.post(f"{served.url}/api/mpg", json=CAR, timeout=60).ok
        served.terminate()
        assert served.process.wait(timeout=60) == 0
