"""A service that follows what is promoted, without a failed request.

Which version of a model is served, and which is on trial beside it, stands in a store of models
(see `registry`). This service looks there twice a second. A version that it does not know yet is
verified, loaded and asked a known sample beside the one that serves; only then new requests go to
it, while those in flight end on the old one. What does not verify or load is refused: the log and
``/version`` say why, and the old version goes on.

Each worker follows by itself, so for about a second two of them may serve different versions;
the header ``X-Model-Version`` says which one answered. The metrics count by version, so that a
canary's errors and latency can be compared with those of the version it may replace.
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
from course_utils.services.http.watch import ALONE, Host, Metrics, Release

LOOK = 0.5  # seconds between two looks into the store
AGAIN = 10.0  # seconds until what was refused is tried again: a disk may have been away
GOLDEN = (5**0.5 - 1) / 2

log = logging.getLogger(__name__)


def create_app(
    name: str,
    *,
    store: str | Path | None = None,
    host: Host = ALONE,
    record: str | Path | None = None,
) -> "Following":
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
    app = Following(name, store, host, record)
    threading.Thread(target=_follow, args=(weakref.ref(app),), name="versions", daemon=True).start()
    return app


def check(name: str, store: str | Path | None = None) -> registry.Serving:
    """What the store says is to be served, once it has been found that it can be.

    Raises:
        ValueError: nothing is promoted, or the promoted version does not verify or load.
    """
    serving = registry.serving(name, store=store)
    if serving.version is None:
        raise ValueError(registry.nothing_promoted(name, store))
    _load(name, serving.version, store, ALONE)
    return serving


@dataclass(frozen=True)
class _Loaded:
    """One version, ready to answer."""

    version: int
    app: Callable[..., Iterable[bytes]]


@dataclass(frozen=True)
class _Now:
    """Who answers. Replaced as a whole, so that no request meets half a change."""

    main: _Loaded
    canary: _Loaded | None
    share: float
    since: str


class Following:
    """The WSGI application that `create_app` makes."""

    def __init__(
        self, name: str, store: str | Path | None, host: Host, record: str | Path | None
    ) -> None:
        self.name = name
        self._store, self._host, self._record = store, host, record
        self._metrics = Metrics(by_version=True)
        self._turns = itertools.count(1)
        self._loaded: tuple[_Loaded, ...] = ()
        self._wanted: registry.Serving | None = None
        self._refused: dict[int, str] = {}
        self._try_again = float("inf")
        self._trouble = ""  # why the store could not be read, the last time
        self._looking = threading.Lock()
        self._now = self._first()
        self._loaded = (self._now.main,)
        self.look()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        now = self._now
        # Health, metrics and documents are asked with GET: a canary has no share in those.
        if now.canary and environ["REQUEST_METHOD"] == "POST" and self._its_turn(now.share):
            return now.canary.app(environ, start_response)
        return now.main.app(environ, start_response)

    def _its_turn(self, share: float) -> bool:
        # The multiples of the golden ratio fill the unit interval evenly: of any number of
        # requests in a row the canary gets its share, to one or two, where a throw of dice would
        # stray by the root of the number. And they have no period that a client's own rhythm
        # could fall in step with, as a count of every tenth request has.
        return next(self._turns) * GOLDEN % 1 < share

    def state(self) -> dict[str, Any]:
        """What ``/version`` answers, for the process that is asked."""
        now = self._now
        return {
            "name": self.name,
            "serving": now.main.version,
            "canary": now.canary.version if now.canary else None,
            "share": now.share if now.canary else 0.0,
            "since": now.since,
            "refused": [{"version": v, "reason": why} for v, why in sorted(self._refused.items())],
        }

    def look(self) -> None:
        """Look into the store and do as it says; never raises."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        try:
            wanted = registry.serving(self.name, store=self._store)
        except (OSError, ValueError) as error:
            if str(error) != self._trouble:  # once, not twice a second
                log.error("%s goes on unchanged: %s", self.name, error)
            self._trouble = str(error)
            return
        self._trouble = ""
        if wanted != self._wanted or time.monotonic() >= self._try_again:
            self._wanted, self._try_again = wanted, float("inf")
            self._adopt(wanted)

    def _adopt(self, wanted: registry.Serving) -> None:
        before = self._now
        asked = wanted.version, wanted.canary
        self._refused = {v: why for v, why in self._refused.items() if v in asked}
        main = self._ready(wanted.version) or before.main
        canary = self._ready(wanted.canary)
        since = before.since if main.version == before.main.version else wanted.time
        self._now = _Now(main, canary, wanted.share, since)
        self._loaded = (main, canary) if canary else (main,)
        if self._refused:
            self._try_again = time.monotonic() + AGAIN
        log.info("%s: %s", self.name, self.state())

    def _ready(self, version: int | None) -> _Loaded | None:
        """A version, loaded if it is not yet; None where there is none, or it was refused."""
        for loaded in self._loaded:
            if loaded.version == version:
                return loaded
        if version is None:
            return None
        try:
            host = replace(self._host, release=Release(version, self._metrics, self.state))
            loaded = _Loaded(version, _load(self.name, version, self._store, host, self._record))
        except Exception as error:  # whatever a file makes its loader raise
            if self._refused.get(version) != str(error):
                log.error("version %d of %s is refused: %s", version, self.name, error)
            self._refused = self._refused | {version: str(error)}  # anew: somebody may read it
            return None
        self._refused = {v: why for v, why in self._refused.items() if v != version}
        return loaded

    def _first(self) -> _Now:
        """The version to begin with: the promoted one, else the last before it that can serve.

        A worker that takes the place of a lost one must not stay away because of a bad version.
        """
        past: dict[int | None, str] = {}
        for serving in registry.history(self.name, store=self._store):
            if serving.version not in list(past)[-1:]:  # else a canary has come or gone
                past.pop(serving.version, None)
                past[serving.version] = serving.time
        for version in reversed(past):
            if loaded := self._ready(version):
                return _Now(loaded, None, 0.0, past[version])
        why = "; ".join(f"version {v}: {reason}" for v, reason in self._refused.items())
        raise ValueError(why or registry.nothing_promoted(self.name, self._store))


def _load(
    name: str,
    version: int,
    store: str | Path | None,
    host: Host,
    record: str | Path | None = None,
) -> Callable[..., Iterable[bytes]]:
    """The app of one version, verified, loaded and warm.

    Raises:
        Exception: it cannot be served, whatever the reason.
    """
    found = registry.load(name, version, store=store)
    if found.model.suffix != ".tflite":
        raise ValueError(
            f"{found.model.name} would bring TensorFlow into the service, which starts with a "
            "fork that TensorFlow does not survive: register a .tflite file"
        )
    registry.verify(found)
    options = {"record": record} if record else {}
    app = SERVICES[name].create_app(found.model, host=host, **options)
    answer = app.test_client().get("/readyz")  # through all the layers that requests will take
    if answer.status_code != 200:
        raise ValueError(f"it is not ready: {answer.get_json()['detail']}")
    return app


def _follow(reference: "weakref.ref[Following]") -> None:
    """Look again and again, as long as somebody holds the app."""
    while app := reference():
        app.look()
        del app
        time.sleep(LOOK)
