"""Load from a process of its own, and what became of each request.

Two ways of asking, as queueing theory has them:

- open: requests are sent at a fixed rate, each on a connection of its own, however slowly the
  service answers;
- closed: each client asks again as soon as it has its answer; it stops once the port is closed.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tests.support.serving import CAR, ROOT, running
from tests.support.wire import JSON_TYPE, head, post

PREDICTION_S = 0.05  # one prediction of the service that is overloaded
CAPACITY = 2 / PREDICTION_S  # requests a second; two are predicted at a time
CLOSED = "port closed"  # the connection was refused: nothing was sent
LOST = "lost"  # sent, and no complete answer
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Outcome:
    """What became of one request."""

    tag: str
    path: str
    status: int | None = None
    seconds: float = 0.0
    request_id: str | None = None
    retry_after: str | None = None
    version: str | None = None  # of the model that answered
    failure: str | None = None  # CLOSED or LOST
    reused: bool = False  # sent on a connection that had carried another request


@contextlib.contextmanager
def load(url: str, **options: float) -> Iterator["subprocess.Popen[str]"]:
    """Start the load (see the parser below for ``options``); gather it with `outcomes`."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.support.load", url, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def outcomes(process: "subprocess.Popen[str]", seconds: float = 60) -> list[Outcome]:
    """Wait for the end of a load."""
    text, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, "the load generator failed"
    return [Outcome(**json.loads(line)) for line in text.splitlines()]


@dataclass
class Overload:
    """Outcomes by kind."""

    unloaded: list[Outcome]
    accepted: list[Outcome]
    refused: list[Outcome]
    health: list[Outcome]
    others: list[Outcome]  # there should be none
    logged: int  # lines of /api/mpg in the request log


def overload(*, seconds: float, unloaded_seconds: float) -> Overload:
    """Ask gently, then ten times faster than the service can answer."""
    command = [sys.executable, "-m", "tests.support.slow_service", "--seconds", str(PREDICTION_S)]
    with running(command) as served:
        with load(served.url, rate=CAPACITY / 10, seconds=unloaded_seconds) as generator:
            unloaded = outcomes(generator)
        with load(served.url, rate=CAPACITY * 10, health=20, seconds=seconds) as generator:
            results = outcomes(generator)
        logged = sum(line.get("path") == "/api/mpg" for line in served.log())
    asked = [o for o in results if o.path == "/api/mpg"]
    return Overload(
        unloaded=unloaded,
        accepted=[o for o in asked if o.status == 200],
        refused=[o for o in asked if o.status == 503],
        health=[o for o in results if o.path == "/healthz"],
        others=[o for o in asked if o.status not in (200, 503)],
        logged=logged,
    )


class Client:
    def __init__(self, url: str, most: float = math.inf):
        self._most = most
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = host, int(port)
        self.done: list[Outcome] = []

    async def open_loop(self, path: str, rate: float, seconds: float) -> None:
        start = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(start + number / rate - time.perf_counter())
            tasks.append(asyncio.create_task(self._ask(Outcome(f"open-{number}", path))))
        await asyncio.gather(*tasks)

    async def closed_loop(self, name: str, path: str, seconds: float, *, keep: bool) -> None:
        """Ask on one connection as long as the service keeps it, or on a new one each time."""
        end, connection = time.perf_counter() + seconds, None
        for number in itertools.count():
            if time.perf_counter() >= end or len(self.done) >= self._most:
                return
            outcome = Outcome(f"{name}-{number}", path)
            connection = await self._ask(outcome, connection, keep=keep)
            if outcome.failure == CLOSED:
                return

    async def _ask(
        self, outcome: Outcome, connection: Connection | None = None, *, keep: bool = False
    ) -> Connection | None:
        """Fill in ``outcome``; return the connection where it can be used again."""
        self.done.append(outcome)
        began = time.perf_counter()
        outcome.reused = connection is not None and not connection[0].at_eof()
        try:
            if connection is None or not outcome.reused:
                if connection:
                    connection[1].close()
                connection = await asyncio.open_connection(*self._address)
        except OSError:
            outcome.failure = CLOSED
            return None
        reader, writer = connection
        try:
            writer.write(_request(outcome, keep))
            first, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {n.lower(): v.strip() for n, _, v in (f.partition(":") for f in fields)}
            await reader.readexactly(int(headers.get("content-length", "0")))
        except (OSError, asyncio.IncompleteReadError):
            outcome.failure = LOST
        else:
            outcome.status = int(first.split()[1])
            outcome.request_id = headers.get("x-request-id")
            outcome.retry_after = headers.get("retry-after")
            outcome.version = headers.get("x-model-version")
        outcome.seconds = time.perf_counter() - began
        if keep and outcome.status and headers.get("connection") != "close":
            return connection
        writer.close()
        return None


def _request(outcome: Outcome, keep: bool) -> bytes:
    headers = {"X-Tag": outcome.tag, "Connection": "keep-alive" if keep else "close"}
    if outcome.path == "/healthz":
        return head("GET", outcome.path, headers)
    return post(json.dumps(CAR).encode(), JSON_TYPE | headers, outcome.path)


async def main(options: argparse.Namespace) -> list[Outcome]:
    client, path, seconds = Client(options.url, options.requests), "/api/mpg", options.seconds
    loops = [(f"kept-{n}", True) for n in range(options.clients)]
    loops += [(f"fresh-{n}", False) for n in range(options.fresh)]
    work = [client.closed_loop(name, path, seconds, keep=keep) for name, keep in loops]
    if options.rate:
        work.append(client.open_loop(path, options.rate, seconds))
    if options.health:
        work.append(client.open_loop("/healthz", options.health, seconds))
    await asyncio.gather(*work)
    return client.done


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=10, help="at most")
    parser.add_argument("--requests", type=float, default=math.inf, help="of closed loops, at most")
    parser.add_argument("--rate", type=float, default=0, help="open loop: requests a second")
    parser.add_argument("--health", type=float, default=0, help="/healthz besides, a second")
    parser.add_argument("--clients", type=int, default=0, help="closed loop, connections kept")
    parser.add_argument("--fresh", type=int, default=0, help="closed loop, a connection each")
    for outcome in asyncio.run(main(parser.parse_args())):
        print(json.dumps(asdict(outcome)))
