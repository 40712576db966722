"""Make or mend the environment in .venv: ``python tools/install.py``, on any supported machine.

It installs what learners need, and as ``python tools/install.py test`` the test tools, too. Needs
nothing but Python. uv takes half a minute for it; where uv cannot be had, pip does it. uv reads
none of pip's settings, so they are handed to it: what works for a user's pip works here.
"""

import ast
import os
import platform
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
BIN = "Scripts" if os.name == "nt" else "bin"
EXE = ".exe" if os.name == "nt" else ""
# Those for which all packages of the lock file have wheels; docs/install.md names them, too.
SUPPORTED = {("linux", "x86_64"), ("darwin", "arm64"), ("win32", "AMD64")}

# pip's name of a setting, uv's variable for it, and what stands between several values.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
}


def pip_settings(listing: str) -> dict[str, str]:
    """The settings in the output of ``pip config list`` that an installation follows.

    Variables win over files, and a file's section on installing over its global one.
    """
    found: dict[str, tuple[int, str]] = {}
    ranks = {"global": 0, "install": 1, ":env:": 2}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        rank = ranks.get(section, -1)
        if rank >= found.get(key, (0, ""))[0]:
            found[key] = rank, str(ast.literal_eval(value))
    return {key: value for key, (_, value) in found.items()}


def uv_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """pip's settings as the environment variables that uv reads."""
    variables = {"UV_PYTHON_DOWNLOADS": "never"}  # the Python that is here is the one meant
    for key, value in settings.items():
        if key in SETTINGS and value.split():
            name, separator = SETTINGS[key]
            variables[name] = separator.join(value.split())
    if variables.get("UV_NO_INDEX", "1").lower() not in {"1", "true", "yes", "on"}:
        del variables["UV_NO_INDEX"]
    if "UV_INDEX" in variables:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # all indexes count alike, as in pip
    return variables


def uv_environment() -> dict[str, str]:
    """The environment for a uv process: pip's settings, and over them the user's own for uv."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return uv_variables(pip_settings(listing)) | os.environ


def explain_unsupported(system: str, machine: str) -> str:
    """Why the course cannot be installed on a machine, and what to do; empty where it can."""
    if (system, machine) in SUPPORTED:
        return ""
    names = {"darwin": "Intel Macs", "linux": "Linux on Arm", "win32": "Windows on Arm"}
    return (
        f"Some packages that the course needs do not exist for {names.get(system, 'this system')} "
        f"({machine}), so please use the course in Google Colab: README.md has the links, and "
        "nothing need be installed there."
    )


def main(extras: list[str]) -> None:
    """Make the environment where there is none that works, and install these extras into it."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise SystemExit(
            f"The course needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}."
        )
    if reason := explain_unsupported(sys.platform, platform.machine()):
        raise SystemExit(reason)
    python = ENVIRONMENT / BIN / f"python{EXE}"
    if Path(sys.executable) != python:  # first call: make it, then go on inside it
        if not _works(python):
            print(f"Making the environment in {ENVIRONMENT.name} ...", flush=True)
            venv.create(ENVIRONMENT, clear=True, with_pip=True)
        raise SystemExit(subprocess.call([str(python), __file__, *extras]))
    _install(python, ",".join(extras or ["lab"]))
    print("The environment is ready.")


def _works(python: Path) -> bool:
    """Whether the environment is there, was made at this place and has a pip."""
    try:
        return not subprocess.call([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL)
    except OSError:
        return False


def _install(python: Path, extras: str) -> None:
    what = ["-c", str(ROOT / "requirements.lock"), "-e", f"{ROOT}[{extras}]"]
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    print("Installing the course and what it needs ...", flush=True)
    if subprocess.call([*pip, "--quiet", "uv"]) == 0:
        uv = python.with_name(f"uv{EXE}")
        command = [str(uv), "pip", "install", "--quiet", "--python", str(python), *what]
        environment = uv_environment()
    else:
        print("uv is not to be had here; pip takes a few minutes instead.", flush=True)
        command, environment = [*pip, "--quiet", *what], dict(os.environ)
    status = subprocess.call(command, env=environment)
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
