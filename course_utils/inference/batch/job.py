"""A batch that may be killed at any moment: its finished parts, and for whom they are.

The folder ``OUTPUT.parts`` holds ``job.json``, which says what is predicted with what, and a file
for each finished chunk. Both appear whole or not at all, so what is there can be gone on with.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import Timeout

from course_utils.common import atomic_files, machine_lock
from course_utils.inference.batch.header import CSV, PARQUET

FORMAT = 1  # of the folder
JOB = "job.json"
ENDS = 2**20  # bytes at the beginning and at the end of the input that are looked at


def check_paths(source: Path, target: Path) -> None:
    """See that an input is there and an output can be written, without touching either.

    Raises:
        FileNotFoundError: no such input, or no folder to write the output into.
        ValueError: one is a folder, of another kind, or both are the same file.
    """
    for role, path in (("input", source), ("output", target)):
        if path.is_dir():
            raise ValueError(f"The {role} {path} is a folder; name a file.")
        if path.suffix.lower() not in (CSV, PARQUET):
            raise ValueError(f"The {role} {path.name} has to end in {CSV} or {PARQUET}.")
    if not source.exists():
        raise FileNotFoundError(f"There is no file {source}.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent} to write the output into.")
    if target.exists() and target.samefile(source):
        raise ValueError(f"{target} is the input: name another file for the output.")


def fingerprint(source: Path, models: Sequence[Path], **options: Any) -> dict[str, Any]:
    """What has to be the same where a run goes on, by the names that people know it by."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in models]
    return {"format": FORMAT, "input": _state(source), "model": digests, **options}


def _state(source: Path) -> list[int | str]:
    """Size, time of the last change and a digest of both ends: of a large file, too, at once."""
    found = source.stat()
    with source.open("rb") as file:
        ends = file.read(ENDS)
        file.seek(max(0, found.st_size - ENDS))
        ends += file.read(ENDS)
    return [found.st_size, found.st_mtime_ns, hashlib.sha256(ends).hexdigest()]


class Job:
    """The parts of one output. No other process writes them during the ``with``."""

    def __init__(self, target: Path, given: dict[str, Any], *, restart: bool):
        self.folder = target.with_name(f"{target.name}.parts")
        self._target, self._given, self._restart = target, given, restart
        self._lock = machine_lock(self.folder)
        self._finished = 0

    def __enter__(self) -> "Job":
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(
                f"Another process is writing {self._target}: wait for it, or name another file."
            ) from None
        try:
            self._look()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _look(self) -> None:
        """See that what is there may be gone on with, or replaced.

        Raises:
            FileExistsError: an output is there, and nothing that this run would go on with.
            ValueError: the parts are of a run with other arguments, or no parts at all.
        """
        known = self._known()
        if known is None and self._target.exists() and not self._restart:
            raise FileExistsError(
                f"{self._target} is there already: name another file, or replace it with "
                "--restart (restart=True)."
            )
        if known is None or self._restart:
            return
        changed = [name for name in known | self._given if known.get(name) != self._given.get(name)]
        if changed:
            raise ValueError(
                f"{self.folder} is of a run that has not been finished and had another "
                f"{' and another '.join(changed)}. Start that one again to go on with it, or "
                "forget it with --restart (restart=True)."
            )

    def _known(self) -> dict[str, Any] | None:
        """What the folder is for; None where there is none."""
        if not self.folder.exists():
            return None
        with contextlib.suppress(OSError, ValueError):
            known = json.loads((self.folder / JOB).read_bytes())
            if isinstance(known, dict):
                return known
        begun = JOB + atomic_files.PART
        if self.folder.is_dir() and all(p.name == begun for p in self.folder.iterdir()):
            return None  # killed as it began
        raise ValueError(
            f"{self.folder} is in the way: the parts of the output would be kept there until it "
            "is complete. Move it, or name another output."
        )

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Make the folder; where what comes first fails, it is gone again."""
        if self._restart:
            self.clear()
        self.folder.mkdir(exist_ok=True)
        atomic_files.put(self.folder / JOB, json.dumps(self._given, indent=1).encode())
        self._finished = 0
        while self._part(self._finished).exists():
            self._finished += 1
        try:
            yield
        except BaseException:
            if not self._finished:
                self.clear()
            raise

    def parts(self) -> list[Path]:
        """What is finished, in order."""
        return [self._part(number) for number in range(self._finished)]

    @contextlib.contextmanager
    def part(self) -> Iterator[Path]:
        """The file to write the next part to; it counts from the end of the ``with`` on."""
        with _settled(self._part(self._finished)) as draft:
            yield draft
        self._finished += 1

    @contextlib.contextmanager
    def whole(self) -> Iterator[Path]:
        """The file to write the output to; it gets its name at the end of the ``with``."""
        # In the folder, so that a run that is killed leaves nothing elsewhere.
        with _settled(self._target, self.folder / f"whole{self._target.suffix}") as draft:
            yield draft

    def check_unchanged(self, source: Path) -> None:
        """See that the input is still what it was at the beginning.

        Raises:
            ValueError: it is not; parts of it are of the one and parts of the other.
        """
        if _state(source) != self._given["input"]:
            raise ValueError(
                f"{source} was changed while it was predicted: predict it again with --restart "
                "(restart=True)."
            )

    def clear(self) -> None:
        """Remove the folder and what a run has left in it; nothing else."""
        if not self.folder.exists():
            return
        ours = [path for path in self.folder.iterdir() if path.name != JOB]
        for path in ours:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.folder / JOB).unlink(missing_ok=True)  # last: without it the rest would not be ours
        self.folder.rmdir()

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.parquet"


@contextlib.contextmanager
def _settled(path: Path, draft: Path | None = None) -> Iterator[Path]:
    draft = draft or atomic_files.draft_of(path)
    try:
        yield draft
        atomic_files.settle(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()  # it may be what fills the disk
        raise
