"""Checkpoints on disk: whole or not there at all, and checked before they are believed.

A checkpoint is two files: ``epoch-003-val_loss-0.0512.npz`` with the arrays and, written after
it, a manifest of the same name in JSON with their SHA-256 and all that is no array. Without
its manifest a file of arrays counts as never written, so a process may be killed at any moment.
"""

import contextlib
import hashlib
import io
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.common import atomic_files

FORMAT = 1  # of the files; another number is refused

_NAME = re.compile(r"epoch-(\d+)(?:-batch-(\d+))?(?:-.+)?\.(?:npz|json)")
_BEST = re.compile(r"best-epoch-.+")
_DRAFT = re.compile(r"(best-)?epoch-.+" + re.escape(atomic_files.PART))


class ResumeError(Exception):
    """Training cannot begin or go on; the message says why and what to do."""


class Unreadable(ResumeError):
    """There are checkpoints, but none that can be read."""


class NotWritten(ResumeError):
    """A checkpoint could not be written; the ones before it are intact."""


class Damaged(Exception):
    """One checkpoint is not as it was written."""


@dataclass(frozen=True, order=True)
class Position:
    """How far a training run has come: whole epochs, and batches of the one after them."""

    epoch: int
    batch: int

    def __str__(self) -> str:
        epochs = f"{self.epoch} epoch{'' if self.epoch == 1 else 's'}"
        return f"{epochs} and {self.batch} batches" if self.batch else epochs


@dataclass(frozen=True)
class Checkpoint:
    """What was saved at one position."""

    position: Position
    arrays: dict[str, np.ndarray]
    content: dict[str, Any]  # what JSON can hold
    path: Path  # of the arrays; the manifest lies beside it


class Store:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, keep: int):
        self.folder, self.keep = folder, keep

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is as it was written; None where none was ever completed.

        Warns where a newer one is damaged.

        Raises:
            Unreadable: all are damaged, or their manifests are gone.
            ResumeError: they were written in another format.
        """
        faults: list[str] = []
        for path in self._manifests():
            try:
                found = _read(path)
            except Damaged as error:
                faults.append(f"{path.stem}: {error}")
                continue
            if faults:
                warnings.warn(
                    f"A damaged checkpoint is passed over ({'; '.join(faults)}). Training goes "
                    f"on from the one before, after {found.position}; what was trained since "
                    "is trained again, with the same result.",
                    stacklevel=4,
                )
            return found
        if not faults:  # a first save that was killed half-way leaves arrays of the beginning
            faults = [f"{path.name}: its manifest is missing" for path in self._beyond_start()]
        if faults:
            raise Unreadable(
                f"None of the checkpoints in {self.folder} can be used ({'; '.join(faults)}). "
                "Bring the files back from a copy, or start anew in another folder."
            )
        return None

    def write(
        self,
        position: Position,
        label: str,
        arrays: dict[str, np.ndarray],
        content: dict[str, Any],
    ) -> Path:
        """Save a checkpoint, and remove what is older than the last ``keep``.

        Args:
            position: how far training has come.
            label: what its name says besides, such as ``val_loss-0.0512``; may be empty.
            arrays: by name.
            content: all else, as JSON can hold it. ``content["best"]["file"]``, where it is
                there, names a file that is kept as long as this checkpoint.

        Returns:
            The path of the arrays.

        Raises:
            NotWritten: the disk is full, or the folder read-only or gone.
        """
        batch = f"batch-{position.batch:05d}" if position.batch else ""
        stem = "-".join(filter(None, [f"epoch-{position.epoch:03d}", batch, safe(label)]))
        memory = io.BytesIO()
        np.savez(memory, **arrays)  # type: ignore[arg-type]
        data = memory.getbuffer()
        manifest = {
            "format": FORMAT,
            "position": [position.epoch, position.batch],
            "sha256": hashlib.sha256(data).hexdigest(),
            **content,
        }
        self.put(f"{stem}.npz", data)
        self.put(f"{stem}.json", _sealed(manifest))
        self._tidy(position)
        return self.folder / f"{stem}.npz"

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a file so that it is there whole or not at all, whatever happens meanwhile.

        Raises:
            NotWritten: the disk is full, or the folder read-only or gone.
        """
        try:
            atomic_files.put(self.folder / name, data)
        except OSError as error:
            raise NotWritten(
                f"A checkpoint could not be written to {self.folder}: {error.strerror or error} "
                f"({name}, {len(data) / 1e6:.1f} MB). The ones before it are intact: make room "
                "or see that the folder can be written, and start the same training again."
            ) from error

    def _manifests(self) -> list[Path]:
        """Newest first."""
        paths = [path for path in _listed(self.folder) if path.suffix == ".json"]
        return sorted(paths, key=_key, reverse=True)

    def _beyond_start(self) -> list[Path]:
        return [path for path in _listed(self.folder) if _position(path) > Position(0, 0)]

    def _tidy(self, now: Position) -> None:
        """Remove all but the last ``keep`` up to ``now``.

        Later ones are damaged, or they could not lie in the future.
        """
        kept = [path for path in self._manifests() if _position(path) <= now][: self.keep]
        names = {name for path in kept for name in _belonging(path)}
        for path in sorted(self.folder.iterdir(), key=lambda path: path.suffix != ".json"):
            ours = any(pattern.fullmatch(path.name) for pattern in (_NAME, _BEST, _DRAFT))
            if ours and path.name not in names:
                with contextlib.suppress(OSError):  # one too many does no harm
                    path.unlink()


def _read(path: Path) -> Checkpoint:
    content = _unsealed(path)
    if content.get("format") != FORMAT:
        raise ResumeError(
            f"{path} was written in format {content.get('format')} by another version of the "
            f"course; this version reads format {FORMAT}. Go on with the version that wrote it "
            f"({content.get('versions', {}).get('course', 'unknown')}), or start anew in "
            "another folder."
        )
    arrays = path.with_suffix(".npz")
    try:
        data = arrays.read_bytes()
    except FileNotFoundError:
        raise Damaged("its file of arrays is missing") from None
    except OSError as error:
        raise Damaged(f"it cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != content["sha256"]:
        raise Damaged("its SHA-256 is not the one it was written with")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    return Checkpoint(Position(*content["position"]), found, content, arrays)


def _sealed(content: dict[str, Any]) -> bytes:
    """As JSON, with a digest that tells whether it was changed."""
    text = json.dumps(content, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"sha256": "{digest}", "manifest":\n{text}\n}}\n'.encode()


def _unsealed(path: Path) -> dict[str, Any]:
    try:
        head, text, _ = path.read_text(encoding="utf-8").split("\n", 2)
        digest = json.loads(head + "{}}")["sha256"]
    except OSError as error:
        raise Damaged(f"its manifest cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise Damaged("its manifest is cut off or garbled") from None
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise Damaged("its manifest was changed")
    return json.loads(text)


def _listed(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]


def _position(path: Path) -> Position:
    match = _NAME.fullmatch(path.name)
    assert match
    return Position(int(match[1]), int(match[2] or 0))


def _key(path: Path) -> tuple[Position, str]:
    return _position(path), path.name


def _belonging(manifest: Path) -> list[str]:
    """Names of the files that a manifest speaks for."""
    names = [manifest.name, manifest.with_suffix(".npz").name]
    with contextlib.suppress(Damaged):
        best = _unsealed(manifest).get("best")
        names += [best["file"]] if best else []
    return names


def safe(label: str) -> str:
    """Without what a file system may refuse."""
    return re.sub(r"[^\w.+-]", "_", label)
