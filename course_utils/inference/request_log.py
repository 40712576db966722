"""Keep the examples that a service was asked, so that drift can be seen (section 13.4).

`Recorder` writes each accepted example, with its time and its prediction, as one line of JSON
into a folder of bounded size; `read_examples` reads the newest of them as a table. The request
log (see `telemetry`) tells how a service fares, this one tells what it is asked.

What people send is theirs: recording is off unless asked for, the files are readable by their
owner only (where the platform knows owners), the oldest go first, and nothing but the features,
the time, the prediction and the version that made it (where a service has several) is kept.
"""

import contextlib
import json
import logging
import multiprocessing.util
import os
import threading
import time
import uuid
import warnings
import weakref
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MAX_FILE_BYTES = 2**19
MAX_FULL_FILES = 8  # about 20,000 cars; the room of one is kept free for what other workers write
BATCH_ROWS = 50  # written at a time, so that the free part is room for many workers
WRITE_DELAY_S = 0.1  # from an example to its place on the disk
MAX_WAITING_ROWS = 10_000  # for a slow disk; after that the oldest are dropped
NEWEST_ROWS = 10_000  # that are read
FILES = "examples-*.jsonl"  # of a recording
ADDED_KEYS = ("time", "prediction")  # of a line beside the features
VERSION_KEY = "version"  # one more, where the service has several

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
    is within its limit; where they cannot be removed, nothing is written. That, and a disk that
    is full or refuses, is a warning in the log, once.
    """

    def __init__(self, folder: str | Path, names: Sequence[str], *, version: int | None = None):
        """Record into ``folder``, which is made, for its owner only, where it is missing.

        Args:
            folder: where the files go; other files in it are left alone.
            names: the features, in the order in which they will come.
            version: of the model that predicts, noted with each example.

        Raises:
            ValueError: a feature has the name of a key that recording adds.
        """
        if taken := sorted(set(names) & {*ADDED_KEYS, VERSION_KEY}):
            raise ValueError(
                f"a feature is called {taken[0]!r}, the name of what recording adds "
                "to each: give the feature another name, or serve without recording"
            )
        self.folder = Path(folder).absolute()  # a process may change its working directory
        keys = "".join(f"{json.dumps(name).replace('%', '%%')}: %r, " for name in names)
        end = "" if version is None else f', "{VERSION_KEY}": {version}'
        self._line = f'{{"time": %.6f, {keys}"prediction": %r{end}}}\n'  # repr() gives JSON
        self._waiting: deque[tuple[float, ...]] = deque(maxlen=MAX_WAITING_ROWS)
        self._due = False  # whether a thread is about to write
        self._writing = threading.Lock()
        self._file: Path | None = None
        self._file_bytes = 0
        self._warned = False
        _recorders.add(self)
        # A worker, being a process of multiprocessing, runs this and not what atexit knows.
        multiprocessing.util.Finalize(None, write_all, exitpriority=0)

    def __call__(self, features: Sequence[float], prediction: float) -> None:
        """Note one example, without waiting for the disk.

        Args:
            features: finite numbers (int or float, not NumPy's), in the order of the names.
            prediction: what was answered, a finite float.
        """
        self._waiting.append((time.time(), *features, prediction))
        if not self._due:
            self._due = True
            try:
                threading.Thread(target=self._write_soon, name="recorder", daemon=True).start()
            except RuntimeError:  # no more threads, or Python is ending: the next call tries again
                self._due = False

    def _write_soon(self) -> None:
        time.sleep(WRITE_DELAY_S)
        self.write()

    def write(self) -> None:
        """Write what waits."""
        with self._writing:
            # What comes from here on may be too late for this round. Said only now, so that a disk
            # that hangs keeps two threads waiting and not a new one every tenth of a second.
            self._due = False
            while self._waiting:
                rows = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_ROWS))]
                try:
                    self._append("".join(self._line % row for row in rows).encode("ascii"))
                except OSError as error:
                    self._report(error)

    def _append(self, lines: bytes) -> None:
        prepare_folder(self.folder)
        _make_room(self.folder, len(lines))
        if not self._file or self._file_bytes + len(lines) > MAX_FILE_BYTES:
            self._file = self.folder / f"examples-{uuid.uuid4().hex}.jsonl"
            self._file_bytes = 0
        # Opened anew each time: somebody may have removed it, another worker for instance.
        with open(self._file, "ab", opener=lambda path, how: os.open(path, how, 0o600)) as file:
            file.write(lines)
        self._file_bytes += len(lines)

    def _report(self, error: OSError) -> None:
        self._file = None  # it may end in half a line now
        if not self._warned:
            self._warned = True
            log.warning(
                "Examples cannot be recorded in %s (%s). The service goes on without; "
                "it tries again with each example and says this only once.",
                self.folder,
                error.strerror or error,
            )


def prepare_folder(folder: Path) -> None:
    """Make the folder, for its owner only, where it is missing.

    Raises:
        OSError: that is not possible.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_all() -> None:
    """Let every recorder of this process write what waits."""
    for recorder in list(_recorders):
        recorder.write()


def read_examples(folder: str | Path, *, predictions: bool = False) -> "pd.DataFrame":
    """The newest 10,000 examples that services have recorded in ``folder``, oldest first.

    The columns are those that the model was trained on, so that
    ``drift.compare(training, read_examples(folder))`` says whether it still may be asked. May be
    called while services record: what they do in this process (behind a notebook's cell) is
    complete, what another process accepted in the last tenth of a second may be missing.

    Args:
        folder: what ``record`` named.
        predictions: add a column ``prediction``, what was answered, and where the service had
            several versions, ``version``, which one it was (NaN where it had none).

    Returns:
        A column for each feature, numbers, and the time of each example as the index (``time``,
        a DatetimeIndex in UTC). No columns where there is no example.

    Raises:
        FileNotFoundError: there is no such folder, or only files of another kind are in it.

    Warns:
        UserWarning: lines were left out because they are unfinished or damaged.
    """
    import pandas as pd

    folder = Path(folder)
    write_all()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder}. A service makes it with its first example when it is "
            "told to record: create_app(record=...) or `course serve mpg --record FOLDER`."
        )
    if not any(folder.glob(FILES)) and any(folder.iterdir()):  # an empty one may be a new recording
        raise FileNotFoundError(
            f"The folder {folder} has never been a recording: it has files, and no {FILES}. "
            "`course serve mpg --record FOLDER` makes one."
        )
    damaged: Counter[str] = Counter()
    # Files of several workers overlap in time; of the same moment the later line is newer.
    rows = sorted(_read_lines(folder, damaged), key=lambda row: row["time"])
    rows = rows[-NEWEST_ROWS:]
    if damaged:
        warnings.warn(
            f"Unfinished or damaged lines are left out ({damaged.total()} in "
            f"{', '.join(damaged)}). A process that is killed while it writes leaves one.",
            stacklevel=2,
        )
    moments = pd.Index([round(row["time"] * 1e6) for row in rows], dtype="int64", name="time")
    table = pd.DataFrame(rows, index=pd.to_datetime(moments, unit="us", utc=True))
    hidden = ["time"] if predictions else [*ADDED_KEYS, VERSION_KEY]
    return table.drop(columns=hidden, errors="ignore")


