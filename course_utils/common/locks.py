"""A lock between processes of one user on one machine."""

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

LOCK_TIMEOUT_S = 120  # how long to wait for other processes that hold a lock for a moment


def machine_lock(folder: Path) -> "FileLock":
    """The lock that stands for a folder, between processes of this user on this machine.

    It lies among the system's temporary files: a network disk such as Google Drive may know no
    locks, or keep one of a machine that is gone. The system frees it when its holder is killed.
    """
    from filelock import FileLock

    text = f"{Path.home()}\n{folder.resolve()}"
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    return FileLock(Path(tempfile.gettempdir()) / f"networks-at-work-{name}.lock")
