"""A folder of its own for each training run, and a log of what the run printed.

The idea of numbered run folders is that of chapter 13.2 (there by way of StyleGAN's
``generate_output_dir`` and ``Logger``): no run ever writes over another one.
"""

import contextlib
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from course_utils.common import LOCK_TIMEOUT_S, machine_lock

LOG = "log.txt"
LONGEST = 60  # characters of a description that go into the folder's name

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08")  # colours, cursor moves, backspaces


def new_run(folder: str | Path, description: str = "") -> Path:
    """Make a run folder that nobody else has, such as ``00007-step-decay``.

    Numbers rise by one and are never given twice, however many processes ask at once.

    Args:
        folder: where the runs are kept; made where it is missing.
        description: a few words; what no file system takes is replaced by hyphens.

    Returns:
        The new, empty folder.

    Raises:
        OSError: ``folder`` cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    words = re.sub(r"[^\w.]+", "-", description)[:LONGEST].strip("-. ")
    # The lock keeps numbers apart; `mkdir` alone would let two descriptions share one.
    with machine_lock(folder).acquire(timeout=LOCK_TIMEOUT_S):
        taken = [int(m[0]) for path in folder.iterdir() if (m := re.match(r"\d+", path.name))]
        run = folder / "-".join(filter(None, [f"{max(taken, default=-1) + 1:05d}", words]))
        run.mkdir()  # an error where it exists all the same: never somebody else's folder
    return run


@contextlib.contextmanager
def tee(path: str | Path) -> Iterator[Path]:
    """Copy all that is printed meanwhile, to standard output or error, into a log file.

    What is printed still appears where it always did. The file gets whole lines, in UTF-8, at
    once: of a progress bar the last state, no colour codes, and the traceback of an exception
    that ends the block. May be nested, also in a notebook. Only what Python prints is copied,
    not what a subprocess writes.

    Args:
        path: the log file, which is appended to; or a folder, for the file ``log.txt`` in it.

    Yields:
        The path of the file.
    """
    path = Path(path)
    path = path / LOG if path.is_dir() else path
    log = _Log(path)
    before = sys.stdout, sys.stderr
    ours = _Copied(before[0], log), _Copied(before[1], log)
    sys.stdout, sys.stderr = ours
    try:
        yield path
    except BaseException:
        for stream in ours:
            stream.end_line()
        log.write_line(traceback.format_exc().rstrip("\n"))
        raise
    finally:
        # Where somebody has put another stream in place since, theirs stays: its writes come
        # through ours, which from here on only hands them on.
        if sys.stdout is ours[0]:
            sys.stdout = before[0]
        if sys.stderr is ours[1]:
            sys.stderr = before[1]
        for stream in ours:
            stream.end_line()
        log.close()


class _Log:
    """The file behind both streams; lines written to it after its end are dropped."""

    def __init__(self, path: Path):
        self._lock = threading.RLock()
        self._file: TextIO | None = path.open(
            "a", encoding="utf-8", errors="backslashreplace", newline="\n"
        )

    def write_line(self, line: str) -> None:
        with self._lock:
            if self._file:
                self._file.write(line + "\n")
                self._file.flush()  # so that a killed run leaves all but its last line

    def close(self) -> None:
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None


class _Copied:
    """A stream that does all that the original does, and copies what is written."""

    def __init__(self, original: Any, log: _Log):
        self._original, self._log = original, log
        self._lock = threading.RLock()
        self._line = ""  # the line so far

    def __getattr__(self, name: str) -> Any:  # isatty, encoding, fileno: as the original has it
        return getattr(self._original, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._original)

    def write(self, text: str) -> int:
        written = self._original.write(text) if self._original is not None else len(text)
        with self._lock:
            *lines, rest = (self._line + text).split("\n")
            for line in lines:
                self._log.write_line(_shown(line))
            # Of a progress bar only the last state is kept, or its line would grow for hours.
            self._line = _last_state(rest)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._original is not None:  # no console: pythonw on Windows
            self._original.flush()

    def end_line(self) -> None:
        with self._lock:
            if line := _shown(self._line):
                self._log.write_line(line)
            self._line = ""


def _last_state(line: str) -> str:
    """What of an unfinished line can still be seen: the last that followed a carriage return."""
    *before, last = line.split("\r")
    if not before or _CODES.sub("", last).strip():
        return last
    # Nothing yet overwrites it.
    return _shown("\r".join(before)) + "\r" + last


def _shown(line: str) -> str:
    """A line as it stood on the screen in the end, without codes and blanks at its end."""
    states = [state for state in _CODES.sub("", line).split("\r") if state.strip()]
    return states[-1].rstrip() if states else ""
