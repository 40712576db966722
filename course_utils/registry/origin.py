"""Who registers a model, when, and with which code and packages."""

import contextlib
import functools
import getpass
import hashlib
import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from typing import Any

from course_utils.environment import PACKAGE_FOLDER, __version__


def person() -> str:
    """The user's name on this machine; of an address, what stands before the @."""
    try:
        return getpass.getuser().partition("@")[0]
    except (OSError, KeyError, ImportError):  # a container may know no name for its user
        return "unknown"


def moment(time: datetime) -> str:
    """A time in UTC (ISO 8601, milliseconds); without a zone it is one of this machine's."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def now() -> str:
    """The time in UTC (ISO 8601, milliseconds)."""
    return moment(datetime.now(UTC))


@functools.cache
def code() -> dict[str, Any]:
    """The course's version, the digest of its Python files, and in a checkout the commit."""
    found = hashlib.sha256()
    for path in sorted(PACKAGE_FOLDER.rglob("*.py")):
        name = path.relative_to(PACKAGE_FOLDER).as_posix()
        if not name.startswith(("webapp/", "data/")):  # not ours, or not always inside
            text = path.read_bytes().replace(b"\r\n", b"\n")  # as git may write it on Windows
            found.update(f"{name} {len(text)}\n".encode() + text)
    return {"course": __version__, "sha256": found.hexdigest(), "commit": _commit()}


def _commit() -> str | None:
    root = PACKAGE_FOLDER.parent
    if not (root / ".git").exists():
        return None  # git would ask the folders above, which are somebody else's
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # no git here, or a checkout it will not read
        return None
    return done.stdout.strip()


@functools.cache
def environment() -> dict[str, Any]:
    """Python, system, and each installed package with its version, and a digest of these.

    The digest is that of the lines ``name==version``, sorted: of the lock file that was in force.
    """
    packages = {}
    for package in importlib.metadata.distributions():
        # A removal that broke off leaves an empty folder, which has no name.
        with contextlib.suppress(FileNotFoundError):
            if package.name:
                packages[package.name] = package.version
    ordered = dict(sorted(packages.items(), key=lambda pair: pair[0].lower()))
    lines = "".join(f"{name}=={version}\n" for name, version in ordered.items())
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": ordered,
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
