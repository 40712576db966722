"""The request log that a worker writes in batches."""

import subprocess
import sys

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
