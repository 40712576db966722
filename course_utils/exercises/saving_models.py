"""Exercises of notebook 13."""

import collections
import hashlib
import pickle
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from course_utils.exercises import Exercise, make_folder


def read_checked(path: Any, digests: Mapping[str, str]) -> bytes:
    """A file's content, if its SHA-256 is the one that is listed for its name."""
    import hashlib

    content: bytes = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digests.get(path.name):
        raise ValueError(f"{path.name} is not the file that was listed.")
    return content


def _test_checked(answer: Callable[..., Any]) -> None:
    digests = dict.fromkeys(["good", "swapped"], hashlib.sha256(b"a network").hexdigest())
    said = {"swapped": "nothing", "unlisted": "nothing"}
    with make_folder({"good": b"a network", "swapped": b"?", "unlisted": b"a network"}) as folder:
        got = answer(folder / "good", digests)
        assert got == b"a network", f"for a good file return its bytes, not {got!r}."
        for name in said:
            try:
                answer(folder / name, digests)
            except ValueError as error:
                said[name] = str(error)
    for name, text in said.items():
        assert name in text, f"for the file {name} raise a ValueError with its name, not {text!r}."


checked = Exercise(
    test=_test_checked,
    solve=read_checked,
    hints=("hashlib.sha256(content).hexdigest() should be digests.get(path.name).",),
)


def find_names(content: bytes) -> set[str]:
    """What a pickle would fetch from modules, as a set of "module name", without loading it."""
    import pickletools

    found: set[str] = set()
    texts: list[str] = []
    for instruction, argument, _ in pickletools.genops(content):
        if instruction.name == "GLOBAL":
            found.add(str(argument))
        elif instruction.name == "STACK_GLOBAL":
            found.add(" ".join(texts[-2:]))
        elif isinstance(argument, str):
            texts.append(argument)
    return found


def _test_stranger(answer: Callable[[bytes], Any]) -> None:
    got = answer(pickle.dumps({"weights": [1.5, 2.0]}))
    assert got == set(), f"a dictionary of numbers fetches nothing: the empty set, not {got}."
    got = answer(pickle.dumps(collections.Counter("aab"), protocol=2))
    assert got == {"collections Counter"}, f"GLOBAL fetches its argument and nothing else: {got}."
    got, wanted = answer(pickle.dumps(["a", shutil.rmtree], protocol=4)), {"shutil rmtree"}
    assert got == wanted, f"this pickle fetches what deletes folders: {wanted}, not {got}."


stranger = Exercise(
    test=_test_stranger,
    solve=find_names,
    hints=(
        "pickletools.genops(content) gives each instruction, its argument and its place.",
        '"STACK_GLOBAL" takes the last two arguments before it that are of the type str.',
    ),
)


def list_digests(folder: Any) -> dict[str, str]:
    """By path inside the folder: the SHA-256 of each file, also of those in subfolders."""
    import hashlib

    files = [path for path in folder.rglob("*") if path.is_file()]
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _test_own(answer: Callable[[Any], Any]) -> None:
    files = {"mpg.keras": b"1", "mpg_savedmodel/variables": b"2"}
    with make_folder(files) as folder:
        got = answer(folder)
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert got == wanted, f"two files, one in a subfolder, should give {wanted}, not {got}."


own = Exercise(
    test=_test_own,
    solve=list_digests,
    hints=("Loop over folder.rglob('*'). path.relative_to(folder).as_posix() is the key.",),
)
