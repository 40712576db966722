"""A Dockerfile without Docker: read, and its build replayed in a folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pathspec

from tests.support import ROOT, list_files
from tools.install import uv_environment

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
IGNORED = ROOT / "deploy" / "Dockerfile.dockerignore"
HOME = "/opt/course"  # where the image has the environment
Instructions = list[tuple[str, str]]


def stages(text: str) -> list[Instructions]:
    """The instructions of each stage, comments gone and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Instructions] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if name:
            found[-1].append((name, rest.strip()))
    return found


def of(stage: Instructions, name: str) -> list[str]:
    """What stands after each instruction of that name."""
    return [rest for instruction, rest in stage if instruction == name]


def context(ignored: str) -> list[str]:
    """The files that Docker would be sent: those in git or new there, the ignored ones left out."""
    # Unlike in a .gitignore, a pattern is about the root, unless it says otherwise.
    lines = [line for line in ignored.splitlines() if line and not line.startswith("#")]
    rooted = [re.sub(r"^(!?)(?!\*)", r"\1/", line) for line in lines]
    spec = pathspec.PathSpec.from_lines("gitignore", rooted)
    return [name for name in list_files() if not spec.match_file(name)]


def copies(stage: Instructions, files: list[str]) -> list[tuple[str, str]]:
    """Each file that COPY takes from the context, and the place where it is put.

    Raises:
        AssertionError: a source is not in the context.
    """
    found = []
    for words in map(str.split, of(stage, "COPY")):
        if words[0].startswith("--from="):
            continue
        *sources, target = words
        for source in sources:
            taken = [name for name in files if name == source or name.startswith(f"{source}/")]
            assert taken, f"COPY {source}: not in the context"
            for name in taken:
                rest = name.removeprefix(source).lstrip("/")
                folder = target if target.endswith("/") and not rest else ""
                found.append(
                    (name, f"{folder}{Path(name).name}" if not rest else f"{target}/{rest}")
                )
    return found


def build(folder: Path, stage: Instructions, files: list[str]) -> Path:
    """Copy and run what a stage does; the environment that comes of it, instead of `HOME`.

    Python and uv are this environment's, and uv keeps what it downloads.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = uv_environment() | variables(stage) | {"PATH": path}
    del settings["UV_NO_CACHE"]
    work, environment = folder / "build", folder / "course"
    for name, target in copies(stage, files):
        path = work / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ROOT / name).read_bytes())
    first, *commands = of(stage, "RUN")
    assert first.startswith("pip install --no-cache-dir uv=="), first
    for command in commands:
        text = command.replace(HOME, str(environment))
        shell = ["sh", "-ec", text]
        done = subprocess.run(
            shell, cwd=work, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return environment


def variables(stage: Instructions) -> dict[str, str]:
    """What ENV sets."""
    words = " ".join(of(stage, "ENV")).split()
    return dict(word.split("=", 1) for word in words)
