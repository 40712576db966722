"""Ray on this machine, started quietly, or a cluster joined by its address."""

import logging
import os
import socket
import warnings
from typing import Any

OBJECT_STORE_BYTES = 200 * 2**20  # photos on their way to the network pass through it
CONNECT_TIMEOUT_S = 5  # to reach a cluster; Ray itself would try for ever
#: What Ray's processes find in their environment. A cluster takes it from where it is started:
#: set these there, too, so that Serve's own errors are problem+json, answers have one request id
#: and it scales within seconds.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # or a thread of Serve starts another Ray after the end
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "course_utils.serving.ray.problems:middleware",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or each start warns of a change to come
}
#: With this, Ray's processes keep to the loopback address and ask for no other. One port of each
#: of Serve's replicas is open all the same; Ray trusts whoever reaches it.
LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_started_here = False


def import_ray(address: str | None = None) -> Any:
    """Import the module Ray, quiet from its import on.

    Args:
        address: of the cluster that it is imported for; by default for this machine alone, and
            then no cluster on other machines can be joined before Python starts anew.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    here = not address or address.startswith(("127.", "localhost:"))
    for name, value in (ENVIRONMENT | (LOOPBACK_ONLY if here else {})).items():
        os.environ.setdefault(name, value)
    logging.disable(logging.WARNING)  # a remark on widgets that a notebook lacks
    try:
        with warnings.catch_warnings(action="ignore"):  # of models as pydantic 1 had them
            import ray
            from ray import serve  # noqa: F401  # it sets up its log on import
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'This part of the course needs Ray: pip install "networks-at-work[scale]". (There is '
            "no Ray for Macs with an Intel processor.)"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


def connect(address: str | None) -> None:
    """Start Ray on this machine or join a cluster, unless this program is part of it already.

    Args:
        address: of a cluster, such as ``"10.0.0.7:6379"``; by default the one that this program
            is part of, else one of this machine alone, which is started.

    Raises:
        ConnectionError: no cluster answers there.
        ModuleNotFoundError: Ray is not installed.
        RuntimeError: Ray does not start.
        ValueError: this program is part of another cluster.
    """
    global _started_here
    ray = import_ray(address)
    if not ray.is_initialized():
        _started_here = address is None
        _start(ray) if address is None else _join(ray, address)
    elif address not in (None, here := ray.get_runtime_context().gcs_address):
        raise ValueError(
            f"This program is part of the cluster at {here} already. Stop what uses it, or call "
            "ray.shutdown(), before you join another."
        )


def shut_down() -> None:
    """Stop Ray if `connect` has started it."""
    global _started_here
    if _started_here:
        import_ray().shutdown()
        _started_here = False


def _start(ray: Any) -> None:
    try:
        ray.init(
            "local",  # not one that somebody else has started on this machine
            num_cpus=max(2, os.cpu_count() or 1),  # at least two, for two replicas
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # a plain one, after thirty seconds
        ray.shutdown()
        raise RuntimeError(
            f"Ray does not start. Where this machine is busy, try again later. ({error})"
        ) from error


def _join(ray: Any, address: str) -> None:
    try:
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConnectionError(
            f"No Ray cluster answers at {address}. `ray start --head` prints the address of the "
            f"one it starts, such as 10.0.0.7:6379; without one, this machine is used. ({error})"
        ) from None
