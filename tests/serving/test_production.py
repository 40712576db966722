"""What `course serve` costs while nobody asks it, and what a worker of it has logged at its end."""

import os
import subprocess
import sys

import psutil
import pytest

from tests.support.serving import serving

# What a worker cannot do without. How much memory these take depends on the machine: 70 to 80 MB.
NEEDED = "ai_edge_litert.interpreter, filelock, flask, granian, jiter, numpy, prometheus_client"


def measure_bare_process() -> int:
    """Bytes that a process takes which has imported what a worker needs, and does nothing."""
    program = f"import psutil, {NEEDED}; print(psutil.Process().memory_info().rss)"
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory differently")
def test_an_idle_worker_of_mpg_is_small(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)  # coverage would measure in the worker, and take memory there
    with serving("mpg") as served:
        workers = psutil.Process(served.process.pid).children()
        largest = max(worker.memory_info().rss for worker in workers)
    assert largest <= 1.15 * measure_bare_process()


WORKER = """
import os
from course_utils.serving.production import LogWriter
draining = False
write_line = LogWriter(lambda: draining)
write_line("collected")
draining = True
write_line("written at once")
os._exit(9)  # as a worker ends that is killed: nothing more runs
"""


def test_a_worker_killed_while_it_stops_has_written_its_log():
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True)
    assert done.returncode == 9
    assert done.stdout.split("\n") == ["collected", "written at once", ""]
