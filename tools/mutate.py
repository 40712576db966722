"""Do the tests notice? Put one-line faults into the library and run the tests that cover them.

``python -m pytest --cov --cov-context=test`` first writes which test runs which line. Then:
``python tools/mutate.py --contexts .coverage --number 40 --seed 0 --only course_utils/drift``

Each fault is written into its file, and the file is restored afterwards. So nothing else may edit
or use the checkout meanwhile. The tests have to pass without a fault, or all faults look noticed.
"""

import argparse
import ast
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from coverage import CoverageData
from coverage.exceptions import CoverageException

PACKAGE = "course_utils"
EXCLUDED_FOLDERS = [f"{PACKAGE}/exercises", f"{PACKAGE}/webapp"]
FIRST_TESTS = 25  # they notice most faults; all others are run where they do not
STOPPING_TIME_S = 20
NOTICED, NOT_NOTICED, NOT_RUN = "noticed", "not noticed", "could not be run"
LOGGERS = {"log", "logger", "logging"}
LOG_METHODS = {"critical", "debug", "error", "exception", "info", "log", "warning"}
SWAPS = {
    **{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    **{"in": "not in", "not in": "in", "is": "is not", "is not": "is", "and": "or", "or": "and"},
    **{"+": "-", "-": "+", "*": "/", "/": "*", "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*="},
}


class Fault(NamedTuple):
    """What replaces the bytes from ``start`` to ``end`` of a line; lines count from 1."""

    line: int
    start: int
    end: int
    text: str

    def put(self, source: bytes) -> bytes:
        lines = source.splitlines(keepends=True)
        line = lines[self.line - 1]
        lines[self.line - 1] = line[: self.start] + self.text.encode() + line[self.end :]
        return b"".join(lines)


class Target(NamedTuple):
    """A file (relative to the root), a fault for it, and the contexts that cover its line."""

    file: str
    fault: Fault
    contexts: list[str]


def is_message(node: ast.AST) -> bool:
    """Whether this is a call that logs, or an f-string, whose parts have no exact positions."""
    call = node.value if isinstance(node, ast.Expr) else node
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        logger = ast.unparse(call.func.value).rpartition(".")[2].lstrip("_")
        return logger in LOGGERS and call.func.attr in LOG_METHODS
    return isinstance(node, ast.JoinedStr)


def is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def walk_calls(node: ast.AST, in_function: bool = False) -> Iterator[ast.AST]:
    """Yield what runs when functions are called, without annotations and messages.

    Lines outside functions run once, at import. Their tests are those that import the file first.
    """
    if in_function:
        yield node
    if isinstance(node, ast.Raise):  # what is not a constant may make the message
        arguments = node.exc.args if isinstance(node.exc, ast.Call) and in_function else []
        yield from (argument for argument in arguments if isinstance(argument, ast.Constant))
        return
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            annotates = field in {"annotation", "returns"}
            if isinstance(child, ast.AST) and not annotates and not is_message(child):
                yield from walk_calls(child, in_function or (is_function and field == "body"))


def find_swaps(node: ast.AST, lines: list[bytes]) -> Iterator[Fault]:
    """Swap each operator of the node, which stands between its operands."""
    operands: list[Any] = []
    match node:
        case ast.Compare(left=left, comparators=others):
            operands = [left, *others]
        case ast.BoolOp(values=values):
            operands = values
        case ast.BinOp(left=left, right=right) | ast.AugAssign(target=left, value=right):
            # With a text, each swap raises a TypeError, which any test would notice.
            operands = [] if is_text(left) or is_text(right) else [left, right]
    for left, right in pairwise(operands):
        if left.lineno == right.end_lineno:
            between = lines[left.lineno - 1][left.end_col_offset : right.col_offset].decode()
            old = between.strip("() ")
            if old in SWAPS:
                new = between.replace(old, SWAPS[old], 1)
                yield Fault(left.lineno, left.end_col_offset, right.col_offset, new)


def find_replacements(node: ast.AST, lines: list[bytes]) -> Iterator[tuple[Any, str]]:
    """Yield the node, or parts of it, and the text of a fault for each; all but operators."""

    def read(part: Any) -> str:
        line = lines[part.lineno - 1]
        return line[part.col_offset : part.end_col_offset].decode("utf-8", "ignore")

    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.comprehension(ifs=[test]):
            if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
                simple = isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.Compare)
                yield test, f"not {read(test)}" if simple else f"not ({read(test)})"
        case ast.UnaryOp(op=ast.Not()):
            yield node, read(node).removeprefix("not").lstrip()  # keeps the operand's parentheses
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value) | float(value)) if value + 1 != value:
            yield node, repr(value + 1)
        case ast.Expr(value=ast.Call()):
            yield node, "pass"
        case ast.Return(value=ast.expr() as value) if read(value) != "None":
            yield node, "return None"
        case ast.Compare(left=left, comparators=others):
            yield from ((text, repr(text.value + "X")) for text in [left, *others] if is_text(text))
        case ast.Dict(keys=keys):
            yield from ((text, repr(text.value + "X")) for text in keys if is_text(text))


