"""Keep the examples that a service was asked, so that drift can be seen (section 13.4).

`Recorder` writes each accepted example, with its time and its prediction, as one line of JSON
into a folder of bounded size; `read_examples` reads the newest of them as a table. The request
log (see `telemetry`) tells how a service fares, this one tells what it is asked.

What people send is theirs: recording is off unless asked for, the files are readable by their
owner only (where the platform knows owners), the oldest go first, and nothing but the features,
the time, the prediction and the version that made it (where a service has several) is kept.
"""

import contextlib
import heapq
import json
import logging
import multiprocessing.util
import os
import threading
import time
import uuid
import warnings
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 4 * 2**20  # bytes of a folder; about 20,000 cars
SMALLEST = 64 * 2**10  # bytes; below it a folder would hold next to nothing
PARTS = 8  # of the limit: one is a file's size, one is kept free
BATCHES = 512  # of the limit: one is written at a time, so that the free part is room for 64
WAIT = 0.1  # seconds from an example to its place on the disk
WAITING = 10_000  # examples that may wait for a slow disk; after that the oldest are dropped
NEWEST = 10_000  # rows that are read unless more are asked for
OURS = ("time", "prediction")  # keys of a line beside the features
VERSION = "version"  # one more, where the service has several
LARGEST = 1e300  # what a number of ours stays below
LAST_SECOND = 9e9  # a time of ours, in the year 2255

log = logging.getLogger(__name__)
_recorders: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


class Recorder:
    """Writes examples into a folder; call it with the features and the prediction.

    The call only notes them: a thread writes what has come together a tenth of a second later, so
    that no request waits for a disk. Examples of the last tenth of a second are lost when the
    process is killed outright, and written when it is stopped.

    Each process writes files of its own (``examples-*.jsonl``) and never goes on with another's,
    so that several workers may share a folder and an unfinished line is always a file's last.
    Before each write the files longest untouched are removed, whosever they are, until the folder
    is within its limit. A disk that is full or refuses is a warning in the log, once.
    """

    def __init__(
        self,
        folder: str | Path,
        names: Sequence[str],
        *,
        limit: int = LIMIT,
        version: int | None = None,
    ):
        """Record into ``folder``, which is made, for its owner only, where it is missing.

        Args:
            folder: where the files go; other files in it are left alone.
            names: the features, in the order in which they will come.
            limit: bytes that all files in the folder have together, at most.
            version: of the model that predicts, noted with each example.

        Raises:
            ValueError: ``limit`` is below 64 KiB, or a feature has the name of a key of ours.
        """
        if limit < SMALLEST:
            raise ValueError(f"limit is {limit} bytes; it has to be {SMALLEST} or more")
        if taken := sorted(set(names) & {*OURS, VERSION}):
            raise ValueError(
                f"a feature is called {taken[0]!r}, the name of what recording adds "
                "to each: give the feature another name, or serve without recording"
            )
        self.folder = Path(folder).absolute()  # a process may change its working directory
        self._limit = limit
        keys = "".join(f"{json.dumps(name).replace('%', '%%')}: %r, " for name in names)
        end = "" if version is None else f', "{VERSION}": {version}'
        self._line = f'{{"time": %.6f, {keys}"prediction": %r{end}}}\n'  # repr() gives JSON
        self._waiting: deque[tuple[float, ...]] = deque(maxlen=WAITING)
        self._due = False  # whether a thread is about to write
        self._writing = threading.Lock()
        self._file: Path | None = None
        self._warned = False
        _recorders.add(self)
        # A worker, being a process of multiprocessing, runs this and not what atexit knows.
        multiprocessing.util.Finalize(None, write_all, exitpriority=0)

    def __call__(self, features: Sequence[float], prediction: float) -> None:
        """Note one example. Never fails and never waits.

        Args:
            features: finite numbers (int or float, not NumPy's), in the order of the names.
            prediction: what was answered, a finite float.
        """
        self._waiting.append((time.time(), *features, prediction))
        if self._due:
            return
        self._due = True
        try:
            threading.Thread(target=self._write_soon, name="recorder", daemon=True).start()
        except RuntimeError:  # no more threads, or Python is ending; the next example tries again
            self._due = False

    def _write_soon(self) -> None:
        time.sleep(WAIT)
        self.write()

    def write(self) -> None:
        """Write what waits."""
        with self._writing:
            # What comes from here on may be too late for this round. Said only now, so that a disk
            # that hangs keeps two threads waiting and not a new one every tenth of a second.
            self._due = False
            left = len(self._waiting)
            while left:
                batch = b""
                while left and len(batch) < self._limit // BATCHES:
                    batch += (self._line % self._waiting.popleft()).encode("ascii")
                    left -= 1
                try:
                    self._append(batch)
                except OSError as error:
                    self._refused(error)

    def _append(self, batch: bytes) -> None:
        prepare(self.folder)
        self._make_room(len(batch))
        if self._file is None or _size(self._file) + len(batch) > self._limit // PARTS:
            start = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            # A process id alone comes again, in a container at each start.
            name = f"examples-{start}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
            self._file = self.folder / name
        # Opened anew each time: somebody may have removed it, another worker for instance.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(self._file, flags, 0o600), "ab") as file:
            file.write(batch)

    def _make_room(self, needed: int) -> None:
        # One part stays free, for what other workers write at this very moment.
        bound = self._limit - self._limit // PARTS - needed
        files = sorted(_files(self.folder))
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= bound:
                return
            with contextlib.suppress(OSError):  # Windows: somebody is reading it
                Path(path).unlink(missing_ok=True)
                total -= size
        if total > bound:
            raise OSError("the oldest files cannot be removed")

    def _refused(self, error: OSError) -> None:
        self._file = None  # it may end in half a line now
        if not self._warned:
            self._warned = True
            log.warning(
                "Examples cannot be recorded in %s (%s). The service goes on without; "
                "it tries again with each example and says this only once.",
                self.folder,
                error.strerror or error,
            )


