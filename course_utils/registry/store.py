"""The folder of records: a version appears whole, by one rename, and stays as it is.

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
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.common import LOCK_TIMEOUT_S, machine_lock
from course_utils.common.atomic_files import put, sync_folder
from course_utils.environment import output_folder
from course_utils.inference import refuse_pickle

FORMAT = 1  # of record.json; another number is refused
RECORD, SEAL, FILES, CHARTS = "record.json", "record.sha256", "files", "charts"
MODELS = (".tflite", ".keras", ".h5")
DRAFT = ".draft-"  # begins the name of a folder that is being filled
ABANDONED = 3600  # seconds without a change after which nobody is filling a draft any more

# No dots and slashes, and nothing that Windows takes for a device.
_NAME = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[a-z0-9][a-z0-9_-]{0,59}")
_VERSION = re.compile(r"\d{5}|[1-9]\d{5,}")


@dataclass(frozen=True)
class Record:
    """One registered version of a model."""

    name: str
    version: int
    folder: Path
    document: dict[str, Any] = field(repr=False)
    """What ``record.json`` holds; its form is ``record.schema.json``."""

    @property
    def model(self) -> Path:
        """The file to serve; its companions lie beside it."""
        return self.folder / FILES / self.document["model"]["file"]


def folder_of(name: str, store: str | Path | None = None) -> Path:
    """Where the versions of a model are.

    Raises:
        ValueError: no model can have this name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a model's name: use up to 60 of a-z, 0-9, _ and -, the first of "
            "them a letter or a digit."
        )
    return (Path(store) if store else output_folder() / "records") / name


def names(*, store: str | Path | None = None) -> list[str]:
    """The models that the store has a version of."""
    folder = folder_of("any", store).parent
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [name for name in found if _NAME.fullmatch(name) and versions(name, store=store)]


def versions(name: str, *, store: str | Path | None = None) -> list[int]:
    """The versions of a model, ascending; none where there is no such model.

    Raises:
        ValueError: no model can have this name.
    """
    folder = folder_of(name, store)
    return [number for number in _taken(folder) if (_version(folder, number) / RECORD).is_file()]


def read(name: str, version: int, *, store: str | Path | None = None) -> Record:
    """One version, its ``record.json`` checked against its digest.

    Raises:
        FileNotFoundError: no such version.
        ValueError: the record is damaged or was changed, or is of another format.
    """
    known = versions(name, store=store)
    folder = _version(folder_of(name, store), version)
    if version not in known:
        have = f"there are {', '.join(map(str, known))}" if known else "there is none"
        raise FileNotFoundError(f"No version {version} of {name} in {folder.parent}: {have}.")
    remedy = "Bring it back from a copy, or register the model again."
    content = (folder / RECORD).read_bytes()
    try:
        digest = (folder / SEAL).read_text("utf-8").split()[0]
    except (OSError, ValueError, IndexError):
        raise ValueError(f"{folder / SEAL}, the record's digest, is missing. {remedy}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{folder / RECORD} is not as it was registered. {remedy}")
    document = json.loads(content)
    if document["format"] != FORMAT:
        raise ValueError(
            f"{folder / RECORD} is of format {document['format']}, this version of the course "
            f"reads format {FORMAT}: read it with course {document['code']['course']}."
        )
    if (document["name"], document["version"]) != (name, version):
        whose = f"version {document['version']} of {document['name']}"
        raise ValueError(f"{folder / RECORD} is that of {whose}. {remedy}")
    return Record(name, version, folder, document)


def check(record: Record) -> int:
    """See that every file is as it was registered; nothing is loaded.

    Returns:
        The number of files.

    Raises:
        ValueError: one is missing, was changed or has been added.
    """
    remedy = (
        f"Bring version {record.version} of {record.name} back from a copy, or register the "
        "model again; nothing was loaded."
    )
    fresh = read(record.name, record.version, store=record.folder.parents[1])
    known = {entry["path"]: entry["sha256"] for entry in fresh.document["files"]}
    for path, digest in known.items():
        try:
            now = digest_of(record.folder / path)
        except FileNotFoundError:
            raise ValueError(f"{record.folder / path} is missing. {remedy}") from None
        if now != digest:
            raise ValueError(f"{record.folder / path} is not as it was registered. {remedy}")
    for path in (record.folder / FILES).iterdir():  # a schema laid beside a model would be read
        if not path.name.startswith(".") and f"{FILES}/{path.name}" not in known:
            raise ValueError(f"{path} was added after the registration: remove it.")
    return len(known)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(files: Sequence[str | Path]) -> list[Path]:
    """The files to register, the model first.

    Raises:
        FileNotFoundError: one is not there.
        ValueError: the first is no model that can be served, one is a pickle, or two would get
            the same name.
    """
    paths = [Path(file) for file in files]
    if not paths or paths[0].suffix not in MODELS:
        got = paths[0].name if paths else "no file"
        raise ValueError(f"The first file is the model to serve, {' or '.join(MODELS)}; got {got}.")
    for path in paths:
        refuse_pickle(path)
    folded = [path.name.casefold() for path in paths]  # as some file systems compare them
    for path, name in zip(paths, folded, strict=True):
        if folded.count(name) > 1:
            raise ValueError(f"Two of the files are called {path.name}: rename one.")
    return paths


@contextlib.contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """A new folder for a version to be; gone afterwards unless `publish` has made it one."""
    path = folder / f"{DRAFT}{uuid.uuid4().hex}"
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(path: Path, document: dict[str, Any]) -> int:
    """Make a draft the next version.

    Args:
        path: what `draft` gave.
        document: the record; its digests of files and its version are added here.

    Returns:
        The version.

    Raises:
        OSError: the store cannot be written; no version was made.
    """
    folder = path.parent
    files = sorted(file for file in path.rglob("*") if file.is_file())
    document["files"] = [
        {
            "path": file.relative_to(path).as_posix(),
            "sha256": digest_of(file),
            "bytes": file.stat().st_size,
        }
        for file in files
    ]
    for file in files:
        _sync_file(file)
        sync_folder(file.parent)
    with machine_lock(folder).acquire(timeout=LOCK_TIMEOUT_S):
        _clear_away(folder)
        version = max(_taken(folder), default=0) + 1
        text = json.dumps(document | {"version": version}, indent=1, allow_nan=False) + "\n"
        put(path / RECORD, text.encode())
        seal = hashlib.sha256(text.encode()).hexdigest()
        put(path / SEAL, f"{seal}  {RECORD}\n".encode())
        # A folder that is there is never replaced: it holds something, so the system refuses.
        path.rename(_version(folder, version))
        sync_folder(folder)
    sync_folder(folder.parent)
    return version


def _version(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}"


def _taken(folder: Path) -> list[int]:
    """Numbers that may not be given again."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(path.name) for path in found if _VERSION.fullmatch(path.name))


def _clear_away(folder: Path) -> None:
    """Remove what killed registrations left.

    A registration that slept that long, say in a closed laptop, ends with an error and no harm.
    """
    for path in folder.glob(f"{DRAFT}*"):
        with contextlib.suppress(OSError):
            last = max(entry.stat().st_mtime for entry in (path, *path.rglob("*")))
            if time.time() - last > ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
