"""Which exercises a learner has solved: kept in their own folder, shown by ``course progress``."""

import importlib
import json
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path

from course_utils import exercises
from course_utils.common import atomic_files, machine_lock
from course_utils.environment import output_folder

STUB = "return ...  # your code here"  # in an exercise that nobody has begun


@dataclass(frozen=True)
class Progress:
    """The exercises of one notebook, by their names in the order in which they stand there."""

    number: str
    title: str
    solved: list[str]
    unsolved: list[str]


def find_file() -> Path:
    """Where the names of the solved exercises are kept, as JSON: a list for each module."""
    return output_folder() / "progress.json"


def record_solved(module: str, name: str) -> None:
    """Note that an exercise has been solved.

    Args:
        module: of the room, such as ``start_here``.
        name: of the exercise in it.

    Raises:
        OSError: the learner's folder cannot be written to.
    """
    with machine_lock(output_folder()):  # two notebooks may be solved at a time
        solved = _read_solved()
        if name not in solved.setdefault(module, []):
            solved[module].append(name)
            atomic_files.put(find_file(), json.dumps(solved, indent=2).encode())


def list_progress() -> list[Progress]:
    """The solved and unsolved exercises of each notebook, in the order of their numbers."""
    found, solved = [], _read_solved()
    for entry in pkgutil.iter_modules(exercises.__path__):
        module = importlib.import_module(f"{exercises.__name__}.{entry.name}")
        number = re.match(r"Exercises of notebook (\d\d)\.", module.__doc__ or "")
        if number:
            names = [n for n, v in vars(module).items() if isinstance(v, exercises.Exercise)]
            done = [name for name in names if name in solved.get(entry.name, [])]
            rest = [name for name in names if name not in done]
            found.append(Progress(number[1], entry.name.replace("_", " "), done, rest))
    return sorted(found, key=lambda progress: progress.number)


def list_untouched(path: Path) -> list[str]:
    """The exercises of a notebook that nobody has begun, as the tags of their cells name them."""
    import nbformat

    cells = nbformat.read(path, as_version=4).cells  # type: ignore[no-untyped-call]
    stubs = (tag for c in cells if STUB in c.source for tag in c.metadata.get("tags", []))
    return [tag.removeprefix("exercise-") for tag in stubs if tag.startswith("exercise-")]


def _read_solved() -> dict[str, list[str]]:
    try:
        found = json.loads(find_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no exercise has been solved, or somebody edited the file
        return {}
    return found if isinstance(found, dict) else {}