def find_faults(source: bytes) -> list[Fault]:
    """All faults that can be put into a file, in the order of their places."""
    lines = source.splitlines()
    found: set[Fault] = set()
    for node in walk_calls(ast.parse(source)):
        found.update(find_swaps(node, lines))
        for part, text in find_replacements(node, lines):
            if part.lineno == part.end_lineno:
                found.add(Fault(part.lineno, part.col_offset, part.end_col_offset, text))
    return sorted(found)


def split_tests(contexts: Iterable[str]) -> list[list[str]]:
    """The tests in one or two runs: `FIRST_TESTS`, one of each file among them, and the rest."""
    tests = sorted({context.rpartition("|")[0] for context in contexts if context})
    first = {test.partition("::")[0]: test for test in reversed(tests)}.values()
    ordered = [*sorted(first), *(test for test in tests if test not in set(first))]
    # The tests of a file share its fixtures only if they stand together.
    runs = sorted(ordered[:FIRST_TESTS]), sorted(ordered[FIRST_TESTS:])
    return [tests for tests in runs if tests]


def choose_targets(
    data: CoverageData, root: Path, number: int, seed: int, only: str = PACKAGE
) -> list[Target]:
    """Choose covered lines at random and one fault for each: always the same for one seed."""
    lines = []
    for measured in data.measured_files():
        path = (root / measured).resolve()
        file = PurePosixPath(path.relative_to(root).as_posix() if root in path.parents else "")
        excluded = any(file.is_relative_to(folder) for folder in EXCLUDED_FOLDERS)
        is_code = file.suffix == ".py"  # coverage sees the lines of a template's, too
        if excluded or not (is_code and file.is_relative_to(PACKAGE) and file.is_relative_to(only)):
            continue
        contexts = data.contexts_by_lineno(measured)
        for line, faults in groupby(find_faults(path.read_bytes()), lambda fault: fault.line):
            if covering := sorted(filter(None, contexts.get(line, []))):  # '' is import
                lines.append((str(file), list(faults), covering))
    generator = random.Random(seed)
    chosen = generator.sample(sorted(lines), min(number, len(lines)))
    return [Target(file, generator.choice(faults), covering) for file, faults, covering in chosen]


def run_tests(
    root: Path, target: Target, tests: list[str], limit_s: float
) -> tuple[int | None, str]:
    """Run tests with the fault; the exit status, None at the time limit, and the output."""
    path = root / target.file
    original, state = path.read_bytes(), path.stat()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--color=no", "-p", "no:cacheprovider"]
    command += ["--no-cov", "-n0", "-m", "not gpu", *tests]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    process = None
    with tempfile.TemporaryFile() as output:  # a pipe would wait for all that the tests started
        try:
            path.write_bytes(target.fault.put(original))
            # Python uses a compiled file while the size and the second of its source are the same.
            os.utime(path, (state.st_atime, state.st_mtime + 2))
            process = subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(limit_s)
            status = process.poll()
        finally:
            path.write_bytes(original)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
            if process:
                end_session(process)
        output.seek(0)
        return status, output.read().decode("utf-8", "replace")


