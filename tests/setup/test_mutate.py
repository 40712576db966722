"""tools/mutate.py: which faults it makes, which tests it runs, and that it restores the files."""

import ast
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
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

__all__ = ["report"]
LIMIT = 3


def report(value: "Literal[1, True]", log, size=4) -> "int < 5":
    """Return True, not 1."""
    count: "Literal[2]"
    log.info("%d of 2", 3)
    self._log.warning("a" + "b")
    if_many = f"{value + 1}{'s' if value == 1 else ''}"
    raise ValueError("one" if value == 1 else "many", "a" + str(value), name="x" == "y")
'''


def faulty_lines(line: str) -> list[str]:
    """The line of a function's body with each fault."""
    source = f"def f():\n    {line}\n".encode()
    made = [fault.put(source) for fault in mutate.find_faults(source)]
    for each in made:
        assert ast.dump(ast.parse(each)) != ast.dump(ast.parse(source))
    return sorted(each.decode().splitlines()[1].strip() for each in made)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = a < b <= c", ["y = a < b < c", "y = a <= b <= c"]),
        ("y = (a) == (b)", ["y = (a) != (b)"]),
        ("y = a not in b is c", ["y = a in b is c", "y = a not in b is not c"]),
        ("y = a is not b", ["y = a is b"]),
        ("y = a + b * c", ["y = a + b / c", "y = a - b * c"]),
        ("y /= -z  # why", ["y *= -z  # why"]),
        ("y = a and b and c", ["y = a and b or c", "y = a or b and c"]),
        ("y = 'é', a > b", ["y = 'é', a >= b"]),
        ("y = 'a' + b", []),
        ("if x: y = z", ["if not x: y = z"]),
        (
            "y = a if (b or c) else d",
            ["y = a if (b and c) else d", "y = a if (not (b or c)) else d"],
        ),
        ("y = [a for a in b if a.c]", ["y = [a for a in b if not a.c]"]),
        ("if not (a or b): y = z", ["if (a or b): y = z", "if not (a and b): y = z"]),
        ("y = x[0], -7, 0.5", ["y = x[0], -7, 1.5", "y = x[0], -8, 0.5", "y = x[1], -7, 0.5"]),
        ("y = g(flag=True)", ["y = g(flag=False)"]),
        ("g(x)", ["pass"]),
        ("return x", ["return None"]),
        ("return None", []),
        ("return", []),
        ("y = {'k': 'v'}", ["y = {'kX': 'v'}"]),
        ("y = x == 't'", ["y = x != 't'", "y = x == 'tX'"]),
        ('raise Problem(503, "why")', ['raise Problem(504, "why")']),
        ("y: Literal[1] = x", []),
    ],
)
def test_faults_of_a_line(line: str, expected: list[str]):
    assert faulty_lines(line) == sorted(expected)


def test_messages_docstrings_annotations_and_what_runs_at_import_are_left_alone():
    assert mutate.find_faults(MESSAGES.encode()) == []


def test_nodes_of_several_lines_are_left_alone():
    source = b"def f():\n    return g(\n        a\n        + b,\n        1,\n    )\n"
    assert [fault.put(source) for fault in mutate.find_faults(source)] == [
        source.replace(b"1", b"2")
    ]


def test_every_fault_in_a_file_of_the_library_can_be_parsed():
    source = (ROOT / "course_utils" / "environment.py").read_bytes()
    faults = mutate.find_faults(source)
    assert len(faults) > 5
    for fault in faults:
        assert ast.dump(ast.parse(fault.put(source))) != ast.dump(ast.parse(source))


def test_each_file_of_tests_is_represented():
    many = [f"tests/test_a.py::test_{number:02}[x|y]|run" for number in range(40)]
    chosen = mutate.choose_tests(["", *many, "tests/test_b.py::test|setup", "tests/c.py::t|run"])
    assert len(chosen) == mutate.MAX_TESTS
    assert chosen[:2] == ["tests/c.py::t", "tests/test_a.py::test_00[x|y]"]
    assert chosen[-2:] == ["tests/test_a.py::test_22[x|y]", "tests/test_b.py::test"]


@pytest.mark.parametrize(
    ("status", "output", "expected"),
    [
        (None, "", ("noticed", "time limit")),
        (0, "1 passed", ("not noticed", "")),
        (
            1,
            "ERROR    root:a.py:1 log\n== short test summary info ==\nFAILED t.py::t[a] - assert",
            ("noticed", "t.py::t[a]"),
        ),
        (1, "Left behind by the tests:\na server\n", ("noticed", "a server")),
        (2, "ERROR t.py - TypeError", ("noticed", "t.py")),
        (4, "_ ERROR collecting t.py _\nERROR t.py - TypeError", ("noticed", "t.py")),
        (4, "ERROR: not found: t.py::t", ("could not be run", "ERROR: not found: t.py::t")),
        (5, "", ("could not be run", "")),
    ],
)
def test_exit_status(status: int | None, output: str, expected: tuple[str, str]):
    assert mutate.judge(status, output) == expected


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with a package of two functions and their tests."""
    for name in ("course_utils", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "course_utils" / "__init__.py").touch()
    (tmp_path / "course_utils" / "tiny.py").write_text(CODE)
    (tmp_path / "tests" / "test_tiny.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@contextlib.contextmanager
def written_contexts(root: Path) -> Iterator[CoverageData]:
    """Data by which one test covers lines 2 and 6, and importing covers lines 1 and 5."""
    with contextlib.closing(CoverageData(basename=str(root / "contexts"))) as data:
        for context, lines in {"": [1, 5], "tests/test_tiny.py::test_double|run": [2, 6]}.items():
            data.set_context(context)
            data.add_lines({str(root / "course_utils" / "tiny.py"): lines})
        yield data


def test_the_seed_decides_the_choice(tiny: Path):
    with written_contexts(tiny) as data:
        chosen = [mutate.choose_targets(data, tiny, 2, seed) for seed in range(20)]
        again = [mutate.choose_targets(data, tiny, 2, seed) for seed in range(20)]
        elsewhere = mutate.choose_targets(data, tiny, 2, 0, only="course_utils/drift")
    assert chosen == again
    assert all({target.fault.line for target in each} == {2, 6} for each in chosen)
    assert len({str(each) for each in chosen}) > 5
    assert elsewhere == []


def test_files_are_restored_at_the_time_limit_and_after_ctrl_c(tiny: Path, monkeypatch):
    path = tiny / "course_utils" / "tiny.py"
    before = path.stat().st_mtime_ns
    fault = mutate.find_faults(CODE.encode())[0]
    target = mutate.Target("course_utils/tiny.py", fault, ["tests/test_tiny.py::test_double|run"])
    assert mutate.run_tests(tiny, target, 0.01)[0] is None

    def interrupt(*arguments, **options):
        assert path.read_text() != CODE
        raise KeyboardInterrupt

    monkeypatch.setattr(mutate.subprocess, "Popen", interrupt)
    with pytest.raises(KeyboardInterrupt):
        mutate.run_tests(tiny, target, 60)
    assert path.read_text() == CODE
    assert path.stat().st_mtime_ns == before


@NEEDS_GIT
def test_changes_that_are_not_committed_stop_it(tiny: Path, capsys):
    arguments = ["--root", str(tiny), "--contexts", str(tiny / "absent")]
    git(tiny, "init")
    git(tiny, "add", ".")
    assert mutate.main(arguments) == 2
    assert "There is no file" in capsys.readouterr().err
    (tiny / "course_utils" / "tiny.py").write_text(CODE + "\n")
    assert mutate.main(arguments) == 2
    assert "not committed" in capsys.readouterr().err


@NEEDS_GIT
def test_one_test_notices_and_the_other_does_not(tiny: Path):
    git(tiny, "init")
    git(tiny, "add", ".")
    own = ("COV", "PYTEST")  # of the run that this test is a part of
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(own)}
    options = {"cwd": tiny, "env": environment, "check": True, "capture_output": True, "text": True}
    measure = ["-m", "pytest", "--cov=course_utils", "--cov-context=test", "--cov-report="]
    subprocess.run([sys.executable, *measure], **options)
    tool = [
        sys.executable,
        str(ROOT / "tools" / "mutate.py"),
        "--root",
        ".",
        "--json",
        "found.json",
    ]
    said = subprocess.run([*tool, "--contexts", ".coverage", "--number", "9"], **options).stdout

    found = json.loads((tiny / "found.json").read_text())
    assert found["totals"] == {"noticed": 1, "not noticed": 1, "could not be run": 0}
    faults = {fault["line"]: fault for fault in found["faults"]}
    assert faults[2]["result"] == "noticed"
    assert faults[2]["by"] == "tests/test_tiny.py::test_double"
    assert faults[6]["before"] == "return n + 1"
    assert faults[6]["result"] == "not noticed"
    assert "50%" in said
    assert said.count("course_utils/tiny.py:6: return n + 1  ->  ") == 2
    assert (tiny / "course_utils" / "tiny.py").read_text() == CODE
