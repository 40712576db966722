"""Files that are whole or not there at all, whatever happens to the process or the machine."""

import contextlib
import os
from pathlib import Path

PART = ".part"  # ends the name of a file that is being written


def draft_of(path: Path) -> Path:
    """What a file is called while it is being written."""
    return path.with_name(path.name + PART)


def put(path: Path, data: bytes | memoryview) -> None:
    """Write a file, in the place of one of that name, so that it is never seen half written.

    Raises:
        OSError: the disk is full, or the folder read-only or gone; what was there is intact.
    """
    draft = draft_of(path)
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 - as every text on it calls it
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """See that new names in it are on the disk, too; Windows and some network disks cannot."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def settle(draft: Path, path: Path) -> None:
    """Give a file that is written its final name, in the place of one that has it.

    Raises:
        OSError: the disk is full, or the folder read-only or gone.
    """
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(draft, path)  # noqa: PTH105 - as every text on it calls it
    sync_folder(path.parent)
