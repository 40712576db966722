"""tools/mutate.py: which faults it makes, which tests it runs, and that it restores the files."""

import ast
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

from tests.support import ROOT
from tools import mutate
from tools.programs import find

NEEDS_GIT = pytest.mark.skipif(not find("git"), reason="needs git")
CODE = """\
def double(n):
    return n * 2


def add_one(n):
    return n + 1
"""
TESTS = """\
from course_utils.tiny import add_one, double


def test_double():
    assert double(4) == 8


def test_add_one():
    add_one(4)
"""
MESSAGES = '''\
"""Compare 1 < 2 and True."""

LIMIT = 3


def report(value: "Literal[1, True]", log, size=4) -> "int < 5":
    """Return True, not 1."""
    log.info("%d of 2", 3)
    self._log.warning("a" + "b")
    text = f"{value + 1}{'s' if value == 1 else ''}"
    raise ValueError("one" if value == 1 else "many", "a" + str(value), name="x" == "y")
'''


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = a < b <= c", ["y = a < b < c", "y = a <= b <= c"]),
        ("y = a not in b is c", ["y = a in b is c", "y = a not in b is not c"]),
        ("y = (a) + b * c", ["y = (a) + b / c", "y = (a) - b * c"]),
        ("y /= -z  # why", ["y *= -z  # why"]),
        ("y = 'é', a and b", ["y = 'é', a or b"]),
        ("y = 'a' + b", []),
        ("y = a if (b) else d", ["y = a if (not b) else d"]),
        ("if not (a or b): y = z", ["if (a or b): y = z", "if not (a and b): y = z"]),
        ("y = x[0], -7, True", ["y = x[0], -7, False", "y = x[0], -8, True", "y = x[1], -7, True"]),
        ("g(x)", ["pass"]),
        ("return x", ["return None"]),
        ("return None", []),
        (
            "y = {'k': x == 't'}",
            ["y = {'k': x != 't'}", "y = {'k': x == 'tX'}", "y = {'kX': x == 't'}"],
        ),
        ('raise Problem(503, "why")', ['raise Problem(504, "why")']),
    ],
)
def test_faults_of_a_line(line: str, expected: list[str]):
    source = f"def f():\n    {line}\n".encode()
    made = [fault.put(source) for fault in mutate.find_faults(source)]
    for each in made:
        assert ast.dump(ast.parse(each)) != ast.dump(ast.parse(source))
    assert sorted(each.decode().splitlines()[1].strip() for each in made) == sorted(expected)


def test_messages_docstrings_annotations_and_what_runs_at_import_are_left_alone():
    assert mutate.find_faults(MESSAGES.encode()) == []


def test_each_file_of_tests_is_represented():
    many = [f"tests/test_a.py::test_{number:02}[x|y]|run" for number in range(40)]
    contexts = ["", *many, "tests/test_b.py::test|setup", "tests/c.py::t|run"]
    first, rest = mutate.split_tests(contexts)
    assert len(first) == mutate.FIRST_TESTS
    assert first[:2] == ["tests/c.py::t", "tests/test_a.py::test_00[x|y]"]
    assert first[-2:] == ["tests/test_a.py::test_22[x|y]", "tests/test_b.py::test"]
    assert rest == [f"tests/test_a.py::test_{number}[x|y]" for number in range(23, 40)]
    assert mutate.split_tests(["tests/c.py::t|run"]) == [["tests/c.py::t"]]


