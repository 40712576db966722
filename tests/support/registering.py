"""Changes a store again and again, until it is killed; each change is said in a line.

``python -m tests.support.registering register|promote STORE SOURCE NOTES``
"""

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from course_utils import registry
from course_utils.registry.store import locate, open_draft, publish
from tests.support.serving import ROOT


def register(store: Path, source: Path, notes: str) -> int:
    """Register what another version holds: all of `registry.register` but what is found out."""
    document = json.loads((source / "record.json").read_text("utf-8")) | {"notes": notes}
    with open_draft(locate("mpg", store)) as draft:
        for folder in ("files", "charts"):
            shutil.copytree(source / folder, draft / folder)
        return publish(draft, document)


@contextlib.contextmanager
def change_at_once(change: str, store: Path, source: Path, *, times: int) -> Iterator[list[str]]:
    """Run this module so many times at once while the ``with`` lasts, then kill all.

    What they have said is in the list afterwards; each has made a change when it begins.
    """
    command = [sys.executable, "-m", __name__, change, str(store), str(source)]
    said: list[str] = []
    ours = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for number in range(times)
    ]
    try:
        said += [process.stdout.readline() for process in ours if process.stdout]
        yield said
    finally:
        for process in ours:
            process.kill()
            said += process.communicate()[0].split("\n")[:-1]


def main(change: str, store: str, source: str, notes: str) -> None:
    for number in itertools.count():
        told = f"{notes}-{number}"
        if change == "register":
            print(register(Path(store), Path(source), told), flush=True)
        else:
            registry.promote("mpg", 1 + number % 2, store=store, reason=told)
            print(told, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
