"""Write requirements.lock from pyproject.toml: ``make lock``.

One file for all platforms and for Python 3.11 to 3.13, with all extras. It names no package index,
so that everybody installs it from their own.
"""

import subprocess
import sys

from install import BIN, ENVIRONMENT, EXE, ROOT, uv_environment

COMMAND = [
    *(str(ENVIRONMENT / BIN / f"uv{EXE}"), "pip", "compile", "--quiet"),
    *("--universal", "--python-version", "3.11", "--all-extras", "--no-header", "--no-annotate"),
    *("--constraint", "tools/lock-constraints.txt", "--output-file", "requirements.lock"),
    "pyproject.toml",
]


def main(options: list[str]) -> None:
    """Options, ``--upgrade`` for instance, go to uv."""
    environment = uv_environment()
    # Versions that only this machine's own additions hold would not install elsewhere.
    for name in ("UV_INDEX", "UV_FIND_LINKS", "UV_INDEX_STRATEGY"):
        environment.pop(name, None)
    subprocess.run([*COMMAND, *options], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
