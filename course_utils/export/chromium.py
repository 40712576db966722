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
FLAGS = """--headless --disable-gpu --disable-dev-shm-usage --no-first-run --disable-breakpad
--disable-background-networking --disable-component-update --disable-sync""".split()
START_S, EXAMPLE_S = 120, 5  # how long a page may take to load, and for an example
POLL_S = 0.2
ASKER = Path(__file__).with_name("ask_page.html")


class BrowserNotFound(FileNotFoundError):
    """Neither Chrome nor Chromium nor Edge is installed."""


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and writes what is posted to a file in it."""

    # Windows may have another type for scripts, with which browsers do not run them.
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript"}

    def do_POST(self) -> None:  # noqa: N802 - so http.server calls it
        body = self.rfile.read(int(self.headers["Content-Length"]))
        atomic_files.put(Path(self.translate_path(self.path)), body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing of each request."""


def find_program(names: Sequence[str]) -> Path | None:
    """The first of some programs that is there, by its name on the path or by its place."""
    return next((Path(found) for found in map(shutil.which, names) if found), None)


def ask_page(page: Path, way: str, examples: Sequence[bytes]) -> list[list[float]]:
    """Open a page in a browser of its own, and give its network some examples.

    Args:
        page: the folder with its ``index.html``, or a single file.
        way: ``"photo"`` for the bytes of image files, ``"row"`` for float32 that the page prepares,
            ``"tensor"`` for float32 as the network takes it.
        examples: one after another.

    Returns:
        The answer to each.

    Raises:
        BrowserNotFound: no browser is installed.
        RuntimeError: the page said what is wrong, or the browser ended.
        TimeoutError: the page did not answer in time.
    """
    if not (program := find_program(BROWSERS)):
        raise BrowserNotFound(
            "No Chrome, Chromium or Edge was found, and the page is compared in one of them. "
            "Install one (Debian: apt-get install chromium), or compare on a machine that has one."
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder, place = Path(name), "page.html"
        if page.is_dir():
            place = f"{shutil.copytree(page, folder / 'page').name}/"
        else:
            shutil.copyfile(page, folder / place)
        shutil.copyfile(ASKER, folder / ASKER.name)
        for number, example in enumerate(examples):
            (folder / f"{number}.example").write_bytes(example)
        address = f"{ASKER.name}?page={place}&way={way}&examples={len(examples)}"
        said = _run(program, folder, address, START_S + EXAMPLE_S * len(examples))
    if "error" in said:
        raise RuntimeError(f"{page.name} does not work in {program.stem}: {said['error']}")
    return said["answers"]


def _run(program: Path, folder: Path, address: str, seconds: float) -> dict[str, list[list[float]]]:
    """What a page in a folder posts to ``answers``, in at most so many seconds."""
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox is not for root
    handler = functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.timeout, ends = POLL_S, time.monotonic() + seconds
        url = f"http://127.0.0.1:{server.server_port}/{address}"
        nowhere = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
        browser = subprocess.Popen([program, *flags, url], start_new_session=True, **nowhere)
        try:
            while not (folder / "answers").is_file():
                server.handle_request()
                if browser.poll() is not None:
                    raise RuntimeError(f"{program.name} ended at once, with {browser.returncode}.")
                if time.monotonic() > ends:
                    raise TimeoutError(f"The page did not answer within {seconds:.0f} seconds.")
        finally:
            _end(browser)
    return json.loads((folder / "answers").read_bytes())


def _end(browser: "subprocess.Popen[bytes]") -> None:
    """End a browser and the processes that it has started."""
    if os.name == "nt":
        kill = ["taskkill", "/F", "/T", "/PID", str(browser.pid)]
        subprocess.run(kill, capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
    browser.wait()
