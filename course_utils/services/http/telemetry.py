"""Give every request an id, a line in the log and a place in the metrics.

It wraps the app as WSGI middleware, so it also sees what never reaches a view, and costs less
than Flask's hooks.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUEST_ID = "course_utils.request_id"  # where the WSGI environment holds a request's id
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # named in the metrics
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The counts of an app's requests, or of several apps that count together."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer; _count is the number of requests.",
            ["service", "method", "route", "status", "version"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Prometheus' text format, summed over the workers if there are several."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # set by `course serve` for its workers
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


@dataclass(frozen=True)
class Host:
    """What the server around an app offers it.

    ``draining`` is true once the server has been asked to stop, so that ``/readyz`` can say so
    while work in flight ends. ``log_line`` takes one line of the request log; without it there
    is none, as in a notebook, where it would fill the cell.

    Where the app is one of several versions (see `versions`), ``version`` says of which version of
    the model, ``metrics`` is what all of them count in, so that nothing starts anew with a new
    version, and ``state`` is what ``/version`` answers.
    """

    draining: Callable[[], bool] = lambda: False
    log_line: Callable[[str], object] | None = None
    version: int | None = None
    metrics: Metrics | None = None
    state: Callable[[], dict[str, Any]] | None = None


ALONE = Host()


class Telemetry:
    """WSGI middleware around ``app``; put it on with ``app.wsgi_app = Telemetry(app, host)``.

    Each request gets an id of our own (a UUID), which its answer carries as ``X-Request-ID``, its
    problem+json as ``request_id`` and its log line, one JSON object, too. Where the host names a
    version, answers say it as ``X-Model-Version``, as do metrics and log.
    """

    def __init__(self, app: Flask, host: "Host"):
        self._log_line = host.log_line
        self._draining = host.draining
        self._inner = app.wsgi_app
        self._random = random.Random()  # our own: a notebook's seed must not repeat our ids
        self._service = app.name.rpartition(".")[2]
        self.metrics = host.metrics or Metrics()
        self._version = str(host.version or "")  # to Prometheus an empty label is none
        self._headers = [("X-Model-Version", self._version)] if host.version else []
        self._logged = f'"version": {host.version}, ' if host.version else ""
        # Looking a child up by its labels takes a lock and a check of each label.
        self._children: dict[tuple[str, str, str], Any] = {}

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        began = time.perf_counter()
        # uuid.uuid4() asks the system for randomness, and lets another thread run meanwhile: two
        # switches a request. An id need not be secret.
        n = f"{self._random.getrandbits(128):032x}"
        request_id = f"{n[:8]}-{n[8:12]}-4{n[13:16]}-a{n[17:20]}-{n[20:]}"  # version 4 (RFC 9562)
        environ[REQUEST_ID] = request_id

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            headers += [("X-Request-ID", request_id), *self._headers]
            if self._draining():
                # Otherwise the client would send its next request on a connection that is about
                # to close.
                headers.append(("Connection", "close"))
            self._record(environ, status[:3], time.perf_counter() - began)
            return start_response(status, headers, exc_info)

        answer: Any = self._inner(environ, start)
        if isinstance(answer, list):  # the one piece already
            return answer
        try:
            return list(answer)  # in one piece; what is no list, Granian streams
        finally:
            answer.close()

    def _record(self, environ: dict[str, Any], status: str, seconds: float) -> None:
        # The rule, not the path: all paths that nobody serves share one label, as do all methods
        # that nobody knows; otherwise each would stay in memory for good.
        rule = environ["werkzeug.request"].url_rule
        method = environ["REQUEST_METHOD"]
        key = (method if method in METHODS else "other", rule.rule if rule else "unknown", status)
        child = self._children.get(key)
        if child is None:
            child = self.metrics.seconds.labels(self._service, *key, self._version)
            self._children[key] = child
        child.observe(seconds)
        if self._log_line:
            # Only the path comes from outside; the rest needs no JSON encoder, nor does a rule.
            path = environ["PATH_INFO"]
            path = f'"{path}"' if path == key[1] else json.dumps(path[:200])
            line = (
                f'{{"time": {time.time():.3f}, "service": "{self._service}", {self._logged}'
                f'"request_id": "{environ[REQUEST_ID]}", "method": "{key[0]}", '
                f'"path": {path}, "status": {status}, '
                f'"ms": {seconds * 1000:.3f}}}'
            )
            self._log_line(line)
