"""The folder where Keras looks for pretrained weights, and a record of what is in it.

The record holds the digest and the source of each file that `course fetch` has put there, so a
file that has been changed since is noticed.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from course_utils.datasets.originals import Report, digest

RECORD = "networks-at-work.json"  # digest and source of each file, beside them
LOCK_TIMEOUT_S = 1800  # how long to wait for another `course fetch`


@dataclass(frozen=True)
class Entry:
    """What the record in the cache says of one file."""

    sha256: str
    source: str


def cache_folder() -> Path:
    """Where Keras looks for pretrained weights: ``models`` in ``KERAS_HOME`` or ``~/.keras``."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".keras") / "models"


def sources() -> dict[str, str]:
    """Where each file came from, by name."""
    return {name: entry.source for name, entry in _read_record(cache_folder()).items()}


def is_intact(name: str, *, source: str | None = None) -> bool:
    """Whether a file is in the cache as the record has it.

    Args:
        name: of the file.
        source: what the record has to name as its source; by default any.
    """
    folder = cache_folder()
    entry, file = _read_record(folder).get(name), folder / name
    if not entry or source not in (None, entry.source):
        return False
    return file.is_file() and digest(file) == entry.sha256


class Workshop:
    """An empty folder to make files in, beside the cache that they go to.

    Attributes:
        cache: the folder where Keras looks.
        folder: the empty one, on the same disk.
    """

    def __init__(self, cache: Path, folder: Path):
        self.cache, self.folder = cache, folder

    def put(self, file: Path, name: str, source: str) -> None:
        """Move a whole file into the cache, and record it."""
        _flush(file)
        file.replace(self.cache / name)
        self.enter(name, source)

    def enter(self, name: str, source: str) -> None:
        """Record a file that is in the cache.

        What was made from a file of this name with other content is no longer valid.
        """
        record = _read_record(self.cache)
        entry, before = Entry(digest(self.cache / name), source), record.get(name)
        if before is None or before.sha256 != entry.sha256:
            made = [n for n, e in record.items() if e.source.startswith(f"made from {name}")]
            for stale in made:
                del record[stale]
        record[name] = entry
        draft = self.folder / RECORD
        entries = {name: asdict(entry) for name, entry in record.items()}
        draft.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
        _flush(draft)
        draft.replace(self.cache / RECORD)

    def knows(self, name: str) -> bool:
        """Whether the record has an entry of that name, be the file intact or not."""
        return name in _read_record(self.cache)


@contextlib.contextmanager
def workshop(report: Report) -> Iterator[Workshop]:
    """Be the only process of `course fetch` that changes the cache; the others wait.

    May be killed at any moment: the system frees the lock, and the next one clears what is left.

    Raises:
        OSError: the cache cannot be written.
        filelock.Timeout: another process has worked for half an hour.
    """
    from filelock import FileLock, Timeout

    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / "networks-at-work.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report("waiting for another `course fetch`", 0, None)
        lock.acquire(timeout=LOCK_TIMEOUT_S)
    parent = cache / "networks-at-work.part"
    try:
        shutil.rmtree(parent, ignore_errors=True)
        parent.mkdir(exist_ok=True)
        yield Workshop(cache, Path(tempfile.mkdtemp(dir=parent)))
    finally:
        shutil.rmtree(parent, ignore_errors=True)
        lock.release()


class PrintedReport:
    """A report for notebooks: a line for each step, as it begins."""

    _step = ""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        if step != self._step:
            self._step = step
            print(f"{step} ...", flush=True)


def _flush(file: Path) -> None:
    """Wait until the file is on the disk, so that a power cut cannot empty it once it is named."""
    with file.open("r+b") as content:
        os.fsync(content.fileno())


def _read_record(folder: Path) -> dict[str, Entry]:
    """The record; empty where there is none that can be read, so that all is looked at anew."""
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(dict[str, Entry]).validate_json((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
