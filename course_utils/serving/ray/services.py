"""The mpg and image services as Ray Serve deployments: `serve`."""

import atexit
import contextlib
import html
import shutil
import socket
import threading
import uuid
from pathlib import Path
from typing import Any

from course_utils.inference import Predictor, find_model
from course_utils.services import SERVICES
from course_utils.serving.ray import cluster

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
ON_RAY = ("mpg", "image")
PORT = 8000  # Serve's own
QUIET = {"log_level": "WARNING", "enable_access_log": False}
# Serve kills a proxy that is not ready after five seconds; on a busy machine none ever would be.
PATIENT = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "50"}
SECONDS_UP, SECONDS_DOWN = 2.0, 30.0  # of too much, or too little, to do before it scales
LOOK_BACK = 11.0  # seconds whose mean that is; Serve asks for more than ten


class Deployment:
    """A service on Ray Serve; `serve` makes it. Leaving it as a context manager stops it."""

    def __init__(self, name: str, app: str, url: str, metrics: str):
        """``app`` is its name among Serve's applications."""
        self.name = name
        self.url = url
        self.app = app
        self._metrics = metrics
        self._running = True

    def replicas(self) -> dict[str, int]:
        """How many replicas of each of its deployments are running.

        Raises:
            RuntimeError: it has been stopped.
        """
        if not self._running:
            raise RuntimeError(f"The service {self.name} has been stopped.")
        from ray import serve

        found = serve.status().applications[self.app].deployments
        return {name: found[name].replica_states.get("RUNNING", 0) for name in sorted(found)}

    def stop(self) -> None:
        """End the replicas, and Ray if it was started for them; a second call does nothing."""
        if not self._running:
            return
        from ray import is_initialized, serve
        from ray.exceptions import RayError

        with contextlib.suppress(RayError, RuntimeError):  # the cluster may have gone before us
            if is_initialized():
                serve.delete(self.app)
        self.let_go()

    def let_go(self) -> None:
        """Be stopped: another has taken its place, or its replicas have ended."""
        if not self._running:
            return
        self._running = False
        from course_utils.serving.ray.replicas import metrics_folder

        cluster.leave()
        shutil.rmtree(metrics_folder(self._metrics), ignore_errors=True)

    def __enter__(self) -> "Deployment":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Deployment {self.name}: {self.url if self._running else 'stopped'}>"

    def _repr_html_(self) -> str:
        if not self._running:
            return html.escape(f"{self.name}: stopped")
        url = html.escape(self.url)
        return f'{self.name}: <a href="{url}" target="_blank">{url}</a>'


def serve(
    name: str,
    *,
    replicas: int = 1,
    max_replicas: int | None = None,
    target: float = 4,
    queue: int = 64,
    model: str | Path | None = None,
    address: str | None = None,
    host: str = cluster.LOOPBACK,
    port: int | None = None,
    prefix: str = "/",
) -> Deployment:
    """Serve ``"mpg"`` or ``"image"`` with the same routes as `course serve`, on Ray Serve.

    Serving it again replaces what was served at ``prefix``. The image service has two deployments:
    the app reads and checks photos, the network classifies what is waiting in one go.

    Args:
        name: of the service.
        replicas: processes that serve it, at least.
        max_replicas: at most, if their number shall follow the load.
        target: requests that a replica should have at a time, working and waiting, if it does.
        queue: requests that may wait in a proxy; more are told to come back (503).
        model: as `course serve --model`; on a cluster every node finds it at this path.
        address: of a cluster to join (see `cluster.enter`); each of its nodes then has a proxy.
        host: where the proxies listen.
        port: theirs, by default 8000, or a free one where that is taken.
        prefix: of the paths, where a cluster serves several applications.

    Raises:
        ConnectionError: no cluster answers at ``address``.
        FileNotFoundError: no model, or what belongs to it is not beside it.
        ModuleNotFoundError: Ray is not installed.
        OSError: the port is taken.
        RuntimeError: the replicas do not start.
        ValueError: an argument is out of bounds, or the model cannot be read.
    """
    _check(name, replicas, max_replicas, target, queue, port, prefix)
    cluster.ray(address)  # says what is missing before anything is loaded
    path = Path(model).absolute() if model else find_model(name)
    network = Predictor.load(path)
    # What is wrong is better known before the start.
    SERVICES[name].create_app(path, predictor=network)
    cluster.enter(address)
    try:
        _check_cores(replicas)
        url = _open_door(host, port, everywhere=address is not None)
        words = prefix.rstrip("/").replace("-", "--").replace("/", "-")  # /a-b is not /a/b
        app, metrics = f"course{words}", uuid.uuid4().hex
        scaling = _scaling(replicas, max_replicas, target)
        shapes = (network.input_shape, network.output_shape)
        runs = _application(name, str(path), shapes, metrics, app, queue, scaling)
        _run(runs, name, app, prefix)
    except BaseException:
        cluster.leave()
        raise
    return _known(Deployment(name, app, url + prefix.rstrip("/"), metrics))


