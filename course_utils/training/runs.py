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

LOG_NAME = "log.txt"
MAX_DESCRIPTION_CHARS = 60  # that go into the folder's name

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
    words = re.sub(r"[^\w.]+", "-", description)[:MAX_DESCRIPTION_CHARS].strip("-. ")
    # Without the lock, two processes with different descriptions could take the same number.
    with machine_lock(folder).acquire(timeout=LOCK_TIMEOUT_S):
        taken = [int(m[0]) for path in folder.iterdir() if (m := re.match(r"\d+", path.name))]
        run = folder / "-".join(filter(None, [f"{max(taken, default=-1) + 1:05d}", words]))
        run.mkdir()
    return run


@contextlib.contextmanager
def tee(path: str | Path) -> Iterator[Path]:
    """Copy what is printed meanwhile, to standard output or error, into a log file.

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
    path = path / LOG_NAME if path.is_dir() else path
    # Line buffering: a run that is killed leaves all but its last line.
    options: dict[str, Any] = {"buffering": 1, "encoding": "utf-8", "errors": "backslashreplace"}
    with path.open("a", newline="\n", **options) as file:
        streams = _CopiedStream(sys.stdout, file), _CopiedStream(sys.stderr, file)
        error = ""
        try:
            with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
                yield path
        except BaseException:
            error = traceback.format_exc()
            raise
        finally:
            for stream in streams:
                stream.end_line()
            file.write(error)


class _CopiedStream:
    """A stream that does everything the original does, and copies what is written."""

    def __init__(self, original: TextIO, file: TextIO):
        self._original, self._file = original, file
        self._lock = threading.RLock()
        self._line = ""  # the line so far

    def __getattr__(self, name: str) -> Any:  # isatty, encoding, fileno: as the original has it
        return getattr(self._original, name)

    def write(self, text: str) -> int:
        with self._lock:
            *lines, rest = (self._line + text).split("\n")
            if not self._file.closed:  # a logger may keep the stream for longer than the block
                self._file.writelines(f"{_find_visible(line)}\n" for line in lines)
            # Of a progress bar only the last state is kept, or its line would grow for hours.
            before, carriage_return, last = rest.rpartition("\r")
            overwritten = bool(_find_visible(last))
            self._line = last if overwritten else _find_visible(before) + carriage_return + last
        return self._original.write(text)

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))

    def end_line(self) -> None:
        if line := _find_visible(self._line):
            self._file.write(f"{line}\n")


def _find_visible(line: str) -> str:
    """Find what of a line stands on the screen in the end, without codes and trailing blanks."""
    states = [state for state in _CODES.sub("", line).split("\r") if state.strip()]
    return states[-1].rstrip() if states else ""
