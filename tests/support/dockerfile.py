"""What stands in a Dockerfile."""

import re

from tests.support import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
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


def variables(stage: Instructions) -> dict[str, str]:
    """What ENV sets."""
    words = " ".join(of(stage, "ENV")).split()
    return dict(word.split("=", 1) for word in words)
