"""A service that follows what is promoted, without a failed request.

Which version of a model is served, and which is on trial beside it, stands in a store of models
(see `registry`). This service looks there twice a second. A version that it does not know yet is
verified, loaded and asked a known sample beside the one that serves; only then new requests go to
it, while those in flight end on the old one. What does not verify or load is refused: the log and
``/version`` say why, and the newest version before it that can be served goes on. A refused version
is tried again when what the store says changes.

Each worker follows by itself, so for about a second, and longer where one of them has refused the
new version, two of them may serve different ones; the header ``X-Model-Version`` says which one
answered. The metrics count by version, so that a canary's errors and latency can be compared with
those of the version it may replace.
"""

import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course_utils import registry
from course_utils.services.catalog import SERVICES
from course_utils.services.http.telemetry import ALONE, Host, Metrics

POLL_INTERVAL_S = 0.5  # between two looks into the store
GOLDEN_RATIO = (5**0.5 - 1) / 2

App = Callable[..., Iterable[bytes]]
log = logging.getLogger(__name__)


def create_app(
    name: str,
    *,
    store: str | Path | None = None,
    host: Host = ALONE,
    record: str | Path | None = None,
) -> "VersionedApp":
    """The service ``name`` with the version of its model that the store says, now and later.

    Make it in the process that serves: a thread of it watches the store.

    Args:
        name: of the service and of its model in the store, for example ``mpg``.
        store: a store of models (see `registry`); by default the learner's.
        host: what the server around the app offers it.
        record: a folder in which to keep accepted examples (see `inference.Recorder`), each with
            the version that answered it.

    Returns:
        A WSGI application.

    Raises:
        ValueError: nothing is promoted, or nothing that was ever promoted can be served.
    """
    app = VersionedApp(name, store, host, record)
    threading.Thread(target=_follow, args=(weakref.ref(app),), name="versions", daemon=True).start()
    return app


def check(name: str, store: str | Path | None = None) -> None:
    """Find out whether what the store says can be served.

    Raises:
        ValueError: nothing is promoted, or the promoted version does not verify or load.
    """
    _load(name, registry.find_served(name, store=store), store)


@dataclass(frozen=True)
class _Route:
    """The apps that answer requests; replaced as a whole, so no request sees half a change."""

    serving: registry.Serving
    main: App
    canary: App | None = None


class VersionedApp:
    """The WSGI application that `create_app` makes."""

    def __init__(
        self, name: str, store: str | Path | None, host: Host, record: str | Path | None
    ) -> None:
        self.name = name
        self._store, self._host, self._record = store, host, record
        self._metrics = Metrics()
        self._turns = itertools.count(1)
        self._apps: dict[int, App] = {}
        self._refused: dict[int, str] = {}
        self._trouble = ""  # why the store could not be followed, the last time
        self._polling = threading.Lock()
        registry.find_served(name, store=store)  # raises where nothing is promoted
        self._history = registry.read_history(name, store=store)
        self._route = self._choose_route()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        route = self._route
        # Health, metrics and documents are asked with GET: a canary has no share in those.
        is_work = environ["REQUEST_METHOD"] == "POST"
        if route.canary and is_work and self._is_canarys_turn(route.serving.share):
            return route.canary(environ, start_response)
        return route.main(environ, start_response)

    def _is_canarys_turn(self, share: float) -> bool:
        # The multiples of the golden ratio, modulo 1, fill the unit interval evenly. So of any n
        # consecutive requests the canary gets its share to within one or two, whereas random
        # numbers would deviate by about the square root of n. The sequence has no period either,
        # so a client that repeats its requests regularly does not always reach the same version.
        return next(self._turns) * GOLDEN_RATIO % 1 < share

    def state(self) -> dict[str, Any]:
        """What ``/version`` answers, for the process that is asked."""
        serving = self._route.serving
        return {
            "name": self.name,
            "serving": serving.version,
            "canary": serving.canary,
            "share": serving.share,
            "since": serving.time,
            "refused": [{"version": v, "reason": why} for v, why in sorted(self._refused.items())],
        }

    def poll(self) -> None:
        """Look into the store and do as it says; never raises."""
        with self._polling:
            try:
                history = registry.read_history(self.name, store=self._store)
                if history and history != self._history:
                    self._history = history
                    self._route = self._choose_route()
                self._trouble = ""
            except (OSError, ValueError) as error:
                if str(error) != self._trouble:  # once, not twice a second
                    log.error("%s goes on unchanged: %s", self.name, error)
                self._trouble = str(error)

    def _choose_route(self) -> _Route:
        """The promoted version, else the newest before it that can serve, and the canary.

        A worker that takes the place of a lost one must not stay away because of a bad version.

        Raises:
            ValueError: none can serve.
        """
        wanted, self._refused = self._history[-1], {}
        canary = self._get_ready(wanted.canary)
        # Entries in a row with the same version differ in the canary; the first is the promotion.
        rows = itertools.groupby(self._history, key=lambda serving: serving.version)
        for promoted in reversed([next(row) for _, row in rows]):
            if main := self._get_ready(promoted.version):
                break
        else:
            raise ValueError("; ".join(f"version {v}: {why}" for v, why in self._refused.items()))
        on_trial, share = (wanted.canary, wanted.share) if canary else (None, 0.0)
        in_use = promoted.version, on_trial
        self._apps = {version: app for version, app in self._apps.items() if version in in_use}
        return _Route(replace(promoted, canary=on_trial, share=share), main, canary)

    def _get_ready(self, version: int | None) -> App | None:
        """A version's app, loaded if it is not yet; None where there is none or it is refused."""
        if version is None:
            return None
        if version not in self._apps and version not in self._refused:
            host = replace(self._host, version=version, metrics=self._metrics, state=self.state)
            try:
                self._apps[version] = _load(
                    self.name, version, self._store, host=host, record=self._record
                )
            except Exception as error:  # whatever a file makes its loader raise
                log.error("version %d of %s is refused: %s", version, self.name, error)
                # Replaced, not changed: `state` may be reading it.
                self._refused = self._refused | {version: str(error)}
        return self._apps.get(version)


def _load(name: str, version: int, store: str | Path | None, **options: Any) -> App:
    """The app of one version, verified, loaded and warm.

    Raises:
        Exception: it cannot be served, whatever the reason.
    """
    found = registry.load(name, version, store=store)
    if found.model.suffix != ".tflite":  # TensorFlow does not survive the fork of the workers
        raise ValueError(f"{found.model.name} cannot be served: register a .tflite file")
    registry.verify(found)
    app = SERVICES[name].create_app(found.model, **options)
    answer = app.test_client().get("/readyz")  # through all the layers that requests will take
    if answer.status_code != 200:
        raise ValueError(f"it is not ready: {answer.get_json()['detail']}")
    return app


def _follow(reference: "weakref.ref[VersionedApp]") -> None:
    """Look again and again, as long as somebody holds the app."""
    while app := reference():
        app.poll()
        del app
        time.sleep(POLL_INTERVAL_S)
