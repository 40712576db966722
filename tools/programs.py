"""Find the programs that tests and benchmarks drive; install what is missing where apt may.

``python tools/programs.py chromium curl git --where-possible apache2 apxs systemd-analyze``

What stands after ``--where-possible`` may be missing: the tests that need it say so.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from course_utils.export.chromium import BROWSERS, find_program

# A program's names, any of which will do, and Debian's package for it.
PROGRAMS = {
    "apache2": (["apache2", "/usr/sbin/apache2"], "apache2"),
    "apxs": (["apxs", "apxs2"], "apache2-dev"),
    "chromium": (BROWSERS, "chromium"),
    "curl": (["curl"], "curl"),
    "git": (["git"], "git"),
    "systemd-analyze": (["systemd-analyze"], "systemd"),
    "wrk": (["wrk"], "wrk"),
}
WHERE_POSSIBLE = "--where-possible"


def find(program: str) -> Path | None:
    """Where the program is; None where it is not."""
    return find_program(PROGRAMS[program][0])


def main(arguments: list[str]) -> None:
    """See that the programs are there, and say what to do where they are not to be had."""
    wanted = [program for program in arguments if program != WHERE_POSSIBLE]
    needed = arguments[: arguments.index(WHERE_POSSIBLE)] if WHERE_POSSIBLE in arguments else wanted
    missing = [PROGRAMS[program][1] for program in wanted if not find(program)]
    if not missing:
        return
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        print(f"Installing {', '.join(missing)} ...", flush=True)
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        install = [*apt, "install", "-y", "--no-install-recommends", *missing]
        for command in ([*apt, "update"], install):
            subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False)
    lacking = [program for program in needed if not find(program)]
    if lacking:
        raise SystemExit(
            f"Not found: {', '.join(lacking)}. Install what is named here "
            "(chromium: Chrome, Chromium or Edge will do) and start again."
        )


if __name__ == "__main__":
    main(sys.argv[1:])
