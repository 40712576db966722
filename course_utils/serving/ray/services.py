"""The mpg and image services as Ray Serve deployments: `serve`."""

import atexit
import contextlib
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from course_utils.inference import Predictor, find_model
from course_utils.services import SERVICES
from course_utils.serving import ports
from course_utils.serving.ray import cluster

ON_RAY = ("mpg", "image")
APP = "course"  # the service's name among Serve's applications
DEFAULT_PORT = 8000  # Serve's own
QUEUE_SIZE = 64  # requests that may wait in a proxy; the excess gets 503
LOGGING_CONFIG = {"log_level": "WARNING", "enable_access_log": False}
# Serve kills a proxy that is not ready after five seconds; on a busy machine none ever would be.
PROXY_ENVIRONMENT = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "50"}
AUTOSCALING = {
    "upscale_delay_s": 2.0,  # of too much to do
    "downscale_delay_s": 30.0,  # of too little to do
    "look_back_period_s": 11.0,  # whose mean that is; Serve asks for more than ten
}


@dataclass(eq=False, repr=False)
class Deployment(contextlib.AbstractContextManager["Deployment"]):
    """A service on Ray Serve; `serve` makes it. Leaving it as a context manager stops it."""

    name: str
    url: str
    metrics: Path
    """The folder in which its replicas gather their metrics."""

    def replicas(self) -> dict[str, int]:
        """Return how many replicas of each of its deployments are running.

        Raises:
            RuntimeError: it has been stopped.
        """
        if _running is not self:
            raise RuntimeError(f"The service {self.name} has been stopped.")
        from ray import serve

        found = serve.status().applications[APP].deployments
        return {name: found[name].replica_states.get("RUNNING", 0) for name in sorted(found)}

    def stop(self) -> None:
        """End the replicas, and Ray if it was started for them; a second call does nothing."""
        global _running
        if _running is not self:
            return
        from ray import is_initialized, serve
        from ray.exceptions import RayError

        with contextlib.suppress(RayError, RuntimeError):  # the cluster may have gone before us
            if is_initialized():
                serve.delete(APP)
        _running = None  # not before: interrupted here, it can be stopped again
        shutil.rmtree(self.metrics, ignore_errors=True)
        cluster.shut_down()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Deployment {self.name}: {self.url if _running is self else 'stopped'}>"


_running: Deployment | None = None


def serve(
    name: str,
    *,
    replicas: int = 1,
    max_replicas: int | None = None,
    target: float = 4,
    model: str | Path | None = None,
    address: str | None = None,
) -> Deployment:
    """Serve ``"mpg"`` or ``"image"`` with the same routes as `course serve`, on Ray Serve.

    It replaces what this program has served before. The image service has two deployments: the app
    reads and checks photos, the network classifies what is waiting in one go. The proxies listen on
    the loopback address, on port 8000 or a free one; on a cluster where Serve runs already
    (``serve start --http-host 0.0.0.0``) they stay as they are.

    Args:
        name: of the service.
        replicas: processes that serve it, at least.
        max_replicas: at most, if their number shall follow the load.
        target: requests that a replica should have at a time, working and waiting, if it does.
        model: as `course serve --model`; on a cluster every node finds it at this path.
        address: of a cluster to join (see `cluster.connect`); each of its nodes then has a proxy.

    Raises:
        ConnectionError: no cluster answers at ``address``.
        FileNotFoundError: no model, or what belongs to it is not beside it.
        ModuleNotFoundError: Ray is not installed.
        RuntimeError: Ray or the replicas do not start.
        ValueError: an argument is out of bounds, or the model cannot be read.
    """
    global _running
    if name not in ON_RAY:
        raise ValueError(f"{name!r} is not served on Ray; choose one of {', '.join(ON_RAY)}.")
    ray = cluster.import_ray(address)  # says what is missing before anything is loaded
    path = Path(model).absolute() if model else find_model(name)
    path.stat()  # raises where there is no model, not only what belongs beside it
    SERVICES[name].create_app(path)  # raises here what would end each replica
    metrics = Path(gettempdir(), f"course-scale-{uuid.uuid4().hex}")
    scaling: dict[str, Any] = {"num_replicas": replicas}
    if max_replicas is not None:
        bounds = {"min_replicas": replicas, "max_replicas": max_replicas}
        scaling = {"autoscaling_config": bounds | {"target_ongoing_requests": target} | AUTOSCALING}
    application = _build_application(name, path, Predictor.load(path), metrics, scaling)
    if _running and not ray.is_initialized():  # it ended with the Ray that it ran on
        _running.stop()
    cluster.connect(address)
    try:
        _check_cores(ray, replicas)
        url = _start_proxies("HeadOnly" if address is None else "EveryNode")
        try:
            ray.serve.run(application, name=APP, route_prefix="/", logging_config=LOGGING_CONFIG)
        except RuntimeError as error:  # it says what did not start; its deployments say why
            found = ray.serve.status().applications[APP].deployments.values()
            why = " ".join([str(error), *(each.message for each in found)])
            ray.serve.delete(APP)  # or it goes on trying
            raise RuntimeError(why) from error
    except BaseException:
        if _running is None:
            cluster.shut_down()
        raise
    if _running:
        shutil.rmtree(_running.metrics, ignore_errors=True)
    _running = Deployment(name, url, metrics)
    return _running


