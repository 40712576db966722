"""Files that are whole or not there at all, whatever happens to the process or the machine.

The only place of the course that writes so: to a draft beside the file, then to the disk, then
one rename, which the system does in one step. And a lock, where several processes may write.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

LOCK_TIMEOUT_S = 120  # how long to wait for other processes that hold a lock for a moment
DRAFT_SUFFIX = ".part"  # ends the name of a file that is being written


@contextlib.contextmanager
def open_draft(path: Path, draft: Path | None = None) -> Iterator[Path]:
    """Where to write a file; at the end of the ``with`` it takes the place of ``path``.

    Args:
        path: the name that the file gets; a file that has it stays intact until then.
        draft: its name meanwhile, on the same disk; by default ``path`` with ``.part`` behind it.

    Raises:
        OSError: the disk is full, or the folder read-only or gone. The draft is removed.
    """
    draft = draft or path.with_name(path.name + DRAFT_SUFFIX)
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 - as every text on it calls it
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()  # it may be what fills the disk
        raise


def put(path: Path, data: bytes | memoryview) -> None:
    """Write a file, in the place of one of that name, so that it is never seen half written.

    Raises:
        OSError: the disk is full, or the folder read-only or gone; what was there is intact.
    """
    with open_draft(path) as draft:
        draft.write_bytes(data)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, by which a change of it is noticed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """See that new names in it are on the disk, too; Windows and some network disks cannot."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def machine_lock(folder: Path) -> FileLock:
    """The lock that stands for a folder, between processes of this user on this machine.

    It lies among the system's temporary files: a network disk such as Google Drive may know no
    locks, or keep one of a machine that is gone. The system frees it when its holder is killed.
    """
    text = f"{Path.home()}\n{folder.resolve()}"
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    return FileLock(Path(tempfile.gettempdir()) / f"networks-at-work-{name}.lock")
