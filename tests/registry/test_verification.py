"""Whatever was changed in a version is found, before anything of it is loaded."""

import json
import shutil
from pathlib import Path

import pytest

from course_utils import registry
from course_utils.registry import canary, mlflow
from course_utils.registry.store import open_draft, publish
from tests.support.records import CARS, FILES

PATHS = ["files/mpg.tflite", "files/mpg.schema.json", "charts/predicted.png", "record.json"]


@pytest.mark.parametrize("path", PATHS)
def test_a_changed_byte_is_found(store: Path, path: str):
    version = registry.load("mpg", 1, store=store)
    file = version.folder / path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{file.name} is not as it was registered.* Bring "):
        registry.promote("mpg", 1, store=store)


@pytest.mark.parametrize("path", PATHS[:-1])
def test_a_missing_file_is_named(store: Path, path: str):
    version = registry.load("mpg", 1, store=store)
    (version.folder / path).unlink()
    with pytest.raises(ValueError, match=f"{Path(path).name} is missing. Bring version 1 of mpg"):
        registry.verify(version)


def test_a_damaged_version_is_put_to_no_use(store: Path, tmp_path: Path):
    for number in (1, 2, 1):
        registry.promote("mpg", number, store=store)
    damaged = registry.load("mpg", 2, store=store)
    damaged.model.write_bytes(damaged.model.read_bytes()[:-1])
    for attempt in (
        lambda: registry.try_canary("mpg", 2, 0.1, store=store),
        lambda: registry.roll_back("mpg", store=store),
        lambda: canary.compare("mpg", CARS, store=store, candidate=2),
        lambda: mlflow.export(damaged, tmp_path / "mlflow"),
    ):
        with pytest.raises(ValueError, match=r"mpg\.tflite is not as it was registered"):
            attempt()
    assert len(registry.read_history("mpg", store=store)) == 3
    assert not (tmp_path / "mlflow").exists()


def test_a_file_that_was_added_is_found(store: Path):
    version = registry.load("mpg", 2, store=store)
    (version.folder / "files" / ".DS_Store").touch()  # macOS leaves them about
    registry.verify(version)
    shutil.copy(FILES[2], version.folder / "files")
    with pytest.raises(ValueError, match=r"mpg\.weights\.h5 was added after the registration"):
        registry.verify(version)


def test_golden_rows_are_really_asked_again(store: Path, version: registry.ModelVersion):
    """A version whose digests are right and whose model says something else."""
    document = json.loads(json.dumps(version.document))
    document["golden"]["rows"][7]["prediction"] *= 1 + 2e-6
    with open_draft(store / "mpg") as draft:
        shutil.copytree(version.folder / "files", draft / "files")
        publish(draft, document)
    with pytest.raises(ValueError, match=r"mpg 3 no longer predicts .* for golden row 8"):
        registry.verify(registry.load("mpg", 3, store=store))
