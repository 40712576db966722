"""Bring Colab's versions up to date: ``python tools/colab.py pip-freeze.txt``.

The file is the list of a runtime's packages, which Google publishes in googlecolab/backend-info.
The versions go into tests/support/colab/today.txt. What that file takes from another source stays.
"""

import re
import sys
from pathlib import Path

TODAY = Path(__file__).resolve().parents[1] / "tests" / "support" / "colab" / "today.txt"
PIN = re.compile(r"^([\w.-]+)==(\S+)$", re.MULTILINE)


def update(constraints: str, published: str) -> str:
    """The constraints, with the published versions in the paragraph about the published list.

    Raises:
        KeyError: the list lacks one of its packages.
    """
    versions = {name.lower(): version for name, version in PIN.findall(published)}
    before, mark, rest = constraints.partition("# From the runtime's published list of packages:\n")
    paragraph, gap, after = rest.partition("\n\n")
    pins = PIN.sub(lambda pin: f"{pin[1]}=={versions[pin[1]]}", paragraph)
    return before + mark + pins + gap + after


def main(arguments: list[str]) -> None:
    """Rewrite the constraints, and print those that changed."""
    (published,) = map(Path, arguments)
    old = TODAY.read_text(encoding="utf-8")
    new = update(old, published.read_text(encoding="utf-8"))
    TODAY.write_text(new, encoding="utf-8", newline="\n")
    changed = set(new.splitlines()) - set(old.splitlines())
    print("New in Colab:", ", ".join(sorted(changed)) or "nothing")


if __name__ == "__main__":
    main(sys.argv[1:])
