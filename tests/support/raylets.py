"""A cluster of several raylets on this machine, and what becomes of requests when one dies."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from course_utils.serving.ray import Deployment, cluster
from tests.support.serving import free_port, wait_until

STORE = 100 * 2**20  # bytes, a node


@contextlib.contextmanager
def raylets(nodes: int, *, cores: int = 2, quick: bool = False) -> Iterator[Any]:
    """Ray's own stand-in for a cluster: a head and ``nodes`` more, each with processes of its own.

    Each has a proxy of its own. All share one address, so those that are not the head's listen on
    another port. At the end everything that came with it has to be gone.
    """
    cluster.import_ray()
    from ray.cluster_utils import Cluster

    options = {"num_cpus": cores, "object_store_memory": STORE, "include_dashboard": False}
    # A node that says nothing is given up after three seconds, not Ray's fifteen; one that is
    # only slow has ten times as long.
    heard = {"health_check_period_ms": 500, "health_check_failure_threshold": 6}
    head = options | {"_system_config": heard}
    # Other tests may have left this process a child that stays, such as a resource tracker.
    before = children()
    several = Cluster(initialize_head=True, head_node_args=head if quick else options)
    try:
        os.environ["RAY_SERVE_WORKER_PROXY_HTTP_PORT"] = str(free_port())
        for _ in range(nodes):
            several.add_node(**options)
        yield several
    finally:
        ours = [process for process in children() if process not in before]
        cluster.import_ray().shutdown()
        several.shutdown()
        wait_until(lambda: not any(map(_alive, ours)))


def children() -> list[psutil.Process]:
    """All processes that this one has started, and theirs."""
    return psutil.Process().children(recursive=True)


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def client(retries: int = 1) -> requests.Session:
    """A client that asks a second time, after the second that the first answer may ask for."""
    session = requests.Session()
    again = Retry(
        retries,
        allowed_methods=None,  # a prediction may be asked for twice
        status_forcelist=[503],
        backoff_factor=0,
        raise_on_status=False,
    )
    session.mount("http://", HTTPAdapter(max_retries=again))
    return session


@dataclass
class Shot:
    """What became of the requests while a machine was shot."""

    asked: int = 0
    failed: list[str] = field(default_factory=list)
    retried: int = 0
    slowest: float = 0.0
    lost: int = 0
    """Replicas that were missing at the worst moment."""
    seconds_to_full: float | None = None


def shoot(
    deployment: Deployment,
    ask: Callable[[requests.Session], requests.Response],
    kill: Callable[[], None],
    *,
    clients: int,
    patience: float,
) -> Shot:
    """Ask without a pause, ``kill`` a second later, go on until all replicas are back."""
    shot, end, lock = Shot(), threading.Event(), threading.Lock()

    def work() -> None:
        with client() as session:
            while not end.is_set():
                began = time.perf_counter()
                try:
                    answer = ask(session)
                    failure = "" if answer.ok else f"{answer.status_code} {answer.text}"
                    history = answer.raw.retries.history
                except requests.RequestException as error:
                    failure, history = repr(error), ()
                with lock:
                    shot.asked += 1
                    shot.retried += bool(history)
                    shot.slowest = max(shot.slowest, time.perf_counter() - began)
                    if failure:
                        shot.failed.append(failure)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        full = sum(deployment.replicas().values())
        time.sleep(1)
        kill()
        began = time.monotonic()
        while time.monotonic() < began + patience:
            missing = full - sum(deployment.replicas().values())
            shot.lost = max(shot.lost, missing)
            if shot.lost and not missing:
                shot.seconds_to_full = time.monotonic() - began
                time.sleep(1)  # the new ones answer, too
                break
            time.sleep(0.05)
    finally:
        end.set()
        for thread in threads:
            thread.join()
    return shot


def serves(node: Any, deployment: str) -> bool:
    """Whether one of a deployment's replicas runs on a node."""
    names = [" ".join(process.cmdline()) for process in _raylet(node).children()]
    return any("ServeReplica" in name and f":{deployment}" in name for name in names)


def kill_raylet(node: Any) -> None:
    """SIGKILL to the process by which a node belongs to the cluster; its replicas go with it."""
    _raylet(node).kill()


def _raylet(node: Any) -> psutil.Process:
    return psutil.Process(node.all_processes["raylet"][0].process.pid)
