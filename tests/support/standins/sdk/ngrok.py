"""A stand-in for ngrok's official SDK where there is no network: the calls that we make, or made.

It is not ngrok: a "public" address is another port of this machine, whose connections lead to the
service. Like the SDK (measured with 1.4.0) it returns a task where the calling thread runs an
event loop, closes a listener only there, disconnects all listeners that have an address, and
repeats a refused token in its error.
"""

import asyncio
import contextlib
import socket
import socketserver
import threading
import time

delay = 0.0  # seconds that the network takes
one_address = False  # for all listeners, as a free account has it
listeners = []  # those open now
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
        listeners.append(self)
        opened.append(self.url())

    def url(self):
        named = listeners[0] if one_address and listeners else self
        return f"http://127.0.0.1:{named.server_address[1]}"

    def close(self):
        return asyncio.get_running_loop().create_task(end(self))


def copy(source, target):
    with contextlib.suppress(OSError):  # the other end has gone
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def forward(addr, *, authtoken):
    return call_or_schedule(open_listener, addr, authtoken)


def disconnect(url):
    return call_or_schedule(close_listeners, url)


def open_listener(addr, authtoken):
    time.sleep(delay)
    if authtoken.startswith("refused"):
        raise ValueError(
            "failed to connect session",
            f"The authtoken you specified is not valid. Your authtoken: {authtoken}",
            "ERR_NGROK_105",
        )
    return Listener(addr)


def close_listeners(url):
    for listener in [each for each in listeners if each.url() == url]:
        asyncio.run(end(listener))


async def end(listener):
    listeners.remove(listener)
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
