"""gunicorn in front of the MPG service: ``gunicorn --config deploy/gunicorn.conf.py``."""

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger, SafeAtoms

pythonpath = str(Path(__file__).parent)
wsgi_app = "wsgi:application"
bind = "127.0.0.1:5000"
workers = 2  # one a core: a prediction keeps a core busy
# Threads, so that slow clients hold up nobody; the kind `sync` would answer one at a time.
worker_class = "gthread"
threads = 16
keepalive = 5  # seconds; a proxy in front keeps its connections
graceful_timeout = 10  # seconds that requests in flight are given at SIGTERM
# The network is loaded in the worker. Before the fork, its threads would be missing after it.
preload_app = False
# A worker shows by a file that it lives; on a disk that is busy it would seem dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Newer ones also take orders through a socket in the user's home, which a service may not have.
control_socket_disable = True
# Where the workers leave their metrics. Named by the server itself: with --preload, the parent of
# what loads the app is the shell, which outlives the server.
server_pid = os.getpid()
metrics = Path(tempfile.gettempdir()) / f"course-metrics-{server_pid}"
if os.environ.get("PROMETHEUS_MULTIPROC_DIR") != str(metrics):  # else SIGHUP, and workers use it
    # A server that was killed may have had the same number, as the first process of a container.
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)


@atexit.register
def remove_metrics() -> None:
    """Also where the server did not start. Workers run this, too, when they end."""
    if os.getpid() == server_pid:
        shutil.rmtree(metrics, ignore_errors=True)


class JSONAtoms(SafeAtoms):
    """What a request is logged by; its path may hold quotes, backslashes and line ends.

    WSGI hands texts on as if their bytes were Latin-1 (PEP 3333).
    """

    def __init__(self, atoms: dict[str, Any]):
        super().__init__(atoms)
        for key, value in atoms.items():
            if isinstance(value, str):
                text = value.encode("latin-1", "replace").decode("utf-8", "replace")
                self[key] = json.dumps(text)[1:-1]


class JSONLog(Logger):
    """gunicorn's own, but for that."""

    atoms_wrapper_class = JSONAtoms


# A JSON object a request, as `course serve` writes it.
logger_class = JSONLog
accesslog = "-"
access_log_format = (
    '{"time": "%(t)s", "service": "mpg", "request_id": "%({x-request-id}o)s", '
    '"method": "%(m)s", "path": "%(U)s", "status": %(s)s, "ms": %(M)s}'
)
