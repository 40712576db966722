"""The folder of model versions: each appears whole, by one rename, and stays as it is.

``STORE/NAME/00001/`` holds ``record.json``, its digest in ``record.sha256`` (as ``sha256sum -c``
reads it), the model with its companions in ``files/`` and pictures in ``charts/``. The folders
are the index: there is nothing else that could disagree with them. No lock is needed to read.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.common import LOCK_TIMEOUT_S, hash_file, machine_lock
from course_utils.common.atomic_files import put, sync_folder
from course_utils.environment import output_folder

RECORD, SEAL, FILES, CHARTS = "record.json", "record.sha256", "files", "charts"
FORMAT = 1  # of record.json; another number is refused
DRAFT_PREFIX = ".draft-"  # of a folder that is being filled

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")  # no dots and slashes


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of a model."""

    name: str
    number: int
    folder: Path
    document: dict[str, Any] = field(repr=False)
    """What ``record.json`` holds; `registration` fills it."""

    @property
    def model(self) -> Path:
        """The file to serve; its companions lie beside it."""
        return self.folder / FILES / self.document["model"]["file"]


def locate(name: str, store: str | Path | None = None) -> Path:
    """The folder of a model's versions.

    Raises:
        ValueError: no model can have this name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a model's name: use up to 60 of a-z, 0-9, _ and -, the first of "
            "them a letter or a digit."
        )
    return (Path(store) if store else output_folder() / "records") / name


def list_models(*, store: str | Path | None = None) -> list[str]:
    """The models that the store has a version of."""
    folder = locate("any", store).parent
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [name for name in found if _NAME.fullmatch(name) and list_versions(name, store=store)]


def list_versions(name: str, *, store: str | Path | None = None) -> list[int]:
    """The versions of a model, ascending; none where there is no such model.

    Raises:
        ValueError: no model can have this name.
    """
    folder = locate(name, store)
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(path.name) for path in found if path.name.isdecimal())


def read(name: str, version: int, *, store: str | Path | None = None) -> ModelVersion:
    """One version, its ``record.json`` checked against its digest.

    Raises:
        FileNotFoundError: no such version, or its record is missing.
        ValueError: the record was changed, or is of another format.
    """
    known = list_versions(name, store=store)
    folder = locate(name, store) / f"{version:05d}"
    if version not in known:
        have = f"there are {', '.join(map(str, known))}" if known else "there is none"
        raise FileNotFoundError(f"No version {version} of {name} in {folder.parent}: {have}.")
    content = (folder / RECORD).read_bytes()
    if (folder / SEAL).read_text("utf-8").split()[:1] != [hashlib.sha256(content).hexdigest()]:
        raise ValueError(
            f"{folder / RECORD} is not as it was registered: {SEAL} does not hold its digest. "
            "Bring it back from a copy, or register the model again."
        )
    document = json.loads(content)
    if document["format"] != FORMAT:
        raise ValueError(
            f"{folder / RECORD} is of format {document['format']}, this version of the course "
            f"reads format {FORMAT}: read it with course {document['code']['course']}."
        )
    if (document["name"], document["version"]) != (name, version):
        raise ValueError(
            f"{folder / RECORD} is that of version {document['version']} of {document['name']}: "
            "bring its own back from a copy."
        )
    return ModelVersion(name, version, folder, document)


def check_digests(version: ModelVersion) -> int:
    """Check that every file is as it was registered; nothing is loaded.

    Returns:
        The number of files.

    Raises:
        ValueError: one is missing, was changed or has been added.
    """
    remedy = (
        f"Bring version {version.number} of {version.name} back from a copy, or register the "
        "model again; nothing was loaded."
    )
    known = {entry["path"]: entry["sha256"] for entry in version.document["files"]}
    for path, digest in known.items():
        file = version.folder / path
        if not file.is_file():
            raise ValueError(f"{file} is missing. {remedy}")
        if hash_file(file) != digest:
            raise ValueError(f"{file} is not as it was registered. {remedy}")
    for path in (version.folder / FILES).iterdir():  # a schema laid beside a model would be read
        if not path.name.startswith(".") and f"{FILES}/{path.name}" not in known:
            raise ValueError(f"{path} was added after the registration: remove it.")
    return len(known)


@contextlib.contextmanager
def open_draft(folder: Path) -> Iterator[Path]:
    """A new folder for a version to be; gone afterwards unless `publish` has made it one."""
    path = folder / f"{DRAFT_PREFIX}{uuid.uuid4().hex}"
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(draft: Path, document: Mapping[str, Any]) -> int:
    """Make a draft the next version.

    Args:
        draft: what `open_draft` gave.
        document: what ``record.json`` holds besides ``files`` and ``version``.

    Returns:
        The version.

    Raises:
        OSError: the store cannot be written; no version was made.
    """
    folder = draft.parent
    kept = []
    for file in sorted(path for path in draft.rglob("*") if path.is_file()):
        kept.append({"path": file.relative_to(draft).as_posix(), "sha256": hash_file(file)})
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())
        sync_folder(file.parent)
    with machine_lock(folder).acquire(timeout=LOCK_TIMEOUT_S):
        version = max(list_versions(folder.name, store=folder.parent), default=0) + 1
        whole = {**document, "files": kept, "version": version}
        text = json.dumps(whole, indent=1, ensure_ascii=False).encode() + b"\n"
        put(draft / RECORD, text)
        put(draft / SEAL, f"{hashlib.sha256(text).hexdigest()}  {RECORD}\n".encode())
        # A folder that is there is never replaced: it holds something, so the system refuses.
        draft.rename(folder / f"{version:05d}")
        sync_folder(folder)
    sync_folder(folder.parent)
    return version
