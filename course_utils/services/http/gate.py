"""A bounded queue in front of the slow part of a service.

Under more load than it can serve, a service has two choices: let everybody wait ever longer, or
serve what it can at full speed and tell the rest at once to come back later. The gate does the
second: at most ``slots`` requests work at a time, at most ``queue`` wait, and none of them longer
than ``max_wait_s`` seconds in which the service runs. A moment in which the whole process stands
still (a collection of garbage, a busy host) says nothing about the load and turns nobody away.
"""

import threading
from queue import Empty, SimpleQueue

from course_utils.services.http.errors import Problem

WAITING_STEPS = 4  # However long the process stands still, it uses up one of them.
OVERLOADED = "The service has more requests than it can serve. Wait a second and try again."


class Gate:
    """Use it as a context manager around the work.

    Raises (on entering):
        Problem: 503 with ``Retry-After``, if no slot came free in time.
    """

    def __init__(self, *, slots: int, queue: int = 32, max_wait_s: float = 0.02):
        # An entry for each free slot. It is written in C, unlike a semaphore.
        self._slots: SimpleQueue[None] = SimpleQueue()
        for _ in range(slots):
            self._slots.put(None)
        self._places = threading.Semaphore(queue)
        self._max_wait_s = max_wait_s

    def __enter__(self) -> None:
        if not self._take_slot(0) and not self._wait_for_slot():
            raise Problem(503, OVERLOADED, headers={"Retry-After": "1"})

    def _take_slot(self, timeout_s: float) -> bool:
        try:
            self._slots.get(timeout=timeout_s)
            return True
        except Empty:
            return False

    def _wait_for_slot(self) -> bool:
        if not self._places.acquire(blocking=False):
            return False
        try:
            step = self._max_wait_s / WAITING_STEPS
            return any(self._take_slot(step) for _ in range(WAITING_STEPS))
        finally:
            self._places.release()

    def __exit__(self, *_: object) -> None:
        self._slots.put(None)
