"""Open a service's page in the browser as soon as it answers.

``python -m course_utils.cli.browse URL`` waits for the service in a process of its own, beside the
one that serves.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser

PATIENCE = 60.0  # seconds that a service may take to start


def open_when_ready(url: str) -> None:
    """Start waiting, and return at once."""
    # In a group of its own: Ctrl-C is meant for the server. It ends when its input does: with us.
    command = [sys.executable, "-m", "course_utils.cli.browse", url]
    if sys.platform == "win32":
        group = subprocess.CREATE_NEW_PROCESS_GROUP
        subprocess.Popen(command, stdin=subprocess.PIPE, creationflags=group)
    else:
        subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)


def browse(url: str, *, patience: float = PATIENCE) -> str:
    """Wait for the service and open its page.

    Args:
        url: of the service, whose ``/readyz`` is asked.
        patience: seconds to wait.

    Returns:
        What became of it, for a person.
    """
    deadline = time.monotonic() + patience
    while not _ready(url):
        if time.monotonic() > deadline:
            return f"{url} did not answer within {patience:g} seconds."
        time.sleep(0.1)
    if _has_screen() and webbrowser.open(url):
        return f"{url} is open in your browser."
    return f"Open {url} in a browser."


def _ready(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is this machine
    with contextlib.suppress(OSError), direct.open(f"{url}/readyz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _has_screen() -> bool:
    """Without one, webbrowser would start a browser in the terminal, if it found any."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    print(browse(sys.argv[1]), file=sys.stderr, flush=True)
