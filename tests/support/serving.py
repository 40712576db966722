"""A real server process for tests and benchmarks: started, watched, always stopped."""

import contextlib
import inspect
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from course_utils.inference import shipped_model
from course_utils.services import SERVICES
from tests.support import ROOT

MODEL = ROOT / "data" / "models" / "mpg.tflite"
COURSE = Path(sys.executable).with_name("course")
START_TIMEOUT_S = 300  # a Keras file is converted first, beside other tests
CAR = {
    "cylinders": 8,
    "displacement": 307,
    "horsepower": 130,
    "weight": 3504,
    "acceleration": 12,
    "year": 70,
    "origin": 1,
}
FEATURES = list(CAR)


@dataclass(frozen=True)
class Served:
    """A running server, and the files of what it has printed."""

    url: str
    process: "subprocess.Popen[bytes]"
    output: Path
    errors: Path

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def text(self) -> str:
        """Standard output so far."""
        return self.output.read_text("utf-8")

    def said(self) -> str:
        """Standard error so far, where the command talks to people."""
        return self.errors.read_text("utf-8")

    def log(self) -> list[dict[str, Any]]:
        """The request log so far: its lines are the ones that start with a brace."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def wait_for_log(self, request_id: str) -> dict[str, Any]:
        """The log line of one request; an answer may arrive a moment before its line."""
        return wait_until(lambda: [e for e in self.log() if e["request_id"] == request_id])[0]

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def serving(name: str, *, workers: int = 1, model: Path | None = None) -> Iterator[Served]:
    """``course serve NAME`` on a free port, ready; stopped at the end.

    Without ``model`` it serves the one that the course brings, whatever a learner has saved here.
    """
    has_model = SERVICES[name].has_model
    options = ["--model", str(model or shipped_model(name))] if has_model else []
    with running([str(COURSE), "serve", name, *options], workers=workers) as served:
        yield served


@contextlib.contextmanager
def running(command: list[str], *, workers: int = 1) -> Iterator[Served]:
    """Any server that takes ``--port`` and ``--workers`` and has ``/readyz``."""
    port = free_port()
    options = ["--port", str(port), "--workers", str(workers)]
    with tempfile.TemporaryDirectory(prefix="served-") as folder:
        output, errors = Path(folder, "stdout"), Path(folder, "stderr")
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen([*command, *options], stdout=out, stderr=err, cwd=ROOT)
        served = Served(f"http://127.0.0.1:{port}", process, output, errors)
        try:
            wait_until_ready(served)
            yield served
        finally:
            stop(process)


def wait_until_ready(served: Served) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and served.process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{served.url}/readyz", timeout=60).ok:
                return
        time.sleep(0.05)
    raise AssertionError(f"{served.url} was not ready in time\n{served.text()}\n{served.said()}")


def ask_mpg(url: str, car: object = CAR) -> requests.Response:
    """Ask the MPG service, on a connection of its own, so that any worker may answer."""
    return requests.post(f"{url}/api/mpg", json=car, timeout=60)


def count_requests(page: str, *labels: str, **wanted: str) -> Counter[tuple[str, ...]]:
    """The requests that a page of metrics tells of, by those labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name.endswith("_count") and wanted.items() <= sample.labels.items():
                found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
    return found


def wait_until(condition: Any, seconds: float = 60) -> Any:
    """What ``condition()`` returns as soon as that is true.

    Raises:
        AssertionError: it has not become true in a minute; shows the condition's own source.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            try:
                what = inspect.getsource(condition).strip()
            except (OSError, TypeError):  # a method of something built in
                what = repr(condition)
            raise AssertionError(f"waited {seconds:g} seconds in vain for: {what}")
        time.sleep(0.02)
    return value


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process, politely first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def hold_port(port: int) -> Iterator[None]:
    """Take a port that the course may want, where no other program has it."""
    try:
        taken = socket.create_server(("127.0.0.1", port))
    except OSError:
        yield
        return
    with taken:
        yield


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
