"""Load by wrk, a process of its own."""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

# The body comes from a file: it may hold any bytes.
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "{content_type}"
local file = io.open("{body}", "rb")
wrk.body = file:read("*all")
file:close()
"""


@dataclass(frozen=True)
class Measured:
    per_second: float
    median_ms: float
    slowest_ms: float
    errors: int  # answers other than 2xx, and broken connections


def need_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("This benchmark needs wrk: apt-get install wrk (macOS: brew install wrk).")


def measure(
    url: str, body: bytes, content_type: str, seconds: int, *, connections: int = 8
) -> Measured:
    """POST the same body over and over on ``connections`` kept connections."""
    with tempfile.TemporaryDirectory() as folder:
        content, script = Path(folder) / "body", Path(folder) / "post.lua"
        content.write_bytes(body)
        text = SCRIPT.format(body=content, content_type=content_type)
        script.write_text(text, "utf-8")
        options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s"]
        command = ["wrk", *options, "--latency", "-s", str(script), url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    slowest = re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", text)
    assert rate, text
    assert median, text
    assert slowest, text
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    errors = int(refused[1]) if refused else 0
    errors += sum(map(int, broken.groups())) if broken else 0
    return Measured(float(rate[1]), *map(_milliseconds, (median, slowest)), errors)


def _milliseconds(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]
