"""A network that computes in a page: its host, and the page as a visitor has it."""

import base64
import contextlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import requests
from playwright.sync_api import Browser, ConsoleMessage, Frame, Page

from tests.support.serving import free_port, stop, wait_until

LOOPBACK = "127.0.0.1"
# Chromium itself asks this for every page with some fields to fill in.
BROWSERS_OWN = ("content-autofill.googleapis.com:443",)
# The answer as the bytes of its float32 numbers, since Playwright is slow with long lists.
PREDICT = """
async ([text, row, tensor]) => {
    const bytes = Uint8Array.from(atob(text), char => char.charCodeAt(0));
    const answer = tensor
        ? await network.compute(Float32Array.from(tensor))
        : await network.predict(row ?? new Blob([bytes]));
    let packed = "";
    for (const byte of new Uint8Array(Float32Array.from(answer).buffer))
        packed += String.fromCharCode(byte);
    return btoa(packed);
}
"""


def predict(page: Page | Frame, sent: bytes | np.ndarray | list[float]) -> np.ndarray:
    """The answer of a page's network to a file, or to a row of numbers.

    An array of more dimensions is computed as it is, without what the page does before.
    """
    text, row, tensor = "", None, None
    if isinstance(sent, bytes):
        text = base64.b64encode(sent).decode("ascii")
    elif np.ndim(sent) > 1:
        tensor = np.ravel(sent).tolist()
    else:
        row = [float(value) for value in sent]
    return np.frombuffer(base64.b64decode(page.evaluate(PREDICT, [text, row, tensor])), "<f4")


def await_network(page: Page | Frame) -> None:
    """Return once the network is loaded.

    Not with wait_for_function, which needs the eval that the policy of the page forbids.
    """
    page.evaluate("network.ready.then(() => null)")


@contextlib.contextmanager
def static_host(folder: Path, port: int | None = None) -> Iterator[str]:
    """Serve a folder with Python's own web server, as a process; yields its address."""
    port = port or free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", LOOPBACK]
    process = subprocess.Popen(
        [*command, "--directory", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{LOOPBACK}:{port}"

    def answers() -> bool:
        assert process.poll() is None, "http.server has ended"
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(url, timeout=60).ok
        return False

    try:
        wait_until(answers)
        yield url
    finally:
        stop(process)


class _Refuse(http.server.BaseHTTPRequestHandler):
    """A proxy that lets nothing through, and keeps what it was asked for."""

    def do_GET(self) -> None:
        if self.path not in BROWSERS_OWN:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_error(502)

    do_CONNECT = do_POST = do_HEAD = do_GET  # noqa: N815  # names that http.server prescribes

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def refusing_proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that lets nothing through: its address, and what it was asked for so far."""
    with http.server.ThreadingHTTPServer((LOOPBACK, 0), _Refuse) as server:
        asked: list[str] = []
        server.asked = asked  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


class Visitor:
    """A browser of its own profile, whose way to other machines ends at a proxy that notes it.

    Attributes:
        page: its window.
        asked: the address of every request, also of those that a worker sends.
        elsewhere: what was asked of other machines.
        errors: what the console showed as an error, and exceptions that nobody caught.
    """

    def __init__(self, browser: Browser, proxy: str, elsewhere: list[str], **options: Any) -> None:
        # Chromium asks this machine without the proxy only if told so.
        bypass = f"{LOOPBACK},localhost"
        self.context = browser.new_context(proxy={"server": proxy, "bypass": bypass}, **options)
        self.asked: list[str] = []
        self.elsewhere, self.errors = elsewhere, []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = self.context.new_page()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location['url']})")

    def open(self, url: str) -> Page:
        """Go to a page, and return it once its network is loaded."""
        self.page.goto(url)
        await_network(self.page)
        return self.page


@contextlib.contextmanager
def visiting(browser: Browser, **options: Any) -> Iterator[Visitor]:
    """A visitor of pages on this machine, who may ask no other and meets no error."""
    with refusing_proxy() as (proxy, elsewhere):
        visitor = Visitor(browser, proxy, elsewhere, **options)
        try:
            yield visitor
        finally:
            visitor.context.close()
        assert not visitor.elsewhere, visitor.elsewhere
        assert not visitor.errors, visitor.errors
