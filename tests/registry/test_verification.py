"""Whatever was changed in a version is found, before anything of it is loaded."""

import json
import shutil
from pathlib import Path

import pytest

from course_utils import registry
from course_utils.registry.store import open_draft, publish
from tests.support.records import FILES

PATHS = ["files/mpg.tflite", "files/mpg.schema.json", "charts/predicted.png", "record.json"]


def test_a_version_that_was_not_touched_is_right(kept: Path):
    for version, files in ((1, 7), (2, 6)):
        found = registry.verify(registry.load("mpg", version, store=kept))
        assert (found.files, found.rows) == (files, 20)
        assert found.difference <= 1e-6


@pytest.mark.parametrize("path", PATHS)
def test_a_changed_byte_is_found(store: Path, path: str):
    record = registry.load("mpg", 1, store=store)
    file = record.folder / path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for attempt in (
        lambda: registry.verify(record),
        lambda: registry.promote("mpg", 1, store=store),
    ):
        with pytest.raises(ValueError, match=f"{file.name} is not as it was registered.* Bring "):
            attempt()


@pytest.mark.parametrize("path", PATHS[:-1])
def test_a_missing_file_is_named(store: Path, path: str):
    record = registry.load("mpg", 1, store=store)
    (record.folder / path).unlink()
    with pytest.raises(ValueError, match=f"{Path(path).name} is missing. Bring version 1 of mpg"):
        registry.verify(record)


def test_a_file_that_was_added_is_found(store: Path):
    record = registry.load("mpg", 2, store=store)
    (record.folder / "files" / ".DS_Store").touch()  # macOS leaves them about
    registry.verify(record)
    shutil.copy(FILES[2], record.folder / "files")
    with pytest.raises(ValueError, match=r"mpg\.weights\.h5 was added after the registration"):
        registry.verify(record)


@pytest.mark.parametrize(("by", "found"), [(0.5e-6, False), (2e-6, True)])
def test_golden_rows_are_really_asked_again(
    store: Path, record: registry.Record, by: float, found: bool
):
    """A record whose digests are right and whose model says something else."""
    document = json.loads(json.dumps(record.document))
    document["golden"]["rows"][7]["prediction"] *= 1 + by
    with open_draft(store / "mpg") as new:
        for folder in ("files", "charts"):
            shutil.copytree(record.folder / folder, new / folder)
        publish(new, document)
    changed = registry.load("mpg", 3, store=store)
    if not found:
        assert 0 < registry.verify(changed).difference < 1e-6
        return
    with pytest.raises(ValueError, match=r"mpg 3 no longer predicts .* for golden row 8"):
        registry.verify(changed)