def prepare(folder: Path) -> None:
    """Make the folder, for its owner only, where it is missing.

    Raises:
        OSError: that is not possible.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_all() -> None:
    """Let every recorder of this process write what waits."""
    for recorder in list(_recorders):
        recorder.write()


def read_examples(
    folder: str | Path, *, newest: int = NEWEST, predictions: bool = False
) -> "pd.DataFrame":
    """The newest examples that services have recorded in ``folder``, oldest first.

    The columns are those that the model was trained on, so that
    ``drift.compare(training, read_examples(folder))`` says whether it still may be asked. May be
    called while services record: what they do in this process (behind a notebook's cell) is
    complete, what another process accepted in the last tenth of a second may be missing.

    Args:
        folder: what ``record`` named.
        newest: rows to return, at most.
        predictions: add a column ``prediction``, what was answered, and where the service had
            several versions, ``version``, which one it was (NaN where it had none).

    Returns:
        A column for each feature, numbers, and the time of each example as the index (``time``,
        a DatetimeIndex in UTC). No columns where there is no example.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: ``newest`` is below 1.

    Warns:
        UserWarning: lines were left out because they are unfinished or damaged.
    """
    import pandas as pd

    folder = Path(folder)
    if newest < 1:
        raise ValueError(f"newest is {newest}; it has to be 1 or more")
    write_all()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder}. A service makes it with its first example when it is "
            "told to record: create_app(record=...) or `course serve mpg --record FOLDER`."
        )
    damaged: dict[str, int] = {}
    # All lines pass by, the newest are kept: files of several workers overlap in time.
    numbered = enumerate(_examples(folder, damaged))  # of the same moment the later line is newer
    latest = heapq.nlargest(newest, numbered, key=lambda pair: (pair[1]["time"], pair[0]))
    rows = [row for _, row in reversed(latest)]
    if damaged:
        warnings.warn(
            f"Unfinished or damaged lines are left out ({sum(damaged.values())} in "
            f"{', '.join(damaged)}). A process that is killed while it writes leaves one.",
            stacklevel=2,
        )
    moments = pd.Index([round(row["time"] * 1e6) for row in rows], dtype="int64", name="time")
    times = pd.to_datetime(moments, unit="us", utc=True)
    table = pd.DataFrame(rows, index=times)
    hidden = ["time"] if predictions else [*OURS, VERSION]
    return table.drop(columns=hidden, errors="ignore")


def _examples(folder: Path, damaged: dict[str, int]) -> Iterator[dict[str, float]]:
    for _, _, path in sorted(_files(folder)):
        with contextlib.suppress(FileNotFoundError), Path(path).open("rb") as file:
            for line in file:
                example = _example(line)
                if example is None:
                    name = Path(path).name
                    damaged[name] = damaged.get(name, 0) + 1
                else:
                    yield example


def _example(line: bytes) -> dict[str, float] | None:
    """What a line says; None where it is not one that a recorder finished."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found.keys() >= set(OURS):
        return None
    if not all(type(value) in (int, float) and abs(value) < LARGEST for value in found.values()):
        return None
    return found if 0 <= found["time"] < LAST_SECOND else None


def _files(folder: Path) -> list[tuple[int, int, str]]:
    """The files of examples: time of the last change (nanoseconds), bytes, path."""
    found = []
    with os.scandir(folder) as entries:  # a third of the time that Path.glob takes
        for entry in entries:
            name = entry.name
            if name.startswith("examples-") and name.endswith(".jsonl") and entry.is_file():
                with contextlib.suppress(FileNotFoundError):  # another process has removed it
                    state = entry.stat()
                    found.append((state.st_mtime_ns, state.st_size, entry.path))
    return found


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
