"""Whatever was changed in a version is found, before anything of it is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from course_utils import registry
from course_utils.inference import Predictor
from course_utils.registry.store import draft, publish
from tests.support.records import FILES

PATHS = [
    *("files/mpg.tflite", "files/mpg.schema.json", "files/mpg.weights.h5", "record.json"),
    *("charts/predicted.png", "charts/loss.svg"),
]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_a_version_that_was_not_touched_is_right(kept: Path):
    for version, files in ((1, 8), (2, 6)):
        found = registry.verify(registry.load("mpg", version, store=kept))
        assert (found.files, found.rows) == (files, 20)
        assert found.difference <= 1e-6


@pytest.mark.parametrize("change", [flip, cut])
@pytest.mark.parametrize("path", PATHS)
def test_a_changed_byte_is_found(store: Path, path: str, change: Callable[[Path], None]):
    record = registry.load("mpg", 1, store=store)
    change(record.folder / path)
    name = path.rsplit("/", maxsplit=1)[-1]
    with pytest.raises(ValueError, match=f"{name} is not as it was registered. Bring ") as caught:
        registry.verify(record)
    assert "register the model again" in str(caught.value)
    with pytest.raises(ValueError, match=name):
        registry.promote("mpg", 1, store=store)


@pytest.mark.parametrize("path", [path for path in PATHS if "/" in path])
def test_a_missing_file_is_named(store: Path, path: str):
    record = registry.load("mpg", 1, store=store)
    (record.folder / path).unlink()
    with pytest.raises(ValueError, match=f"{Path(path).name} is missing. Bring version 1 of mpg"):
        registry.verify(record)


def test_another_model_in_its_place_is_not_loaded(store: Path):
    record = registry.load("mpg", 1, store=store)
    record.model.write_bytes(b"not even a model")  # the loader would say so in other words
    with pytest.raises(ValueError, match=r"not as it was registered.*nothing was loaded"):
        registry.verify(record)


def test_a_file_that_was_added_is_found(store: Path):
    record = registry.load("mpg", 2, store=store)
    (record.folder / "files" / ".DS_Store").touch()  # macOS leaves them about
    registry.verify(record)
    shutil.copy(FILES[2], record.folder / "files")
    with pytest.raises(ValueError, match=r"mpg\.weights\.h5 was added after the registration"):
        registry.verify(record)


def test_another_answer_to_a_golden_row_is_told(record: registry.Record):
    class Shifted(Predictor):
        """What another runtime might make of the model."""

        by = 0.0

        def predict(self, batch: object) -> np.ndarray:
            return super().predict(batch).astype(float) + self.by

    other = Shifted(record.model.read_bytes())
    rows = record.document["golden"]["rows"]
    other.by = 0.9e-6 * min(row["prediction"] for row in rows)
    assert 0 < registry.verify(record, predictor=other).difference <= 1e-6
    for other.by in (1.1e-6 * max(row["prediction"] for row in rows), float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"mpg 1 no longer predicts .* for golden row \d+"):
            registry.verify(record, predictor=other)


def test_golden_rows_are_really_asked_again(store: Path, record: registry.Record):
    """A record whose digests are right and whose model says something else."""
    document = json.loads(json.dumps(record.document))
    document["golden"]["rows"][7]["prediction"] += 1e-3
    with draft(store / "mpg") as new:
        for folder in ("files", "charts"):
            shutil.copytree(record.folder / folder, new / folder)
        publish(new, document)
    with pytest.raises(ValueError, match=r"for golden row 8\. The file is unchanged, so the run"):
        registry.verify(registry.load("mpg", 3, store=store))
