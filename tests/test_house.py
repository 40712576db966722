"""The rooms of the library: which there are, what each shows the others, what entering one costs.

That imports point down and go in no circle, import-linter checks (`make lint`).
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_utils.environment import PACKAGE_FOLDER

ROOMS = {
    *("cli", "common", "datasets", "drift", "exercises", "export", "images", "inference"),
    *("registry", "services", "serving", "training"),
}
HEAVY = {"tensorflow", "keras", "duckdb", "scipy", "flask"}
SAVED_VERSIONS = Path(__file__).with_name("saved") / "records"


def test_there_are_twelve_rooms_and_one_module_beside_them():
    folders = {path.parent.name for path in PACKAGE_FOLDER.glob("*/__init__.py")}
    modules = {path.name for path in PACKAGE_FOLDER.glob("*.py")}
    assert folders == ROOMS
    assert modules == {"__init__.py", "environment.py"}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_entering_a_room_loads_nothing_heavy(room: str):
    ask = f"import sys, course_utils.{room}; print(*sys.modules)"
    plain = {name: value for name, value in os.environ.items() if name != "EAGER_IMPORT"}
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, env=plain
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "course_utils" in loaded
    assert loaded & HEAVY == set()


def test_the_mpg_service_does_without_what_its_container_lacks():
    """Of deploy/requirements.txt: neither photos nor tables, nor what makes a network.

    Nor does a version need them that is verified there, to be promoted.
    """
    lacking = ["PIL", "duckdb", "pandas", "pooch", "requests", "scipy", "sklearn"]
    lacking += ["keras", "tensorflow"]
    ask = f"""
import sys
sys.modules |= dict.fromkeys({lacking})
import course_utils.cli
from course_utils.inference import shipped_model
from course_utils import registry
from course_utils.services import mpg
mpg.create_app(shipped_model("mpg"))
registry.verify(registry.load("mpg", 1, store={str(SAVED_VERSIONS)!r}))
"""
    subprocess.run([sys.executable, "-c", ask], check=True)


def faces() -> dict[str, tuple[set[str], dict[str, str]]]:
    """Of each room, the modules and, by name, the places of what others may import from it."""
    found = {}
    for stub in PACKAGE_FOLDER.glob("*/__init__.pyi"):
        modules, names = set(), {}
        for node in ast.parse(stub.read_text("utf-8")).body:
            assert isinstance(node, ast.ImportFrom)
            for alias in node.names:
                if node.module is None:
                    modules.add(alias.name)
                else:
                    names[alias.name] = node.module
        found[stub.parent.name] = modules, names
    return found


FACES = faces()


def imports_across(path: Path) -> Iterator[tuple[str, str]]:
    """Of a module, the module and the name of each import from another room."""
    own = path.relative_to(PACKAGE_FOLDER).parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_utils."):
            room = str(node.module).split(".")[1]
            if room in FACES and room != own:
                yield from ((str(node.module), alias.name) for alias in node.names)


def test_rooms_take_from_each_other_what_their_faces_show():
    hidden = []
    for path in sorted(PACKAGE_FOLDER.rglob("*.py")):
        name = path.relative_to(PACKAGE_FOLDER).as_posix()
        for module, taken in imports_across(path):
            _, room, *inside = module.split(".")
            modules, names = FACES[room]
            shown = inside[0] in modules if inside else taken in modules | names.keys()
            if not shown:
                hidden.append(f"{name}: {taken} from {module}")
    assert hidden == []


def test_no_name_of_a_face_hides_a_module():
    """A function called as a module would be one or the other, by what was imported first."""
    for room, (_, names) in FACES.items():
        files = {path.stem for path in (PACKAGE_FOLDER / room).glob("*.py")}
        files |= {path.parent.name for path in (PACKAGE_FOLDER / room).glob("*/__init__.py")}
        assert names.keys() & files == set(), room


def test_modules_and_functions_stay_short_enough_to_be_read_at_once():
    """A module has at most 300 lines, a function 45 without its docstring."""
    long = []
    webapp = PACKAGE_FOLDER / "webapp"  # whose node_modules bring Python of their own
    for path in (path for path in PACKAGE_FOLDER.rglob("*.py") if webapp not in path.parents):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 300:
            long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                doc = node.body[0] if ast.get_docstring(node) else None
                lines = node.end_lineno - node.lineno + 1
                if lines - (doc.end_lineno - doc.lineno + 1 if doc else 0) > 45:
                    long.append(f"{path.name}: {node.name}")
    assert long == []
