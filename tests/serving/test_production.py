"""What `course serve` costs while nobody asks it."""

import os
import sys

import psutil
import pytest

from tests.support.serving import MODEL, serving

LARGEST_WORKER = 75e6  # bytes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory differently")
def test_an_idle_worker_of_mpg_is_small(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)  # coverage would measure in the worker, and take memory there
    with serving("mpg", model=MODEL) as served:
        workers = psutil.Process(served.process.pid).children()
        assert max(worker.memory_info().rss for worker in workers) <= LARGEST_WORKER
