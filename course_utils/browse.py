"""Open a service's page in the browser as soon as it answers.

``python -m course_utils.browse URL`` waits for the service in a process of its own, beside the
one that serves.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser

PATIENCE = 60.0  # seconds that a service may take to start


def open_when_ready(url: str) -> None:
    """Start waiting, and return at once."""
    # Ctrl-C is meant for the server; the other process ends when the server has.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = [sys.executable, "-m", "course_utils.browse", url]
    try:
        subprocess.Popen(command, stdin=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGINT, before)


def browse(url: str, *, patience: float = PATIENCE) -> str:
    """Wait for the service and open its page.

    Args:
        url: of the service, whose ``/readyz`` is asked.
        patience: seconds to wait.

    Returns:
        What became of it, for a person; nothing where the server's process has ended.
    """
    deadline, parent = time.monotonic() + patience, os.getppid()
    while not _ready(url):
        if os.getppid() != parent:
            return ""
        if time.monotonic() > deadline:
            return f"{url} did not answer within {patience:g} seconds."
        time.sleep(0.1)
    if _has_screen() and webbrowser.open(url):
        return f"{url} is open in your browser."
    return f"Open {url} in a browser."


def _ready(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _has_screen() -> bool:
    """Without one, webbrowser would start a browser in the terminal, if it found any."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


if __name__ == "__main__":
    said = browse(sys.argv[1])
    if said:
        print(said, file=sys.stderr, flush=True)
