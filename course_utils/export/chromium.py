"""A page in headless Chromium, Chrome or Edge, and what its network answers.

The browser is started as a program of its own: no package that drives one is needed.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from course_utils.common import atomic_files

#: names and places of the browsers that can be driven, any of which will do
BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
# Without a window, and without asking other hosts for news.
FLAGS = (
    *("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-breakpad"),
    *("--disable-background-networking", "--disable-component-update"),
)
START_S, EXAMPLE_S = 120, 5  # how long a page may take to load, and for an example
POLL_S = 0.2
ASKER = Path(__file__).with_name("ask_page.html")


class BrowserNotFound(FileNotFoundError):
    """Neither Chrome nor Chromium nor Edge is installed."""


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and writes what is posted to a file in it."""

    # Windows may have another type for scripts, with which browsers do not run them.
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript"}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        atomic_files.put(Path(self.translate_path(self.path)), body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing of each request."""


def find_program(names: Sequence[str]) -> Path | None:
    """The first of some programs that is there, by its name on the path or by its place."""
    return next((Path(found) for found in map(shutil.which, names) if found), None)


def ask_page(page: Path, kind: str, size: int, examples: Sequence[bytes]) -> dict[str, Any]:
    """Open a page of `export.browser` in a browser, and give its network some examples.

    Args:
        page: the folder with its ``index.html``, or a single file.
        kind: of the page.
        size: how many numbers an example has.
        examples: image files of photos; float32 of rows, which the page prepares, and of drawings,
            as the network takes them.

    Returns:
        ``labels``, and ``answers``, one to each example.

    Raises:
        BrowserNotFound: no browser is installed.
        ValueError: the page was made from another network, its files are not as they were written,
            or it does not work; with what it says.
        TimeoutError: it did not answer in time, or the browser ended.
    """
    if not (program := find_program(BROWSERS)):
        raise BrowserNotFound(
            "No Chrome, Chromium or Edge was found, and the page is compared in one of them. "
            "Install one (Debian: apt-get install chromium), or compare on a machine that has one."
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copy = shutil.copytree if page.is_dir() else shutil.copyfile
        copy(page, folder / "page.html")  # a folder may have this name, too
        shutil.copyfile(ASKER, folder / "ask.html")
        for number, example in enumerate(examples):
            (folder / f"{number}.example").write_bytes(example)
        address = f"ask.html?kind={kind}&size={size}&examples={len(examples)}"
        said = _run(program, folder, address, START_S + EXAMPLE_S * len(examples))
    if "error" in said:
        raise ValueError(f"{page.name}: {said['error']}")
    return said


def _run(program: Path, folder: Path, address: str, seconds: float) -> dict[str, Any]:
    """Have a browser open a page in a folder, until it posts ``answers``.

    Raises:
        TimeoutError: that took longer, or the browser ended.
    """
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [*FLAGS, *["--no-sandbox"] * as_root]  # Chromium's sandbox is not for root
    answers, handler = folder / "answers", functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.timeout, ends = POLL_S, time.monotonic() + seconds
        url = f"http://127.0.0.1:{server.server_port}/{address}"
        command = [str(program), *flags, f"--user-data-dir={folder / 'profile'}", url]
        null = subprocess.DEVNULL
        browser = subprocess.Popen(command, stdout=null, stderr=null, start_new_session=True)
        try:
            while not answers.is_file():
                server.handle_request()
                if browser.poll() is not None or time.monotonic() > ends:
                    raise TimeoutError(f"The browser ended, or took over {seconds:.0f} seconds.")
        finally:
            with contextlib.suppress(ProcessLookupError):  # also ends what it has started
                os.killpg(browser.pid, signal.SIGKILL) if os.name != "nt" else browser.kill()
            browser.wait()
    return json.loads(answers.read_bytes())
