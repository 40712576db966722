"""Which version is served, and since when: a log that only grows.

``STORE/NAME/promotions.jsonl`` gets a line, with the state that it leads to, for each change. The
last whole line is what holds now.
"""

import contextlib
import getpass
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from course_utils.common import LOCK_TIMEOUT_S, machine_lock
from course_utils.common.atomic_files import put
from course_utils.registry.store import ModelVersion, list_versions, locate, read
from course_utils.registry.verification import verify

LOG = "promotions.jsonl"


@dataclass(frozen=True)
class Serving:
    """What is served of a model from some moment on."""

    version: int | None = None
    canary: int | None = None
    """The version on trial."""
    share: float = 0.0
    """Of the requests, that the canary answers."""
    time: str = ""
    reason: str = ""
    by: str = ""
    action: str = ""
    """``promote``, ``try canary`` or ``roll back``; of version 0.1.0 also ``end canary``."""


def read_serving(name: str, *, store: str | Path | None = None) -> Serving:
    """What is served now; ``version`` is None before the first promotion.

    Raises:
        ValueError: the log is damaged, or no model can have this name.
    """
    past = read_history(name, store=store)
    return past[-1] if past else Serving()


def find_served(name: str, *, store: str | Path | None = None) -> int:
    """The version that is served.

    Raises:
        ValueError: none is, and the message says what to do; or the log is damaged, or no model
            can have this name.
    """
    version = read_serving(name, store=store).version
    if version is None:
        place, option = (f"in {store}", f" --store {store}") if store else ("in your store", "")
        raise ValueError(
            f"No version of {name} is promoted {place}. Choose one with "
            f"`course models promote {name} VERSION{option}`."
        )
    return version


def read_history(name: str, *, store: str | Path | None = None) -> list[Serving]:
    """All that was ever served, oldest first.

    Raises:
        ValueError: the log is damaged, or no model can have this name.
    """
    log = locate(name, store) / LOG
    past = []
    for number, line in enumerate(_read(log).splitlines(), 1):
        try:
            past.append(Serving(**json.loads(line)))
        except (ValueError, TypeError):
            raise ValueError(
                f"{log}, line {number}, is damaged: bring the file back from a copy, or remove "
                "the line."
            ) from None
    return past


def load(name: str, version: int | None = None, *, store: str | Path | None = None) -> ModelVersion:
    """A version; without one, the version being served, else the newest.

    Only the record itself is checked against its digest; `verify` checks everything.

    Raises:
        FileNotFoundError: no such version.
        ValueError: the record was changed.
    """
    if version is None:
        version = read_serving(name, store=store).version
    if version is None:
        version = max(list_versions(name, store=store), default=1)
    return read(name, version, store=store)


def promote(
    name: str, version: int, *, store: str | Path | None = None, reason: str = ""
) -> Serving:
    """Serve a version from now on, once `verify` has found nothing; the served one always may be.

    It ends a canary, also where the version is the one that is served.

    Args:
        name: of the model.
        version: to serve.
        store: the folder of versions; by default the learner's.
        reason: for the log.

    Raises:
        FileNotFoundError: no such version.
        ValueError: it is not as it was registered.
    """
    found = read(name, version, store=store)
    if version != read_serving(name, store=store).version:
        verify(found)
    with _lock_log(name, store) as log:
        return _append(log, Serving(version), "promote", reason)


def try_canary(
    name: str, version: int, share: float, *, store: str | Path | None = None, reason: str = ""
) -> Serving:
    """Let a version answer a share of the requests, once `verify` has found nothing.

    Args:
        name: of the model.
        version: to try, another than the one that is served.
        share: of the requests, more than 0 and less than 1.
        store: the folder of versions; by default the learner's.
        reason: for the log.

    Raises:
        FileNotFoundError: no such version.
        ValueError: it is not as it was registered, or cannot be a canary.
    """
    if not 0 < share < 1:
        raise ValueError(f"The share is {share:g}; it has to be more than 0 and less than 1.")
    verify(read(name, version, store=store))
    with _lock_log(name, store) as log:
        served = read_serving(name, store=store).version
        if served is None:
            raise ValueError(f"No version of {name} is served yet: promote one first.")
        if served == version:
            raise ValueError(f"Version {version} of {name} is the one being served: try another.")
        return _append(log, Serving(served, version, float(share)), "try canary", reason)


def roll_back(name: str, *, store: str | Path | None = None, reason: str = "") -> Serving:
    """Serve what was served before, once `verify` has found nothing; ends a canary.

    A second one goes back one further.

    Raises:
        ValueError: nothing was served before, or it is not as it was registered.
        FileNotFoundError: it has been removed.
    """
    with _lock_log(name, store) as log:
        earlier = _list_promoted(read_history(name, store=store))
        if len(earlier) < 2:
            raise ValueError(
                f"Nothing was served of {name} before: there is nothing to go back to."
            )
        verify(read(name, earlier[-2], store=store))
        return _append(log, Serving(earlier[-2]), "roll back", reason)


def _list_promoted(past: list[Serving]) -> list[int]:
    """The versions promoted one after the other, without those that were rolled back."""
    promoted: list[int] = []
    for state in past:
        if state.action == "roll back":
            # One step, unless a damaged line was removed between the two.
            while promoted and promoted[-1] != state.version:
                promoted.pop()
        if state.version is not None and promoted[-1:] != [state.version]:
            promoted.append(state.version)
    return promoted


@contextlib.contextmanager
def _lock_log(name: str, store: str | Path | None) -> Iterator[Path]:
    folder = locate(name, store)
    with machine_lock(folder).acquire(timeout=LOCK_TIMEOUT_S):
        read_history(name, store=store)  # raises where it is damaged: then nothing is added
        yield folder / LOG


def _append(log: Path, state: Serving, action: str, reason: str) -> Serving:
    now = format_time(datetime.now(UTC))
    state = replace(state, action=action, time=now, reason=reason, by=find_person())
    put(log, _read(log) + json.dumps(asdict(state)).encode() + b"\n")
    return state


def format_time(time: datetime) -> str:
    """A time in UTC (ISO 8601, milliseconds); without a zone it is one of this machine's."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def find_person() -> str:
    """The user's name on this machine; of an address, what stands before the @."""
    try:
        return getpass.getuser().partition("@")[0]
    except (OSError, KeyError, ImportError):  # a container may know no name for its user
        return "unknown"


def _read(log: Path) -> bytes:
    return log.read_bytes() if log.exists() else b""
