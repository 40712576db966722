"""The first minute: `make lab` in an empty folder with empty caches, until JupyterLab answers.

Also the second start in the same folder, and what the environment takes on the disk. Everything is
downloaded anew, about 1 GB each round: `python -m benchmarks.first_start 3` runs three rounds.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from tests.support import copy_tree
from tests.support.serving import free_port

LIMITS = {"first start (s)": 60, "second start (s)": 5, "environment (GB)": 2.8}
# What a machine that never saw the course has not: the caches of uv, pip, npm and Keras.
CACHES = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache", "KERAS_HOME")


def start(tree: Path, caches: Path) -> float:
    """Run `make lab` until JupyterLab answers, and end it; the seconds that it took."""
    port = free_port()
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment = outer | {name: str(caches / name) for name in CACHES}
    command = ["make", "lab", f"ARGS=--no-browser --port {port}"]
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        lab = subprocess.Popen(
            command, cwd=tree, env=environment, stdout=log, stderr=log, process_group=0
        )
        try:
            while not answers(port):
                if lab.poll() is not None:
                    log.seek(0)
                    raise SystemExit(log.read())
                time.sleep(0.1)
            return time.perf_counter() - began
        finally:
            os.killpg(lab.pid, signal.SIGTERM)
            lab.wait()


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/api", timeout=5).ok
    except requests.RequestException:
        return False


def measure_size(folder: Path) -> float:
    """Gigabytes of the files in a folder."""
    files = [path for path in folder.rglob("*") if not path.is_symlink() and path.is_file()]
    return sum(path.stat().st_size for path in files) / 1e9


def run_rounds(number: int) -> Iterator[tuple[float, float, float]]:
    for _ in range(number):
        with tempfile.TemporaryDirectory() as folder:
            tree, caches = copy_tree(Path(folder, "course")), Path(folder, "caches")
            times = [start(tree, caches) for _ in range(2)]
            yield *times, measure_size(tree / ".venv")


def main(rounds: int) -> None:
    measured = zip(*run_rounds(rounds), strict=True)
    table = Table("", "median", "limit", title=f"`make lab`, {rounds} rounds")
    missed = []
    for (name, limit), values in zip(LIMITS.items(), measured, strict=True):
        median = statistics.median(values)
        table.add_row(name, f"{median:.1f}", str(limit))
        missed += [name] if median > limit else []
    Console().print(table)
    if missed:
        raise SystemExit(f"above the limit: {', '.join(missed)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
