"""Does one thing in a process of its own, for tests that start many: ``processes.py THING ...``."""

import json
import shutil
import sys
import time
from pathlib import Path

from course_utils import records
from course_utils.records.store import draft, folder_of, publish


def wait_for(signal: Path) -> None:
    print("ready", flush=True)
    while not signal.exists():
        time.sleep(0.05)


def copy(source: Path, store: Path, notes: str) -> int:
    """Register what another record holds: all of `records.register` but what is found out."""
    document = json.loads((source / "record.json").read_text("utf-8")) | {"notes": notes}
    with draft(folder_of("mpg", store)) as new:
        for folder in ("files", "charts"):
            shutil.copytree(source / folder, new / folder)
        return publish(new, document)


def main(thing: str, signal: str, store: str, *rest: str) -> None:
    wait_for(Path(signal))
    if thing == "register":
        copy(Path(rest[0]), Path(store), rest[1])
    elif thing == "register on and on":
        for number in range(1_000_000):
            print(copy(Path(rest[0]), Path(store), f"{rest[1]}-{number}"), flush=True)
    elif thing == "promote":
        records.promote("mpg", int(rest[0]), store=store, reason=rest[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
