"""The queue in front of the slow part of a service."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from course_utils.services.http.errors import Problem
from course_utils.services.http.gate import Gate

PATIENCE = 0.4


def enter(gate: Gate) -> float:
    """Wait at a gate and pass it; the seconds that took."""
    began = time.monotonic()
    with gate:
        return time.monotonic() - began


def stand_still(seconds: float) -> None:
    """Keep all of Python for about so long: one call that lets no other thread have a turn."""
    began = time.perf_counter()
    sum(range(1_000_000))
    sum(range(int(1_000_000 * seconds / (time.perf_counter() - began))))


def test_who_waits_in_vain_is_turned_away() -> None:
    gate = Gate(slots=1, queue=1, max_wait_s=PATIENCE)
    with gate, ThreadPoolExecutor(1) as pool:
        for _ in range(2):  # who was turned away has taken nobody's place
            began = time.monotonic()
            with pytest.raises(Problem, match="more requests than"):
                pool.submit(enter, gate).result()
            assert time.monotonic() - began >= PATIENCE
    enter(gate)


def test_a_full_queue_takes_nobody() -> None:
    gate = Gate(slots=1, queue=0, max_wait_s=60)
    with gate, ThreadPoolExecutor(1) as pool, pytest.raises(Problem, match="more requests than"):
        pool.submit(enter, gate).result()


def test_a_moment_in_which_the_process_stands_still_turns_nobody_away() -> None:
    gate = Gate(slots=1, max_wait_s=PATIENCE)
    waiting = threading.Event()

    def wait() -> float:
        waiting.set()
        return enter(gate)

    with ThreadPoolExecutor(1) as pool:
        with gate:
            answer = pool.submit(wait)
            waiting.wait()
            time.sleep(0.02)
            stand_still(3 * PATIENCE)
            time.sleep(0.02)
        assert answer.result() > PATIENCE
