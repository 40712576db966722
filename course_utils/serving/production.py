"""Run a service for real: Granian, several workers, a graceful stop (``course serve``)."""

import contextlib
import functools
import gc
import multiprocessing
import multiprocessing.util
import os
import select
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from prometheus_client import values

from course_utils.inference import KERAS_SUFFIXES, keras_to_litert
from course_utils.services import SERVICES
from course_utils.services.http.telemetry import Host

DRAIN_SECONDS = 0.5  # /readyz says 503 and requests are still served
THREADS = 128  # a worker's; most wait for slow clients, the gate bounds those that compute
LOG_SECONDS = 0.1  # between two writes of the request log
PIPE_PIECE = getattr(select, "PIPE_BUF", 512)  # bytes a pipe takes in one piece; lines are ASCII
KILL_SECONDS = 8  # a request that takes longer than this to end is cut off


def serve(
    name: str,
    *,
    host: str,
    port: int,
    workers: int,
    model: Path | None = None,
    store: Path | None = None,
    record: Path | None = None,
) -> None:
    """Serve one of `services.SERVICES` until SIGTERM or Ctrl-C; returns when all work has ended.

    On SIGTERM ``/readyz`` turns 503 for half a second, so that a load balancer can look
    elsewhere; then no new connection is taken, requests in flight are answered, and the
    workers exit.

    There is no time-out for a body that arrives slowly: each such request holds one of a worker's
    128 threads, so on the internet put a proxy in front that collects bodies (nginx does).

    Args:
        name: of the service.
        host: address to listen on.
        port: port to listen on.
        workers: processes.
        model: a model file; by default what the service finds.
        store: a store of models (see `registry`); the service then follows what is promoted there,
            and takes no ``model``.
        record: the folder in which a service that can (mpg) keeps the examples it accepts.

    Raises:
        OSError: the port is taken, or the model or its schema is not there.
        ValueError: the model or its schema cannot be read; nothing in the store can be served.
    """
    if store is not None:
        from course_utils.services import versions

        with _ctrl_c_held_back():
            versions.check(name, store)  # what cannot be served is better known before the start
        follow = functools.partial(_following, name, store, record)
        run(follow, host=host, port=port, workers=workers)
        return
    with tempfile.TemporaryDirectory(prefix="course-model-") as folder:
        with _ctrl_c_held_back():
            if model is not None and model.suffix in KERAS_SUFFIXES:
                model = _converted(name, model, Path(folder))
            factory = functools.partial(create, name, model, record=record)
            factory(Host())  # what cannot be read is better known before the start
        run(factory, host=host, port=port, workers=workers)


@contextlib.contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: C libraries swallow it while they load."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt


def _converted(name: str, model: Path, folder: Path) -> Path:
    """The model as a LiteRT file in ``folder``, what belongs to it beside it.

    Made in a process of its own: TensorFlow does not survive the fork that starts the workers.
    """
    copy = folder / f"{model.stem}.tflite"
    companion = SERVICES[name].companion
    if companion:
        shutil.copy(companion(model), folder)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        copy.write_bytes(pool.submit(keras_to_litert, model).result())
    return copy


def run(
    factory: Callable[[Host], Callable[..., Any]], *, host: str, port: int, workers: int
) -> None:
    """Serve the app that ``factory`` makes in each worker, as `serve` does."""
    draining = multiprocessing.get_context(_start_method()).RawValue("b", 0)  # one byte, shared
    server = _Server(draining, host, port, workers)
    load = functools.partial(load_app, factory, draining)
    with tempfile.TemporaryDirectory(prefix="course-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # where workers leave their metrics
        try:
            server.serve(target_loader=load, wrap_loader=False)
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


class _Server(Granian):  # type: ignore[misc, valid-type]  # its class is chosen at run time
    """Granian, with a moment between the signal and the closed door."""

    def __init__(self, draining: Any, host: str, port: int, workers: int):
        super().__init__(
            "course_utils.serving.production",  # a name for its log; `load_app` makes the app
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
    # Until Granian listens for it here, a stop ends this worker: the handler that it has from the
    # main process would only note it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if draining.value:  # told to stop before it had begun: the signal has come and gone
        os._exit(0)
    # prometheus_client chose on import, in the main process, before the folder was known.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    app = factory(Host(draining=lambda: bool(draining.value), log_line=LogWriter()))
    # What has been loaded is there to stay. Unless it is set aside, each full collection of garbage
    # looks through all of it, and all requests stand still for about 50 ms: longer than the gate
    # lets one of them wait (benchmarks/versions.py).
    gc.collect()
    gc.freeze()
    return app


def create(
    name: str, model: Path | None, host: Host, *, record: Path | None = None
) -> Callable[..., Any]:
    """The app of one of `services.SERVICES`."""
    options: dict[str, Any] = {"host": host} | ({"record": record} if record else {})
    return SERVICES[name].create_app(model, **options)


def _following(name: str, store: Path, record: Path | None, host: Host) -> Callable[..., Any]:
    from course_utils.services import versions

    return versions.create_app(name, store=store, host=host, record=record)


class LogWriter:
    """Writes lines to standard output, ten times a second, from a thread of its own.

    A request that wrote its own line would let go of Python meanwhile and wait for its next turn,
    which costs more than its prediction. What a worker has collected when it is killed outright
    is lost; when it is stopped, it is written.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=100_000)  # nobody reads: the oldest go
        self._writing = threading.Lock()
        threading.Thread(target=self._write_often, name="request log", daemon=True).start()
        multiprocessing.util.Finalize(self, self.write, exitpriority=0)

    def __call__(self, line: str) -> None:
        self._lines.append(line)

    def write(self) -> None:
        """Write what has been collected."""
        with self._writing:
            while self._lines:
                piece = ""
                # A pipe takes this much in one piece, so that workers do not mix their lines.
                while self._lines and len(piece) + len(self._lines[0]) < PIPE_PIECE:
                    piece += self._lines.popleft() + "\n"
                _write_all(piece or self._lines.popleft() + "\n")

    def _write_often(self) -> None:
        while True:
            time.sleep(LOG_SECONDS)
            with contextlib.suppress(OSError):  # whoever read it has gone; serving goes on
                self.write()


def _write_all(text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(1, data) :]


def _start_method() -> str:
    """What Granian starts its workers with (shared memory must be made for the same method)."""
    method = multiprocessing.get_start_method()
    return method if method in {"fork", "spawn"} else "spawn"
