"""What tests have started and not stopped: found, ended, and reported. A plugin for pytest.

A test that fails in the middle must not leave a server or a training behind that goes on writing.
"""

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest

VARIABLE = "TEST_RUN_ID"  # in the environment of each process of one run of the tests
FOLDER_PREFIX = "pytest-of-run-"
LARGEST_FILE = 1_000_000  # bytes that a temporary file of ours may have after the run
#: how the names of our temporary files begin
OURS = ("course", "served-", "networks-at-work", "tmp", "pytest-of-")
# Of multiprocessing, which serve a whole process and end with it; and the tests' own workers.
KEPT = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "exec(eval(sys.stdin")
BEGAN = time.time()
SHARED: set[psutil.Process] = set()  # started by fixtures of a module or of the session


def begin(config: pytest.Config) -> None:
    """Mark this process, and with it all that it starts; give the run a temporary folder."""
    if hasattr(config, "workerinput"):  # the process that has started the workers did so
        return
    # Anew where a test runs pytest: what ends there are its own processes, not those of this run.
    os.environ[VARIABLE] = uuid.uuid4().hex
    if config.option.basetemp is None:
        # Of this run alone. Runs for which pytest itself keeps nothing remove each other's folders.
        config.option.basetemp = tempfile.mkdtemp(prefix=FOLDER_PREFIX)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
    """Remember what fixtures of a module or of the session start: it outlives the test."""
    if fixturedef.scope == "function":
        return (yield)
    before = children()
    try:
        return (yield)
    finally:
        SHARED.update(children() - before)


@pytest.hookimpl(trylast=True)  # after the workers have gone
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves a process or a large file behind."""
    if hasattr(session.config, "workerinput"):  # the process that has started the workers looks
        return
    said = end(of_this_run())
    if (folder := Path(session.config.option.basetemp)).name.startswith(FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
    if said := said + large_files(BEGAN):
        print("\nLeft behind by the tests:\n" + "\n".join(said))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def children() -> set[psutil.Process]:
    """The processes that this one has started itself and that are running."""
    return {child for child in psutil.Process().children() if not _is_kept(child)}


def of_this_run() -> list[psutil.Process]:
    """All other processes with the mark of this run, wherever they hang in the tree."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            marked = process.environ().get(VARIABLE) == os.environ.get(VARIABLE)
            if marked and process.pid != os.getpid() and not _is_kept(process):
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process]) -> list[str]:
    """Kill them and what they have started; the command lines of those that were still running."""
    said = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            said.append(" ".join(process.cmdline()[:6]) or process.name())
            for each in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.Error):
                    each.kill()
    return said


def large_files(since: float) -> list[str]:
    """Temporary files of ours over a megabyte, written since that time (of `time.time`)."""
    found = []
    for top in Path(tempfile.gettempdir()).iterdir():
        if not top.name.startswith(OURS):
            continue
        for path in [top, *top.rglob("*")]:
            with contextlib.suppress(OSError):
                state = path.lstat()
                if path.is_file() and state.st_mtime >= since and state.st_size > LARGEST_FILE:
                    found.append(str(path))
    return found


def _is_kept(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(name in part for part in process.cmdline() for name in KEPT)
    return True
