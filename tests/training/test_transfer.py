"""A frozen base, its features and a new head, with real weights and real pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from course_utils.environment import data_folder
from course_utils.training import transfer
from course_utils.training.resume.frameworks import keras
from course_utils.training.transfer import (
    build_base,
    build_head,
    compute_features,
    join_head,
    list_pictures,
)

PHOTOS = data_folder() / "photos"
NAMES = ("cat.png", "dog.jpg", "coffee.png")


@pytest.fixture(scope="module")
def base() -> Any:
    return build_base(size=64)


@pytest.fixture(scope="module")
def averages() -> Any:
    """In place of MobileNet, which takes seconds to convert: the average of each colour."""
    layers = [keras.layers.AveragePooling2D(64), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((64, 64, 3)), *layers])


def pictures(count: int, side: int = 20) -> np.ndarray:
    draw = np.random.default_rng(5)
    return draw.integers(0, 256, (count, side, side, 3), np.uint8)


@pytest.mark.thorough
def test_mobilenets_features_are_those_that_keras_pools() -> None:
    whole = keras.applications.MobileNet(weights="imagenet")
    pooled = next(x for x in whole.layers if x.name.startswith("global_average_pooling"))
    stock = keras.Model(whole.input, keras.ops.squeeze(pooled.output, (1, 2)))
    batch = np.stack([transfer.read_picture(PHOTOS / name, 224) for name in NAMES])
    theirs = stock.predict(
        keras.applications.mobilenet.preprocess_input(batch.astype(np.float32)), verbose=0
    )
    ours = compute_features(build_base(), [PHOTOS / name for name in NAMES])
    assert ours.shape == (3, 1024)
    assert np.abs(ours - theirs).max() < 1e-3


def test_training_a_head_leaves_the_base_as_it_was(base: Any) -> None:
    assert base.trainable_weights == []
    before = [array.copy() for array in base.get_weights()]
    head = build_head(1024, 2)
    whole = keras.Sequential([base, head])
    whole.compile("adam", "sparse_categorical_crossentropy")
    start = head.get_weights()[0].copy()
    whole.fit(pictures(8, 64).astype(np.float32), np.array([0, 1] * 4), verbose=0)
    assert (head.get_weights()[0] != start).any()
    for old, new in zip(before, base.get_weights(), strict=True):
        assert (old == new).all()


@pytest.mark.thorough
def test_base_and_head_joined_compute_what_they_do_apart(base: Any) -> None:
    shown, head = pictures(5, 64), build_head(1024, 2)
    joined = np.asarray(join_head(base, head)(shown.astype(np.float32)))
    apart = head.predict(compute_features(base, shown), verbose=0)
    assert np.abs(joined - apart).max() < 1e-4


def test_features_come_in_the_order_of_the_pictures_below_a_bar(
    averages: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    several = pictures(41, 64)  # more than a batch, and not a multiple of one
    found = compute_features(averages, several, bar_title="looking")
    assert found.dtype == np.float32
    assert np.abs(found - several.mean(axis=(1, 2))).max() < 1e-3
    assert capsys.readouterr().out == f"looking {'█' * 20} 41\n"


def test_files_arrays_and_sizes_may_be_mixed(averages: Any, tmp_path: Path) -> None:
    array = pictures(1, 64)[0]
    Image.fromarray(array).save(tmp_path / "a.png")
    one, two, _ = compute_features(averages, [tmp_path / "a.png", array, pictures(1, 300)[0]])
    assert np.abs(one - two).max() < 1e-3


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [(b"no picture", ValueError, r"bad.jpg: This is not an image"), (None, OSError, "bad.jpg")],
)
def test_a_bad_file_is_named(
    averages: Any, tmp_path: Path, content: bytes | None, error: type[Exception], reason: str
) -> None:
    bad = tmp_path / "bad.jpg"
    if content:
        bad.write_bytes(content)
    with pytest.raises(error, match=reason):
        compute_features(averages, [PHOTOS / "cat.png", bad])


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    for name in ("Cats/tom.png", "cat-photos/b.JPG", "dogs/1.png", "dogs/note.txt", "birds/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files, labels = list_pictures(tmp_path, ("cat", "dog"))
    found = {
        (file.parent.name, file.name): label for file, label in zip(files, labels, strict=True)
    }
    assert found == {("Cats", "tom.png"): 0, ("cat-photos", "b.JPG"): 0, ("dogs", "1.png"): 1}
    with pytest.raises(ValueError, match=r"no pictures of cow.*begins with cow"):
        list_pictures(tmp_path, ("cat", "cow"))
