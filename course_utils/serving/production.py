"""Run a service for real: Granian, several workers, a graceful stop (``course serve``)."""

import contextlib
import ctypes
import functools
import gc
import multiprocessing
import multiprocessing.util
import os
import select
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from prometheus_client import values

from course_utils import services
from course_utils.environment import hide_gpu
from course_utils.inference import KERAS_SUFFIXES, keras_to_litert, name_faulty_model
from course_utils.inference.pixels import choose_pixels, write_pixels
from course_utils.services.http.telemetry import Host
from course_utils.serving import ports

DRAIN_TIME_S = 0.5  # /readyz says 503 and requests are still served
THREADS_PER_WORKER = 128  # most wait for slow clients; the gate bounds those that compute
LOG_INTERVAL_S = 0.1  # between two writes of the request log
PIPE_BUFFER_BYTES = getattr(select, "PIPE_BUF", 512)  # that a pipe takes in one piece
#: of glibc's mallopt(3): one arena for all threads, and large blocks are given back to the system
MALLOC_OPTIONS = ((-8, 1), (-3, 2**17))  # M_ARENA_MAX; M_MMAP_THRESHOLD, in bytes
KILL_TIMEOUT_S = 8  # a request that takes longer than this to end is cut off


def serve(
    name: str,
    *,
    host: str,
    port: int,
    workers: int,
    model: Path | None = None,
    store: Path | None = None,
    record: Path | None = None,
    pixels: str | None = None,
    on_ready: Callable[[], object] = lambda: None,
) -> None:
    """Serve one of `services.SERVICES` until SIGTERM or Ctrl-C; returns when all work has ended.

    On SIGTERM ``/readyz`` turns 503 for half a second, so that a load balancer can send requests
    elsewhere; then no new connection is taken, requests in flight are answered, and the workers
    exit.

    There is no time-out for a body that arrives slowly: each such request holds one of a worker's
    128 threads, so on the internet put a proxy in front that collects bodies (nginx does).

    Args:
        name: of the service.
        host: IP address to listen on.
        port: port to listen on.
        workers: processes.
        model: a model file; by default what the service finds.
        store: a store of models (see `registry`); the service then follows what is promoted there,
            and takes no ``model``.
        record: the folder in which a service that can (mpg) keeps the examples it accepts.
        pixels: how the network of a service that takes photos (image, pets) wants their pixels.
        on_ready: called once, when a worker has loaded the app and listens.

    Raises:
        OSError: the port is taken, or the model or what belongs beside it is not there.
        ValueError: the model or what is beside it cannot be read, or they do not fit together or
            the service; nothing in the store can be served.
    """
    ports.bind(port, host).close()  # says what is in the way before anything is loaded
    with tempfile.TemporaryDirectory(prefix="course-model-") as folder:
        with _hold_back_ctrl_c():
            if model is not None and model.suffix in KERAS_SUFFIXES:
                with name_faulty_model(model):
                    if services.SERVICES[name].takes_pixels:
                        choose_pixels(model, pixels)  # its LiteRT file may tell less
                    model = _convert_to_litert(name, model, Path(folder))
            create_app: Callable[..., Any] = services.SERVICES[name].create_app
            # What cannot be served is reported before the start.
            if store:
                services.versions.check(name, store)
                create_app = functools.partial(services.versions.create_app, name, store=store)
            else:
                create_app = functools.partial(create_app, model, pixels=pixels)
                create_app(host=Host(), record=record)
            factory = functools.partial(create_app, record=record)
        run(factory, host=host, port=port, workers=workers, on_ready=on_ready)


@contextlib.contextmanager
def _hold_back_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C take effect at the end of the block: C libraries swallow it while they load."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt


def _convert_to_litert(name: str, model: Path, folder: Path) -> Path:
    """Write the model as a LiteRT file into ``folder``, with the file that belongs beside it.

    A process of its own does it: TensorFlow does not survive the fork that starts the workers.
    """
    copy = folder / f"{model.stem}.tflite"
    copy_companion = services.SERVICES[name].copy_companion
    if copy_companion:
        copy_companion(model, copy)
    write_pixels(model, copy)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=hide_gpu) as pool:
        try:
            copy.write_bytes(pool.submit(keras_to_litert, model).result())
        except BrokenProcessPool:  # killed for want of memory, or by TensorFlow itself
            raise ValueError(
                f"{model.name}: the process that converted it to LiteRT was killed. Convert it "
                "where there is more memory, with export.litert.convert, and serve the .tflite."
            ) from None
    return copy