def _check(
    name: str,
    replicas: int,
    max_replicas: int | None,
    target: float,
    queue: int,
    port: int | None,
    prefix: str,
) -> None:
    if name not in ON_RAY:
        raise ValueError(f"{name!r} is not served on Ray; choose one of {', '.join(ON_RAY)}.")
    wholes = (("replicas", replicas), ("max_replicas", max_replicas), ("queue", queue))
    for what, value in wholes:
        if value is not None and (not isinstance(value, int) or not 1 <= value <= 10_000):
            raise ValueError(f"{what} is {value!r}; give a whole number from 1 to 10,000.")
    if max_replicas is not None and max_replicas < replicas:
        raise ValueError(f"max_replicas is {max_replicas}, fewer than replicas, {replicas}.")
    if not isinstance(target, int | float) or not 0 < target <= 1000:
        raise ValueError(f"target is {target!r}; give a number of requests above 0, up to 1,000.")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"port {port}: ports are numbers from 1 to 65535.")
    if not prefix.startswith("/") or (prefix.endswith("/") and prefix != "/"):
        raise ValueError(f"prefix is {prefix!r}; it begins with a / and does not end with one.")


def _check_cores(replicas: int) -> None:
    cores = cluster.ray().cluster_resources().get("CPU", 0)
    if replicas > cores:
        raise ValueError(
            f"{replicas} replicas need a core each, and there are {cores:g}. Ask for fewer, or "
            "join a larger cluster by its address."
        )


def _open_door(host: str, port: int | None, *, everywhere: bool) -> str:
    """Start Serve with its proxies, unless the cluster has it already; the proxies' address."""
    from ray import serve
    from ray.serve.context import _get_global_client

    client = _get_global_client(raise_if_no_controller_running=False)
    if client is None:
        options = {"host": host, "port": _free(host, port)}
        where = "EveryNode" if everywhere else "HeadOnly"
        serve.start(
            proxy_location=where,
            http_options=options,
            logging_config=QUIET,
            controller_options={"runtime_env": {"env_vars": PATIENT}},
        )
        client = _get_global_client()
    there = client.http_config
    if port not in (None, there.port):
        raise ValueError(f"This cluster's proxies listen on port {there.port} already, not {port}.")
    name = cluster.LOOPBACK if there.host in ("0.0.0.0", "::") else there.host
    return f"http://{name}:{there.port}"


def _free(host: str, port: int | None) -> int:
    """The wished port, else Serve's own, else any.

    Raises:
        OSError: the wished one is taken.
    """
    for wish in (PORT, 0) if port is None else (port,):
        try:
            with socket.create_server((host, wish)) as listener:
                return int(listener.getsockname()[1])
        except OSError as error:
            reason = error
    raise OSError(f"Port {port} of {host} cannot be had: {reason}. Leave it out to get a free one.")


def _application(
    name: str,
    model: str,
    shapes: Shapes,
    metrics: str,
    app: str,
    queue: int,
    scaling: dict[str, Any],
) -> Any:
    """What Serve is to run."""
    from ray import serve

    from course_utils.serving.ray.replicas import ONGOING, Elsewhere, Network, asgi_app

    apart = name == "image"
    options = scaling | {
        "max_ongoing_requests": ONGOING,
        "graceful_shutdown_timeout_s": 5,
        "ray_actor_options": {"num_cpus": 0.5 if apart else 1},
    }

    def build() -> Any:
        network = serve.get_deployment_handle("network", app_name=app) if apart else None
        return asgi_app(name, model, metrics, Elsewhere(network, *shapes) if network else None)

    ingress = serve.deployment(serve.ingress(build)()).options(
        name=name, max_queued_requests=queue, **options
    )
    if not apart:
        return ingress.bind()
    network = serve.deployment(Network).options(name="network", **options)
    return ingress.bind(network.bind(model, metrics))


def _run(application: Any, name: str, app: str, prefix: str) -> None:
    from ray import serve

    try:
        serve.run(application, name=app, route_prefix=prefix, logging_config=QUIET)
    except RuntimeError as error:
        said = [d.message for d in serve.status().applications[app].deployments.values()]
        serve.delete(app)
        raise RuntimeError(
            f"The replicas of the service {name} did not start. {' '.join(filter(None, said))}"
        ) from error


_serving: dict[str, Deployment] = {}
_lock = threading.Lock()


def _known(deployment: Deployment) -> Deployment:
    """Remember it; what it has replaced has stopped."""
    with _lock:
        old, _serving[deployment.app] = _serving.get(deployment.app), deployment
    if old:
        old.let_go()
    return deployment


@atexit.register
def _stop_all() -> None:
    for deployment in list(_serving.values()):
        with contextlib.suppress(Exception):  # Python is ending; nobody is left to tell
            deployment.stop()


def _scaling(replicas: int, max_replicas: int | None, target: float) -> dict[str, Any]:
    if max_replicas is None:
        return {"num_replicas": replicas}
    return {
        "autoscaling_config": {
            "min_replicas": replicas,
            "max_replicas": max_replicas,
            "target_ongoing_requests": target,
            "upscale_delay_s": SECONDS_UP,
            "downscale_delay_s": SECONDS_DOWN,
            "look_back_period_s": LOOK_BACK,
        }
    }
