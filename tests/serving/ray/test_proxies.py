"""A node with a proxy is killed under load, three times: the client of notebook 16 has two."""

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from course_utils.serving import ray as on_ray
from tests.support.notebooks import NOTEBOOKS, code_cells, read
from tests.support.raylets import STORE, raylets
from tests.support.serving import CAR, MODEL, wait_until

pytestmark = [
    pytest.mark.thorough,
    # Ray leaves the pipes and log files of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
KILLS = 3
CLIENTS = 6
ANSWERS = 60  # before a node dies, and after it


def notebook_client() -> Any:
    """The class as the notebook has it."""
    notebook = next(path for path in NOTEBOOKS if path.stem == "16_scale_out")
    (source,) = (
        c.source for c in code_cells(read(notebook)) if c.source.startswith("class Client")
    )
    space: dict[str, Any] = {"requests": requests}
    exec(source, space)
    return space["Client"]


def answers(address: str) -> bool:
    try:
        return requests.post(f"{address}/api/mpg", json=CAR, timeout=30).ok
    except requests.ConnectionError:
        return False


def ask_and_kill(
    addresses: tuple[str, str], kill: Callable[[], None]
) -> tuple[list[int], list[str]]:
    """Ask without a pause, half of the clients each address first; the tries, and what failed."""
    tries: list[int] = []
    failed: list[str] = []
    end, make_client = threading.Event(), notebook_client()

    def work(number: int) -> None:
        client = make_client(*addresses[:: 1 if number % 2 else -1])
        while not end.is_set():
            try:
                response, count = client.ask(CAR)
                assert response.json()["mpg"] > 0
                tries.append(count)
            except (ConnectionError, AssertionError, KeyError, ValueError) as error:
                failed.append(repr(error))

    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(CLIENTS):
            pool.submit(work, number)
        try:
            wait_until(lambda: len(tries) >= ANSWERS)
            kill()
            before = len(tries)
            wait_until(lambda: len(tries) >= before + ANSWERS)
        finally:
            end.set()
    return tries, failed


def test_a_client_with_two_addresses_loses_nothing_when_a_proxy_dies() -> None:
    # A core a node: each has a replica and with it a proxy. The lost one waits for a new node.
    with raylets(1, cores=1, quick=True) as several:
        second = f"http://127.0.0.1:{os.environ['RAY_SERVE_WORKER_PROXY_HTTP_PORT']}"
        with on_ray.serve("mpg", model=MODEL, replicas=2, address=several.address) as served:
            for _ in range(KILLS):
                assert wait_until(lambda: sum(served.replicas().values()) == 2, 120)
                assert wait_until(lambda: answers(second), 120)
                (node,) = (each for each in several.list_all_nodes() if not each.head)
                kill = functools.partial(several.remove_node, node, allow_graceful=False)
                tries, failed = ask_and_kill((second, served.url), kill)
                assert failed == []
                assert tries.count(2) >= CLIENTS // 2  # those that were connected to the dead node
                assert not answers(second)
                several.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False)