@pytest.mark.parametrize(
    ("status", "output", "expected"),
    [
        (None, "", ("noticed", "time limit")),
        (0, "1 passed", ("not noticed", "")),
        (1, "== short test summary info ==\nFAILED t.py::t[a] - assert", ("noticed", "t.py::t[a]")),
        (1, "Left behind by the tests:\na server\n", ("noticed", "a server")),
        (4, "_ ERROR collecting t.py _\nERROR t.py - TypeError", ("noticed", "t.py")),
        (4, "ERROR: not found: t.py::t", ("could not be run", "ERROR: not found: t.py::t")),
    ],
)
def test_exit_status(status: int | None, output: str, expected: tuple[str, str]):
    assert mutate.judge(status, output) == expected


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with a package of two functions and their tests, in git where there is git."""
    for name in ("course_utils", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "course_utils" / "__init__.py").touch()
    (tmp_path / "course_utils" / "tiny.py").write_text(CODE)
    (tmp_path / "tests" / "test_tiny.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for command in (["init"], ["add", "."]) if find("git") else ():
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_the_seed_decides_the_choice(tiny: Path):
    page = tiny / "course_utils" / "page.html"  # a template, whose lines are covered, too
    page.write_text("<style>\np { font: 1rem/1.5 serif }\n</style>\n")
    with contextlib.closing(CoverageData(basename=str(tiny / "contexts"))) as data:
        for context, lines in {"": [1, 5], "tests/test_tiny.py::test_double|run": [2, 6]}.items():
            data.set_context(context)
            data.add_lines({str(tiny / "course_utils" / "tiny.py"): lines, str(page): lines})
        chosen = [mutate.choose_targets(data, tiny, 2, seed) for seed in range(20)]
        assert chosen == [mutate.choose_targets(data, tiny, 2, seed) for seed in range(20)]
        assert mutate.choose_targets(data, tiny, 2, 0, only="course_utils/drift") == []
    assert all({target.fault.line for target in each} == {2, 6} for each in chosen)
    assert len({str(each) for each in chosen}) > 5


def test_files_are_restored_at_the_time_limit(tiny: Path):
    path = tiny / "course_utils" / "tiny.py"
    before = path.stat().st_mtime_ns
    fault = mutate.find_faults(CODE.encode())[0]
    target = mutate.Target("course_utils/tiny.py", fault, [])
    tests = ["tests/test_tiny.py::test_double"]
    assert mutate.run_tests(tiny, target, tests, 0.01)[0] is None
    assert path.read_text() == CODE
    assert path.stat().st_mtime_ns == before


@NEEDS_GIT
def test_changes_that_are_not_committed_stop_it(tiny: Path, capsys):
    arguments = ["--root", str(tiny), "--contexts", str(tiny / "absent")]
    assert mutate.main(arguments) == 2
    assert "There is no file" in capsys.readouterr().err
    (tiny / "course_utils" / "tiny.py").write_text(CODE + "\n")
    assert mutate.main(arguments) == 2
    assert "not committed" in capsys.readouterr().err


@NEEDS_GIT
def test_one_test_notices_and_the_other_does_not(tiny: Path):
    own = ("COV", "PYTEST")  # of the run that this test is a part of
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(own)}
    options = {"cwd": tiny, "env": environment, "check": True, "capture_output": True, "text": True}
    measure = ["-m", "pytest", "--cov=course_utils", "--cov-context=test", "--cov-report="]
    subprocess.run([sys.executable, *measure], **options)
    tool = [sys.executable, str(ROOT / "tools" / "mutate.py"), "--root", ".", "--json", "found"]
    said = subprocess.run([*tool, "--contexts", ".coverage", "--number", "9"], **options).stdout

    found = json.loads((tiny / "found").read_text())
    assert found["totals"] == {"noticed": 1, "not noticed": 1, "could not be run": 0}
    faults = {fault["line"]: fault for fault in found["faults"]}
    assert faults[2]["result"] == "noticed"
    assert faults[2]["by"] == "tests/test_tiny.py::test_double"
    assert (faults[6]["before"], faults[6]["result"]) == ("return n + 1", "not noticed")
    assert "50%" in said
    assert said.count("course_utils/tiny.py:6: return n + 1  ->  ") == 2
    assert (tiny / "course_utils" / "tiny.py").read_text() == CODE