def run(
    factory: Callable[..., Any],
    *,
    host: str,
    port: int,
    workers: int,
    on_ready: Callable[[], object] = lambda: None,
) -> None:
    """Serve the app that ``factory(host=...)`` makes in each worker, as `serve` does."""
    draining = multiprocessing.RawValue("b", 0)  # one byte, shared with the workers
    server = _Server(
        "course_utils.serving.production",  # a name for its log; `load_app` makes the app
        address=host,
        port=port,
        workers=workers,
        interface=Interfaces.WSGI,
        websockets=False,
        respawn_failed_workers=True,
        blocking_threads=THREADS_PER_WORKER,
        workers_kill_timeout=KILL_TIMEOUT_S,
        log_level=LogLevels.error,
    )
    server.draining, server.on_ready = draining, on_ready
    load = functools.partial(load_app, factory, draining)
    with tempfile.TemporaryDirectory(prefix="course-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # where workers leave their metrics
        try:
            server.serve(target_loader=load, wrap_loader=False)
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]  # the folder is gone with the server


class _Server(Granian):  # type: ignore[misc, valid-type]  # its class is chosen at run time
    """Calls `on_ready` once it accepts connections; waits between SIGTERM and closing the port."""

    draining: Any
    on_ready: Callable[[], object]

    def _init_shared_socket(self) -> None:
        ports.bind(self.bind_port, self.bind_addr).close()  # it may be taken by now
        super()._init_shared_socket()

    def startup(self, *arguments: Any) -> None:
        super().startup(*arguments)
        threading.Thread(target=self._announce, daemon=True).start()

    def _announce(self) -> None:
        while not ports.is_in_use(self.bind_port, self.bind_addr):
            time.sleep(0.05)
        self.on_ready()

    def shutdown(self, exit_code: int = 0) -> None:
        self.draining.value = 1
        time.sleep(DRAIN_TIME_S)
        super().shutdown(exit_code)


def load_app(factory: Callable[..., Any], draining: Any) -> Callable[..., Any]:
    """Make the WSGI app, in each worker.

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
    # What photos need for a moment would stay with each thread that has decoded one.
    with contextlib.suppress(AttributeError, OSError, TypeError):  # where there is no glibc
        for option in MALLOC_OPTIONS:
            ctypes.CDLL(None).mallopt(*option)
    # prometheus_client chose on import, in the main process, before the folder was known.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]

    def is_draining() -> bool:
        return bool(draining.value)

    app = factory(host=Host(draining=is_draining, log_line=LogWriter(is_draining)))
    # What has been loaded stays. Unless it is set aside, each full garbage collection visits all of
    # it, and all requests stop for about 50 ms: longer than the gate lets one of them wait
    # (benchmarks/versions.py).
    gc.collect()
    gc.freeze()
    return app


class LogWriter:
    """Writes lines to standard output, ten times a second, from a thread of its own.

    A request that wrote its own line would give up Python's lock meanwhile and wait to get it back,
    which costs more than its prediction. From the moment ``draining()`` is true each request
    writes its own line all the same: a worker that is being stopped may be killed, and Granian may
    hang then, with Python's lock in its hands (its issue 875). Of a worker that is killed outright,
    a tenth of a second is lost.
    """

    def __init__(self, draining: Callable[[], bool]) -> None:
        self._draining = draining
        self._lines: deque[str] = deque(maxlen=100_000)  # nobody reads: the oldest go
        self._writing = threading.Lock()
        threading.Thread(target=self._write_often, name="request log", daemon=True).start()
        multiprocessing.util.Finalize(self, self.write, exitpriority=0)

    def __call__(self, line: str) -> None:
        self._lines.append(line)
        if self._draining():
            self.write(timeout_s=LOG_INTERVAL_S)

    def write(self, timeout_s: float = -1) -> None:
        """Write what has been collected, unless another thread writes for ``timeout_s``.

        That thread may be held up by somebody who has stopped reading.
        """
        if not self._writing.acquire(timeout=timeout_s):
            return
        try:
            self._write_lines()
        except OSError:
            pass  # whoever read it has gone; serving goes on
        finally:
            self._writing.release()

    def _write_lines(self) -> None:
        while self._lines:
            piece = self._lines.popleft() + "\n"
            # No more than a pipe takes in one piece, so that workers do not mix their lines.
            while self._lines and len(piece) + len(self._lines[0]) < PIPE_BUFFER_BYTES:
                piece += self._lines.popleft() + "\n"
            data = piece.encode()
            while data:
                data = data[os.write(1, data) :]

    def _write_often(self) -> None:
        while True:
            time.sleep(LOG_INTERVAL_S)
            self.write()