def _check_cores(ray: Any, replicas: int) -> None:
    """Raise a ValueError where Serve would wait for ever for cores that the cluster lacks."""
    cores = ray.cluster_resources().get("CPU", 0)
    if replicas > cores:
        raise ValueError(
            f"{replicas} replicas need a core each, and there are {cores:g}. Ask for fewer, or "
            "join a larger cluster by its address."
        )


def _start_proxies(location: str) -> str:
    """Start Serve with its proxies, unless the cluster has it already; the proxies' address."""
    from ray import serve
    from ray.serve.context import _get_global_client

    client = _get_global_client(raise_if_no_controller_running=False)
    if client is None:
        with ports.listen([DEFAULT_PORT]) as listener:
            port = listener.getsockname()[1]
        serve.start(
            proxy_location=location,
            http_options={"host": ports.LOOPBACK, "port": port},
            logging_config=LOGGING_CONFIG,
            controller_options={"runtime_env": {"env_vars": PROXY_ENVIRONMENT}},
        )
        client = _get_global_client()
    host, port = client.http_config.host, client.http_config.port
    return f"http://{ports.LOOPBACK if host in ('0.0.0.0', '::') else host}:{port}"


def _build_application(
    name: str,
    model: Path,
    network: Predictor,
    metrics: Path,
    scaling: dict[str, Any],
) -> Any:
    """Describe what Serve is to run: the app, and the network of the image service beside it."""
    from ray import serve

    from course_utils.serving.ray import replicas

    apart = name == "image"
    shapes = network.input_shape, network.output_shape
    options = scaling | {
        "max_ongoing_requests": replicas.MAX_ONGOING_REQUESTS,
        "graceful_shutdown_timeout_s": 5,
        "ray_actor_options": {"num_cpus": 0.5 if apart else 1},
    }

    def build() -> Any:
        predictor = None
        if apart:
            handle = serve.get_deployment_handle("network", app_name=APP)
            predictor = replicas.RemotePredictor(handle, *shapes)
        return replicas.build_asgi_app(name, model, metrics, predictor)

    ingress = serve.deployment(serve.ingress(build)()).options(
        name=name, max_queued_requests=QUEUE_SIZE, **options
    )
    if not apart:
        return ingress.bind()
    beside = serve.deployment(replicas.Network).options(name="network", **options)
    return ingress.bind(beside.bind(model, metrics))


@atexit.register
def _stop_running() -> None:
    with contextlib.suppress(Exception):  # Python is ending; nobody is left to tell
        if _running:
            _running.stop()
