"""A stand-in for ngrok's official SDK where there is no network: the two calls that we make.

It is not ngrok: a "public" address is another port of this machine, whose connections lead to the
service. Like the SDK (measured with 1.4.0) it returns a task where the calling thread runs an
event loop, and repeats a refused token in its error.
"""

import asyncio
import contextlib
import socket
import socketserver
import threading
import time

delay = 0.0  # seconds that the network takes
listeners = {}  # those open now, by address
opened = []  # all addresses ever


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(self.server.service) as service:
            back = threading.Thread(target=copy, args=(service, self.request))
            back.start()
            copy(self.request, service)
            back.join()


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, addr):
        super().__init__(("127.0.0.1", 0), Connection)
        host, _, port = addr.rpartition(":")
        self.service = host, int(port)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        listeners[self.url()] = self
        opened.append(self.url())

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


def copy(source, target):
    with contextlib.suppress(OSError):  # the other end has gone
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def forward(addr, *, authtoken):
    return call_or_schedule(open_listener, addr, authtoken)


def disconnect(url):
    return call_or_schedule(close_listener, url)


def open_listener(addr, authtoken):
    time.sleep(delay)
    if authtoken.startswith("refused"):
        raise ValueError(
            "failed to connect session",
            f"The authtoken you specified is not valid. Your authtoken: {authtoken}",
            "ERR_NGROK_105",
        )
    return Listener(addr)


def close_listener(url):
    listener = listeners.pop(url)
    listener.shutdown()
    listener.server_close()


def call_or_schedule(call, *arguments):
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return call(*arguments)

    async def later():
        return call(*arguments)

    return loop.create_task(later())
