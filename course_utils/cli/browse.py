"""Open a service's page in the browser as soon as the service listens.

``python -m course_utils.cli.browse URL`` waits for the service in a process of its own, beside the
one that serves.
"""

import atexit
import os
import subprocess
import sys
import time
import webbrowser
from urllib.parse import urlsplit

from course_utils.serving import ports

START_TIMEOUT_S = 60.0  # that a service may take to start


def open_when_ready(url: str) -> None:
    """Start waiting, and return at once; what still waits when Python ends is ended, too."""
    waiting = subprocess.Popen(
        [sys.executable, "-m", "course_utils.cli.browse", url],
        # Not in our process group, because Ctrl-C is meant for the server alone.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows' way to say it
    )
    atexit.register(waiting.kill)


def browse(url: str, *, timeout_s: float = START_TIMEOUT_S) -> str:
    """Wait for the service and open its page.

    Args:
        url: of the service.
        timeout_s: how long to wait for it, in seconds.

    Returns:
        What became of it, for a person.
    """
    address, deadline = urlsplit(url), time.monotonic() + timeout_s
    while not ports.is_in_use(address.port or 80, address.hostname or ports.LOOPBACK):
        if time.monotonic() > deadline:
            return f"{url} did not answer within {timeout_s:g} seconds."
        time.sleep(0.1)
    if _has_screen() and webbrowser.open(url):
        return f"{url} is open in your browser."
    return f"Open {url} in a browser."


def _has_screen() -> bool:
    """Without one, webbrowser would start a browser in the terminal, if it found any."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


if __name__ == "__main__":
    print(browse(sys.argv[1]), file=sys.stderr, flush=True)
