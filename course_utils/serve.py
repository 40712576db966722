"""Run a service for real: Granian, several workers, a graceful stop (``course serve``)."""

import functools
import importlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from prometheus_client import values

from course_utils.services.watch import Host

SERVICES = ("hello", "mpg")
DRAIN_SECONDS = 0.5  # /readyz says 503 and requests are still served
THREADS = 128  # a worker's; most wait for slow clients, the gate bounds those that compute
KILL_SECONDS = 8  # a request that takes longer than this to end is cut off


def serve(name: str, *, host: str, port: int, workers: int, model: Path | None) -> None:
    """Serve one of `SERVICES` until SIGTERM or Ctrl-C; returns when all work has ended.

    On SIGTERM ``/readyz`` turns 503 for half a second, so that a load balancer can look
    elsewhere; then no new connection is taken, requests in flight are answered, and the
    workers exit.

    Raises:
        OSError: the port is taken.
    """
    run(functools.partial(create, name, model), host=host, port=port, workers=workers)


def run(
    factory: Callable[[Host], Callable[..., Any]], *, host: str, port: int, workers: int
) -> None:
    """Serve the app that ``factory`` makes in each worker, as `serve` does."""
    multiprocess_metrics = tempfile.TemporaryDirectory(prefix="course-metrics-")
    # Where prometheus_client sums up the workers (see `load_app`).
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = multiprocess_metrics.name
    draining = multiprocessing.get_context(_start_method()).RawValue("b", 0)  # one byte, shared
    with multiprocess_metrics:
        server = _Server(draining, host, port, workers)
        server.serve(
            target_loader=functools.partial(load_app, factory, draining), wrap_loader=False
        )


class _Server(Granian):  # type: ignore[misc, valid-type]  # its class is chosen at run time
    """Granian, with a moment between the signal and the closed door."""

    def __init__(self, draining: Any, host: str, port: int, workers: int):
        super().__init__(
            "course_utils.serve",  # a name for its log; `load_app` makes the app
            address=host,
            port=port,
            workers=workers,
            interface=Interfaces.WSGI,
            websockets=False,
            respawn_failed_workers=True,
            blocking_threads=THREADS,
            workers_kill_timeout=KILL_SECONDS,
            log_level=LogLevels.error,
        )
        self._draining = draining

    def shutdown(self, exit_code: int = 0) -> None:
        self._draining.value = 1
        time.sleep(DRAIN_SECONDS)
        super().shutdown(exit_code)


def load_app(factory: Callable[[Host], Callable[..., Any]], draining: Any) -> Callable[..., Any]:
    """The WSGI app; runs in each worker.

    A terminal sends Ctrl-C to a whole process group. A worker leaves that group where it can: the
    main process alone knows in which order things end.
    """
    if hasattr(os, "setpgrp"):  # not on Windows
        os.setpgrp()
    # prometheus_client chose on import, in the main process, before the folder was known.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    return factory(Host(draining=lambda: bool(draining.value), log_line=print_line))


def create(name: str, model: Path | None, host: Host) -> Callable[..., Any]:
    """The app of one of `SERVICES`."""
    module = importlib.import_module(f"course_utils.services.{name}")
    return module.create_app(host=host) if model is None else module.create_app(model, host=host)


def print_line(line: str) -> None:
    """Write one line to standard output, whole, whoever else writes there."""
    os.write(1, f"{line}\n".encode())


def _start_method() -> str:
    """What Granian starts its workers with (shared memory must be made for the same method)."""
    method = multiprocessing.get_start_method()
    return method if method in {"fork", "spawn"} else "spawn"
