"""Checkpoints on disk: each is whole or not there, and is checked before it is used.

A checkpoint is two files: ``epoch-003-val_loss-0.0512.npz`` with the arrays and, written after
it, a manifest of the same name in JSON with their SHA-256 and everything that is not an array.
Arrays without a manifest do not count, so the process may be killed at any moment of a save.
"""

import contextlib
import hashlib
import io
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from course_utils.common import atomic_files
from course_utils.training.resume.errors import ResumeError

FORMAT = 1  # of the files; others are not read
MAX_CHECKPOINTS = 3

_NAME = re.compile(r"epoch-(\d+)(?:-batch-(\d+))?(?:-.+)?\.(?:npz|json)(?:\.part)?")


class DamagedCheckpoint(Exception):
    """One checkpoint is not as it was written."""


class Position(NamedTuple):
    """How far a training has come: whole epochs, and batches of the epoch after them."""

    epoch: int
    batch: int

    def __str__(self) -> str:
        epochs = f"{self.epoch} epoch{'' if self.epoch == 1 else 's'}"
        return f"{epochs} and {self.batch} batches" if self.batch else epochs


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training at one position."""

    position: Position
    arrays: dict[str, np.ndarray]
    content: dict[str, Any]  # everything else, as JSON can hold it


class Store:
    """The checkpoints of one run.

    Args:
        folder: where they lie; made where it is missing.
        about: what tells the run from others, as JSON can hold it. Stands in each manifest.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path, about: dict[str, Any]):
        self.folder, self._about = folder, about
        folder.mkdir(parents=True, exist_ok=True)

    def load_newest(self) -> Checkpoint | None:
        """Return the newest intact checkpoint, or None where none was ever completed.

        Warns where a newer one is damaged.

        Raises:
            ResumeError: all are damaged, or have another format.
        """
        faults: list[str] = []
        for path in [path for _, path in self._list_files() if path.suffix == ".json"]:
            try:
                found = _read(path)
            except DamagedCheckpoint as error:
                faults.append(f"{path.stem}: {error}")
                continue
            if faults:
                warnings.warn(
                    f"A damaged checkpoint is passed over ({'; '.join(faults)}). Training goes "
                    f"on from the one before, after {found.position}. What was trained since "
                    "is trained again, with the same result.",
                    stacklevel=3,
                )
            return found
        if faults:
            raise ResumeError(
                f"None of the checkpoints in {self.folder} can be used ({'; '.join(faults)}). "
                "Bring the files back from a copy, or start anew in another folder."
            )
        return None

    def write(self, checkpoint: Checkpoint, label: str = "") -> None:
        """Save a checkpoint, and remove all but the last `MAX_CHECKPOINTS`.

        Args:
            checkpoint: what to save.
            label: what the files' names say besides the position, such as ``val_loss-0.0512``.

        Raises:
            ResumeError: the disk is full, or the folder read-only or gone.
        """
        position = checkpoint.position
        batch = f"batch-{position.batch:05d}" if position.batch else ""
        stem = "-".join(filter(None, [f"epoch-{position.epoch:03d}", batch, label]))
        memory = io.BytesIO()
        np.savez(memory, **checkpoint.arrays)  # type: ignore[arg-type]
        arrays = memory.getbuffer()
        manifest = {
            "format": FORMAT,
            "position": list(position),
            "sha256": hashlib.sha256(arrays).hexdigest(),
            **self._about,
            **checkpoint.content,
        }
        sealed = {"sha256": _digest(manifest), "manifest": manifest}
        self._put(f"{stem}.npz", arrays)
        self._put(f"{stem}.json", json.dumps(sealed, ensure_ascii=False).encode())
        self._remove_old(position)

    def _put(self, name: str, data: bytes | memoryview) -> None:
        try:
            atomic_files.put(self.folder / name, data)
        except OSError as error:
            raise ResumeError(
                f"A checkpoint could not be written to {self.folder}: {error.strerror or error} "
                f"({name}, {len(data) / 1e6:.1f} MB). The earlier ones are intact: make room on "
                "the disk or see that you may write to the folder, and start the same training "
                "again."
            ) from error

    def _list_files(self) -> list[tuple[Position, Path]]:
        """List the files of all checkpoints, newest first."""
        found = [(_NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
        files = [(Position(int(m[1]), int(m[2] or 0)), path) for m, path in found if m]
        return sorted(files, reverse=True)

    def _remove_old(self, now: Position) -> None:
        """Remove all but the last few checkpoints up to ``now``.

        Later ones are damaged: otherwise the training would have gone on from them.
        """
        files = self._list_files()
        known = [path.stem for at, path in files if path.suffix == ".json" and at <= now]
        for _, path in reversed(files):  # of each pair the manifest comes first
            if path.stem not in known[:MAX_CHECKPOINTS]:
                with contextlib.suppress(OSError):  # one file too many does no harm
                    path.unlink()


def _read(path: Path) -> Checkpoint:
    """Read the checkpoint with this manifest.

    Raises:
        DamagedCheckpoint: it is not as it was written, or has another format.
    """
    try:
        sealed = json.loads(path.read_bytes())
        manifest = sealed["manifest"]
        if manifest["format"] != FORMAT:
            raise DamagedCheckpoint(
                f"this version of the course cannot read format {manifest['format']}"
            )
        data = path.with_suffix(".npz").read_bytes()
        written = sealed["sha256"], manifest["sha256"]
    except OSError as error:
        raise DamagedCheckpoint(f"its files cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        raise DamagedCheckpoint("its manifest is cut off or garbled") from None
    if written != (_digest(manifest), hashlib.sha256(data).hexdigest()):
        raise DamagedCheckpoint("its SHA-256 is not the one it was written with")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Checkpoint(Position(*manifest["position"]), arrays, manifest)


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, ensure_ascii=False).encode()).hexdigest()
