"""Which version is served, and since when: a log that only grows.

``STORE/NAME/promotions.jsonl`` gets a line, with the state that it leads to, for each change. The
last whole line is what holds now, so a service may look as often as it likes.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from course_utils.common import LOCK_TIMEOUT_S, machine_lock
from course_utils.common.atomic_files import sync_folder
from course_utils.registry.origin import now, person
from course_utils.registry.store import folder_of, read
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
    """``promote``, ``try canary``, ``end canary`` or ``roll back``."""


# By file: what it looked like when it was read, and what it said.
_known: dict[Path, tuple[tuple[int, int], Serving]] = {}


def serving(name: str, *, store: str | Path | None = None) -> Serving:
    """What is served now; ``version`` is None before the first promotion.

    Costs one look at the file's date and size, unless it has changed.

    Raises:
        ValueError: the log is damaged, or no model can have this name.
    """
    log = folder_of(name, store) / LOG
    try:
        state = log.stat()
    except FileNotFoundError:
        return Serving()
    mark = state.st_mtime_ns, state.st_size
    known = _known.get(log)
    if known is None or known[0] != mark:
        # What is appended between the two looks is read again the next time.
        known = _known[log] = mark, (_read(log) or [Serving()])[-1]
    return known[1]


def nothing_promoted(name: str, store: str | Path | None = None) -> str:
    """What to do where no version is served."""
    where, option = (f"in {store}", f" --store {store}") if store else ("among your records", "")
    return (
        f"No version of {name} is promoted {where}. Choose one with "
        f"`course models promote {name} VERSION{option}`."
    )


def history(name: str, *, store: str | Path | None = None) -> list[Serving]:
    """All that was ever served, oldest first.

    Raises:
        ValueError: the log is damaged, or no model can have this name.
    """
    return _read(folder_of(name, store) / LOG)


class Overtaken(ValueError):
    """Somebody else has changed what is served."""


def promote(
    name: str,
    version: int,
    *,
    store: str | Path | None = None,
    reason: str = "",
    instead_of: int | None = None,
) -> Serving:
    """Serve a version from now on, once `verify` has found nothing; ends a canary.

    Args:
        name: of the model.
        version: to serve.
        store: the folder of records; by default the learner's.
        reason: for the log.
        instead_of: only if this version is still the one being served.

    Raises:
        FileNotFoundError: no such version.
        Overtaken: another version than ``instead_of`` is served by now.
        ValueError: it is not as it was registered.
    """
    verify(read(name, version, store=store))

    def after(past: list[Serving]) -> Serving:
        _not_overtaken(past, instead_of)
        return Serving(version)

    return _append(name, store, "promote", reason, after)


def try_canary(
    name: str,
    version: int,
    share: float,
    *,
    store: str | Path | None = None,
    reason: str = "",
    beside: int | None = None,
) -> Serving:
    """Let a version answer a share of the requests, once `verify` has found nothing.

    Args:
        name: of the model.
        version: to try, another than the one that is served.
        share: of the requests, more than 0 and less than 1.
        store: the folder of records; by default the learner's.
        reason: for the log.
        beside: only if this version is still the one being served.

    Raises:
        FileNotFoundError: no such version.
        Overtaken: another version than ``beside`` is served by now.
        ValueError: it is not as it was registered, or cannot be a canary.
    """
    if not 0 < share < 1:
        raise ValueError(f"The share is {share:g}; it has to be more than 0 and less than 1.")
    verify(read(name, version, store=store))

    def after(past: list[Serving]) -> Serving:
        _not_overtaken(past, beside)
        served = past[-1].version if past else None
        if served is None:
            raise ValueError(f"No version of {name} is served yet: promote one first.")
        if served == version:
            raise ValueError(f"Version {version} of {name} is the one being served: try another.")
        return Serving(served, version, float(share))

    return _append(name, store, "try canary", reason, after)


def end_canary(name: str, *, store: str | Path | None = None, reason: str = "") -> Serving:
    """Let the served version answer all requests again.

    Raises:
        ValueError: there is no canary.
    """

    def after(past: list[Serving]) -> Serving:
        if not past or past[-1].canary is None:
            raise ValueError(f"{name} has no canary.")
        return Serving(past[-1].version)

    return _append(name, store, "end canary", reason, after)


def roll_back(name: str, *, store: str | Path | None = None, reason: str = "") -> Serving:
    """Serve what was served before, once `verify` has found nothing; ends a canary.

    A second one goes back one further.

    Raises:
        ValueError: nothing was served before, or it is not as it was registered.
        FileNotFoundError: it has been removed.
    """

    def after(past: list[Serving]) -> Serving:
        earlier = _promoted(past)
        if len(earlier) < 2:
            raise ValueError(
                f"Nothing was served of {name} before: there is nothing to go back to."
            )
        verify(read(name, earlier[-2], store=store))
        return Serving(earlier[-2])

    return _append(name, store, "roll back", reason, after)


def _promoted(past: list[Serving]) -> list[int]:
    """The versions promoted one after the other, without those that were rolled back."""
    versions: list[int] = []
    for state in past:
        if state.action == "roll back":
            # One step, unless a damaged line was removed between the two.
            while versions and versions[-1] != state.version:
                versions.pop()
            if not versions and state.version:
                versions.append(state.version)
        elif state.action == "promote" and state.version and [state.version] != versions[-1:]:
            versions.append(state.version)
    return versions


def _not_overtaken(past: list[Serving], expected: int | None) -> None:
    served = past[-1].version if past else None
    if expected not in (None, served):
        raise Overtaken(f"Meanwhile version {served} is served, not {expected}.")


def _append(name: str, store: str | Path | None, action: str, reason: str, after: Any) -> Serving:
    """Add the state that follows, by ``after``, from those before."""
    folder = folder_of(name, store)
    with machine_lock(folder).acquire(timeout=LOCK_TIMEOUT_S):
        log = folder / LOG
        state: Serving = replace(
            after(_read(log)), action=action, time=now(), reason=reason, by=person()
        )
        with log.open("ab") as file:
            if (whole := len(_whole(log))) < file.tell():
                file.truncate(whole)  # a process that was killed left half a line
            file.write(json.dumps(asdict(state)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(folder)
    return state


def _whole(log: Path) -> bytes:
    """The content without the line that somebody is writing, or died writing."""
    content = log.read_bytes() if log.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _read(log: Path) -> list[Serving]:
    found = []
    for number, line in enumerate(_whole(log).splitlines(), start=1):
        try:
            found.append(Serving(**json.loads(line)))
        except (ValueError, TypeError):
            raise ValueError(
                f"{log}, line {number}, is damaged: bring the file back from a copy, or remove "
                "the line."
            ) from None
    return found
