"""Load by wrk, a process of its own."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.serving import CAR

SCRIPT = """
wrk.method = "POST"
wrk.body = '%s'
wrk.headers["Content-Type"] = "application/json"
"""


@dataclass(frozen=True)
class Measured:
    per_second: float
    median_ms: float
    errors: int  # answers other than 2xx, and broken connections


def need_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("This benchmark needs wrk: apt-get install wrk (macOS: brew install wrk).")


def measure(url: str, *, seconds: int, connections: int = 8) -> Measured:
    """POST the same car over and over on ``connections`` kept connections."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(SCRIPT % json.dumps(CAR), "utf-8")
        options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s"]
        command = ["wrk", *options, "--latency", "-s", str(script), url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    assert rate, text
    assert median, text
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    errors = int(refused[1]) if refused else 0
    errors += sum(map(int, broken.groups())) if broken else 0
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}[median[2]]
    return Measured(float(rate[1]), float(median[1]) * unit, errors)
