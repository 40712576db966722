"""The MPG service under Flask's own server, as `launch` runs it behind a cell.

    python -m benchmarks.flask_service --port 5000 [--slow]

With ``--slow`` each prediction takes 20 ms (see `tests.support.slow_service`).
"""

import argparse
import os
import signal

from course_utils.services.http.telemetry import Host
from course_utils.services.mpg import create_app
from course_utils.serving import launch
from tests.support.serving import MODEL
from tests.support.slow_service import create

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, help="ignored: it is one process")
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    host = Host(log_line=lambda line: os.write(1, f"{line}\n".encode()))
    launch(create(0.02, host) if options.slow else create_app(MODEL, host=host), port=options.port)
    while True:
        signal.pause()
