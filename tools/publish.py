"""Set the repository's address, all links and the release's tag: ``make publish REPO=owner/name``.

It commits here and pushes nothing.
"""

import re
import subprocess
import sys

from tools import links

ADDRESS = re.compile(r'^Repository = ".*"$', re.MULTILINE)


def main(arguments: list[str]) -> None:
    """Write pyproject.toml and what follows from it, commit it and tag it with the version."""
    repository = arguments[0] if arguments else ""
    if not re.fullmatch(r"[A-Za-z0-9-]+/[\w.-]+", repository):
        raise SystemExit("Say where on GitHub the course will be: make publish REPO=owner/name")
    if git("status", "--porcelain"):
        raise SystemExit("Commit your changes first: the release has to hold them.")
    tag = f"v{links.project()[1]}"
    if git("tag", "--list", tag):
        raise SystemExit(f"{tag} is published already: write the next version in pyproject.toml.")
    file = links.ROOT / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    address = f'Repository = "https://github.com/{repository}"'
    file.write_text(ADDRESS.sub(address, text), encoding="utf-8", newline="\n")
    links.main([])
    if git("status", "--porcelain"):
        git("commit", "--quiet", "--all", "--message", f"Publish {tag} at {repository}")
    git("tag", tag)
    print(f"To publish it: git push https://github.com/{repository} HEAD:main {tag}")


def git(*arguments: str) -> str:
    """What git prints, in the course's folder; where it fails, it has said why."""
    done = subprocess.run(["git", *arguments], cwd=links.ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
