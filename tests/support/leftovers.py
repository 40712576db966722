"""What tests have started and not stopped: found, ended, and reported. A plugin for pytest.

A test that fails in the middle must not leave a server or a training behind that goes on writing.
"""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest

VARIABLE = "TEST_RUN_ID"  # in the environment of each process of one run of the tests
FOLDER = pytest.StashKey[Path]()  # for the temporary files of a run
PYTEST_FOLDER = "pytest"  # in it, of pytest: what tests write
NOT_OURS = (PYTEST_FOLDER, "node-compile-cache")
LARGEST_FILE = 1_000_000  # bytes that a temporary file may have after the run
# Of multiprocessing, which serve a whole process and end with it; and the tests' own workers.
KEPT = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "exec(eval(sys.stdin")
SHARED: set[psutil.Process] = set()  # started by fixtures of a module or of the session


def begin(config: pytest.Config) -> None:
    """Mark this process, and with it all that it starts; give the run a temporary folder."""
    if hasattr(config, "workerinput"):  # the process that has started the workers did so
        return
    # Anew where a test runs pytest: what ends there are its own processes, not those of this run.
    os.environ[VARIABLE] = uuid.uuid4().hex
    # Of this run alone: what others write meanwhile is no fault of its tests.
    os.environ.setdefault("RAY_TMPDIR", tempfile.gettempdir())  # its sockets need short paths
    folder = config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="pytest-of-run-"))
    folder.chmod(0o1777)  # for what runs as somebody else, under Apache
    tempfile.tempdir = str(folder)
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)))
    config.option.basetemp = config.option.basetemp or folder / PYTEST_FOLDER


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
    folder = session.config.stash[FOLDER]
    if said := end(of_this_run()) + large_files(folder):
        print("\nLeft behind by the tests:\n" + "\n".join(said))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    shutil.rmtree(folder, ignore_errors=True)


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


def large_files(folder: Path) -> list[str]:
    """Files over a megabyte in the folder of the run; what pytest or Node keeps there is theirs."""
    found = []
    for top, folders, names in os.walk(folder):
        if Path(top) == folder:
            folders[:] = [name for name in folders if name not in NOT_OURS]
        for path in (Path(top, name) for name in names):
            with contextlib.suppress(OSError):
                if path.lstat().st_size > LARGEST_FILE:
                    found.append(str(path))
    return found


def _is_kept(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(name in part for part in process.cmdline() for name in KEPT)
    return True
