"""A stand-in for the official ngrok SDK where there is no network: the three calls we make.

Like the SDK (measured with 1.4.0) it hands out a task where the calling thread runs an event loop,
and repeats a refused token in its error. Its tunnels are those of the agent's stand-in.
"""

import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from ngrok_agent import Forwarder

sys.path.pop(0)
delay = 0.0  # seconds that the network takes
listeners = {}  # those open now, by address
opened = []  # all addresses ever


class Listener:
    def __init__(self, addr):
        self._forwarder = Forwarder(addr)
        listeners[self.url()] = self
        opened.append(self.url())

    def url(self):
        return self._forwarder.url


def forward(addr, *, authtoken):
    return _task_or_result(_forward, addr, authtoken)


def disconnect(url):
    return _task_or_result(lambda: listeners.pop(url)._forwarder.close())


def _forward(addr, authtoken):
    time.sleep(delay)
    if authtoken.startswith("refused"):
        raise ValueError(
            "failed to connect session",
            f"The authtoken you specified is not valid. Your authtoken: {authtoken}",
            "ERR_NGROK_105",
        )
    return Listener(addr)


def _task_or_result(call, *arguments):
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return call(*arguments)

    async def later():
        return call(*arguments)

    return loop.create_task(later())