def end_session(process: "subprocess.Popen[bytes]") -> None:
    """Stop pytest if it still runs, so that it ends what tests started; then kill the rest."""
    if os.name == "posix":
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOPPING_TIME_S)
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def judge(status: int | None, output: str) -> tuple[str, str]:
    """What pytest's exit status means, and the test, or else the line of output, that says so."""
    if status is None:
        return NOTICED, "time limit"
    if status == 0:
        return NOT_NOTICED, ""
    summary = output.rpartition("short test summary info")[2]
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", summary, re.MULTILINE)
    by = failed[1] if failed else (output.strip().splitlines() or [""])[-1]
    # A file that cannot be imported ends with status 4, not 2, where pytest is given single tests.
    broken = status == 4 and re.search("ERROR collecting|while loading conftest", output)
    return (NOTICED if status in {1, 2} or broken else NOT_RUN), by


def try_fault(root: Path, target: Target, limit_s: float) -> dict[str, Any]:
    """Run the tests with the fault; what was changed and what came of it."""
    source, line = (root / target.file).read_bytes(), target.fault.line
    before, after = (
        text.splitlines()[line - 1].decode().strip() for text in (source, target.fault.put(source))
    )
    began = time.monotonic()
    for tests in split_tests(target.contexts):
        result, by = judge(*run_tests(root, target, tests, limit_s))
        if result != NOT_NOTICED:
            break
    # Coverage counts what a shared fixture runs for the first test that uses it, and no other.
    fixture = not any(context.endswith("|run") for context in target.contexts)
    if result == NOT_NOTICED and fixture:
        by = "only a fixture's first test was run, not the others that use it"
    seconds = round(time.monotonic() - began, 1)
    place = {"file": target.file, "line": line, "before": before, "after": after}
    return place | {"result": result, "by": by, "seconds": seconds}


def describe(fault: dict[str, Any]) -> str:
    """One line for one fault."""
    by = f": {fault['by']}" if fault["by"] else ""
    place = f"{fault['file']}:{fault['line']}: {fault['before']}  ->  {fault['after']}"
    return f"{place}: {fault['result']}{by}, {fault['seconds']} s"


def print_totals(faults: list[dict[str, Any]]) -> dict[str, int]:
    """Print the table and the faults that were not noticed; the numbers in the table."""
    results = [fault["result"] for fault in faults]
    totals = {result: results.count(result) for result in (NOTICED, NOT_NOTICED, NOT_RUN)}
    counted = totals[NOTICED] + totals[NOT_NOTICED]
    print()
    for result, count in totals.items():
        share = f"{count / counted:6.0%}" if counted and result != NOT_RUN else ""
        print(f"{result:<16}{count:4}{share}")
    print(*(describe(fault) for fault in faults if fault["result"] == NOT_NOTICED), sep="\n")
    return totals


def read_targets(options: argparse.Namespace, root: Path) -> list[Target]:
    """Choose what to try; raises ValueError, with a message, where that is impossible."""
    # Restoring a file could lose changes that are not committed.
    command = ["git", "diff", "--quiet", "--", PACKAGE]
    if subprocess.run(command, cwd=root, capture_output=True, check=False).returncode:
        raise ValueError(f"{PACKAGE} has changes that are not committed, or git cannot tell.")
    if not options.contexts.exists():
        raise ValueError(f"There is no file {options.contexts}.")
    with contextlib.closing(CoverageData(basename=str(options.contexts))) as data:
        data.read()
        targets = choose_targets(data, root, options.number, options.seed, options.only)
    if not targets:
        raise ValueError(f"{options.contexts} names no test for a line that can have a fault.")
    return targets


def main(arguments: list[str]) -> int:
    """Try the faults one after another; 2 where that is impossible, or else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--contexts", type=Path, required=True, help="coverage data file")
    parser.add_argument("--number", type=int, default=40, help="how many faults")
    parser.add_argument("--seed", type=int, default=0, help="for the random choice")
    parser.add_argument("--only", default=PACKAGE, help="folder or file of the library")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a run of tests")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        targets = read_targets(options, root)
    except (ValueError, OSError, CoverageException) as error:
        print(error, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it restores as Ctrl-C does
    faults: list[dict[str, Any]] = []
    with contextlib.suppress(KeyboardInterrupt):
        for number, target in enumerate(targets, 1):
            faults.append(try_fault(root, target, options.timeout))
            print(f"{number:3} {describe(faults[-1])}", flush=True)
    totals = print_totals(faults)
    if options.json:
        results = {"seed": options.seed, "totals": totals, "faults": faults}
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
