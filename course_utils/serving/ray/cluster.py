"""Ray on this machine, started quietly, or a cluster joined by its address.

Whoever needs Ray enters and leaves; the last to leave stops what was started here. A cluster that
was there before stays.
"""

import contextlib
import logging
import os
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

LOOPBACK = "127.0.0.1"
OBJECT_STORE = 200 * 2**20  # bytes; photos on their way to the network pass through it
#: What Ray's processes find in their environment. A cluster takes it from where it is started:
#: set these there, too, so that Serve's own errors are problem+json and it scales within seconds.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # or a thread of Serve starts another Ray after the end
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "course_utils.serving.ray.problems:middleware",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or each start warns of a change to come
}
#: Where it is "0", Ray's processes keep to the loopback address and ask for no other. One port of
#: each of Serve's replicas is open all the same; Ray trusts whoever reaches it.
ELSEWHERE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
SECONDS = 5  # to reach a cluster; Ray itself would try for ever
_lock = threading.RLock()
_users = 0
_ours = False


def ray(address: str | None = None) -> Any:
    """The module Ray, quiet from its import on.

    Args:
        address: of the cluster that it is imported for.

    Raises:
        ModuleNotFoundError: it is not installed.
        ValueError: it has been imported for this machine alone.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if _is_here(address):
        os.environ.setdefault(ELSEWHERE, "0")
    elif os.environ.get(ELSEWHERE) == "0" and "ray" in sys.modules:
        raise ValueError(
            "Ray has been started on this machine alone, and has to be imported anew to join a "
            f"cluster: start this program, or the notebook's kernel, again, and join {address} at "
            "once."
        )
    try:
        with _quiet_import():
            import ray
            from ray import serve  # noqa: F401  # it sets up its log on import
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'This part of the course needs Ray: pip install "networks-at-work[scale]". (There is '
            "no Ray for Macs with an Intel processor.)"
        ) from error
    for name in ("ray", "ray.serve", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


@contextlib.contextmanager
def _quiet_import() -> Iterator[None]:
    """Without remarks on widgets that a notebook lacks, and on models as pydantic 1 had them."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def enter(address: str | None) -> None:
    """Be part of a cluster; `leave` it as often.

    Args:
        address: of a cluster, such as ``"10.0.0.7:6379"``; by default the one that this program
            is part of, else one of this machine alone, which is started.

    Raises:
        ConnectionError: no cluster answers there.
        ModuleNotFoundError: Ray is not installed.
        RuntimeError: Ray does not start.
        ValueError: this program is part of another cluster.
    """
    global _users, _ours
    engine = ray(address)
    with _lock:
        if not engine.is_initialized():
            _users, _ours = 0, address is None
            _start(engine) if address is None else _join(engine, address)
        elif address not in (None, "auto", here := engine.get_runtime_context().gcs_address):
            raise ValueError(
                f"This program is part of the cluster at {here} already. Stop what uses it, or "
                "call ray.shutdown(), before you join another."
            )
        _users += 1


def leave() -> None:
    """Stop Ray if `enter` started it and nobody else is using it."""
    global _users
    engine = ray()
    with _lock:
        _users -= 1
        if _users <= 0 and _ours and engine.is_initialized():
            engine.shutdown()


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[Any]:
    """The module Ray, for as long as the ``with`` lasts; see `enter`."""
    enter(address)
    try:
        yield ray()
    finally:
        leave()


def _start(engine: Any) -> None:
    for tries_left in (1, 0):
        try:
            engine.init(
                "local",  # not one that somebody else has started on this machine
                num_cpus=cores(),
                object_store_memory=OBJECT_STORE,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except Exception as error:  # it is a plain one, after thirty seconds
            engine.shutdown()
            if not tries_left:
                raise RuntimeError(
                    f"Ray does not start. Where this machine is busy, try again later. ({error})"
                ) from error
        else:
            return


def _join(engine: Any, address: str) -> None:
    try:
        if address != "auto":
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=SECONDS).close()
        engine.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise ConnectionError(
            f"No Ray cluster answers at {address}. `ray start --head` prints the address of the "
            "one it starts, such as 10.0.0.7:6379; leave it out to use this machine alone. "
            f"({error})"
        ) from None


def _is_here(address: str | None) -> bool:
    return address is None or address.startswith(("127.", "localhost:", "[::1]:"))


def cores() -> int:
    """Cores that Ray counts with where it is started here; at least two, for two replicas."""
    return max(2, os.cpu_count() or 1)
