"""The folder where Keras looks for pretrained weights, and a record of what is in it.

The record holds the digest and the source of each file that `course fetch` has put there, so a
file that has been changed since is noticed.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import Timeout

from course_utils.common import atomic_files, hash_file, machine_lock

RECORD = "networks-at-work.json"  # lies beside the files: digest and source of each
SCRATCH = "networks-at-work.part-"  # begins the names of folders for files that are not complete
MAX_SCRATCH_AGE_S = 86_400  # an older one is of a process that was killed
LOCK_TIMEOUT_S = 1800  # how long to wait for another `course fetch`

#: called with each step as it begins; while it goes on also with how much is done, and of how much
Report = Callable[..., None]


def cache_folder() -> Path:
    """Where Keras looks for pretrained weights: ``models`` in ``KERAS_HOME`` or ``~/.keras``."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".keras") / "models"


def read_sources() -> dict[str, str]:
    """The source of each file, by name."""
    return {name: entry["source"] for name, entry in _read_record().items()}


def is_intact(name: str, *, source: str | None = None) -> bool:
    """Whether a file is in the cache as the record has it.

    Args:
        name: of the file.
        source: what the record has to name as its source; by default any.
    """
    file, entry = cache_folder() / name, _read_record().get(name)
    if not entry or source not in (None, entry["source"]):
        return False
    return file.is_file() and hash_file(file) == entry["sha256"]


def record_file(name: str, source: str) -> None:
    """Record a file that is in the cache.

    What was made from a file of this name with other content is no longer valid.
    """
    record = _read_record()
    entry = {"sha256": hash_file(cache_folder() / name), "source": source}
    if record.get(name, {}).get("sha256") != entry["sha256"]:
        made_from = f"made from {name}"
        record = {n: e for n, e in record.items() if not e["source"].startswith(made_from)}
    record[name] = entry
    content = json.dumps(record, indent=2) + "\n"
    atomic_files.put(cache_folder() / RECORD, content.encode())


@contextlib.contextmanager
def lock_cache(report: Report) -> Iterator[Path]:
    """Keep other processes of `course fetch` waiting while this one changes the cache.

    May be killed at any moment: the system frees the lock, and a call a day later deletes the rest.

    Yields:
        An empty folder on the cache's disk, to make files in. It is deleted at the end.

    Raises:
        OSError: the cache cannot be written.
        filelock.Timeout: another process has held the lock for half an hour.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    lock = machine_lock(cache)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        report("waiting for another `course fetch`")
        held = lock.acquire(timeout=LOCK_TIMEOUT_S)
    with held:
        for folder in cache.glob(f"{SCRATCH}*"):  # first, since they may fill the disk
            with contextlib.suppress(OSError):  # its owner may be removing it
                if time.time() - folder.stat().st_mtime > MAX_SCRATCH_AGE_S:
                    shutil.rmtree(folder)
        # A folder of its own: another machine or container may share the cache, but not the lock.
        with tempfile.TemporaryDirectory(dir=cache, prefix=SCRATCH) as scratch:
            yield Path(scratch)


@contextlib.contextmanager
def explain_damage(file: Path) -> Iterator[None]:
    """Turn what reading a damaged file of the cache raises into one sentence.

    Raises:
        ValueError: the file cannot be read; the message says what to do.
    """
    try:
        yield
    except (ValueError, LookupError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{file}: {error}. Delete it and run `course fetch`.") from None


def print_step(step: str, done: int = 0, total: int = 0) -> None:
    """A report for notebooks: a line for each step, written over while it goes on."""
    text = f"{step}: {done} of {total}" if total else f"{step} ..."
    print(text.ljust(79), end="\r" if total else "\n", flush=True)


def _read_record() -> dict[str, dict[str, str]]:
    """The record, empty where it cannot be read: then no file counts as intact."""
    try:
        record = json.loads((cache_folder() / RECORD).read_bytes())
        return {n: {"sha256": e["sha256"], "source": e["source"] + ""} for n, e in record.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