def _read_lines(folder: Path, damaged: Counter[str]) -> Iterator[dict[str, float]]:
    for _, _, path in _list_files(folder):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            for line in file:
                try:
                    example = json.loads(line)
                except ValueError:
                    example = None
                if isinstance(example, dict) and example.keys() >= set(ADDED_KEYS):
                    yield example
                else:  # not one that a recorder finished
                    damaged[path.name] += 1


def _list_files(folder: Path) -> list[tuple[int, int, Path]]:
    """The files of examples, longest untouched first: time of change (ns), bytes, path."""
    found = []
    for path in folder.glob(FILES):
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            state = path.stat()
            found.append((state.st_mtime_ns, state.st_size, path))
    return sorted(found)


def _make_room(folder: Path, needed: int) -> None:
    """Remove the files longest untouched until ``needed`` bytes more are within the limit.

    Raises:
        OSError: they cannot be removed.
    """
    files = _list_files(folder)
    excess = sum(size for _, size, _ in files) + needed - (MAX_FULL_FILES - 1) * MAX_FILE_BYTES
    for _, size, path in files:
        if excess <= 0:
            return
        with contextlib.suppress(OSError):  # Windows: somebody is reading it
            path.unlink(missing_ok=True)
            excess -= size
    if excess > 0:
        raise OSError("the oldest files cannot be removed")
