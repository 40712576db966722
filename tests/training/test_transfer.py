"""A frozen base, its features and a new head, with real weights and real pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from course_utils.environment import data_folder, quiet_native_stderr
from course_utils.training import transfer
from course_utils.training.transfer import (
    Bar,
    features,
    frozen_base,
    joined,
    labelled_folder,
    new_head,
)

with quiet_native_stderr():
    import keras

PHOTOS = data_folder() / "photos"
NAMES = ("cat.png", "dog.jpg", "coffee.png")


@pytest.fixture(scope="module")
def base() -> Any:
    return frozen_base(size=64)


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
    ours = features(frozen_base(), [PHOTOS / name for name in NAMES])
    assert ours.shape == (3, 1024)
    assert np.abs(ours - theirs).max() < 1e-3


def test_training_a_head_leaves_the_base_as_it_was(base: Any) -> None:
    assert base.trainable_weights == []
    before = [array.copy() for array in base.get_weights()]
    head = new_head(1024, 2)
    whole = keras.Sequential([base, head])
    whole.compile("adam", "sparse_categorical_crossentropy")
    start = head.get_weights()[0].copy()
    whole.fit(pictures(8, 64).astype(np.float32), np.array([0, 1] * 4), verbose=0)
    assert (head.get_weights()[0] != start).any()
    for old, new in zip(before, base.get_weights(), strict=True):
        assert (old == new).all()


@pytest.mark.thorough
def test_a_head_learns_what_the_base_sees(base: Any) -> None:
    """Reddish and bluish noise; the joined network takes pixels."""
    shown = pictures(60, 64)
    labels = np.arange(60) % 2
    for picture, label in zip(shown, labels, strict=True):
        picture[..., [1, 2 * label]] //= 8
    seen = features(base, shown)
    head = new_head(1024, 2)
    head.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    head.fit(seen[:40], labels[:40], epochs=30, verbose=0)
    answers = np.asarray(joined(base, head)(shown[40:].astype(np.float32)))
    assert (answers.argmax(axis=1) == labels[40:]).all()
    assert np.abs(answers - head.predict(seen[40:], verbose=0)).max() < 1e-4


@pytest.mark.thorough
def test_features_come_in_the_order_of_the_pictures(base: Any) -> None:
    several = pictures(41)  # more than a batch, and not a multiple of one
    found = features(base, several)
    assert found.dtype == np.float32
    few = features(base, several[[0, 16, 40]])
    assert np.abs(found[[0, 16, 40]] - few).max() < 1e-4


@pytest.mark.thorough
def test_files_arrays_and_sizes_may_be_mixed(base: Any, tmp_path: Path) -> None:
    array = pictures(1, 64)[0]
    Image.fromarray(array).save(tmp_path / "a.png")
    one, two, _ = features(base, [tmp_path / "a.png", array, pictures(1, 300)[0]])
    assert np.abs(one - two).max() < 1e-5


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [(b"no picture", ValueError, r"bad.jpg: This is not an image"), (None, OSError, "bad.jpg")],
)
def test_a_bad_file_is_named(
    base: Any, tmp_path: Path, content: bytes | None, error: type[Exception], reason: str
) -> None:
    bad = tmp_path / "bad.jpg"
    if content:
        bad.write_bytes(content)
    with pytest.raises(error, match=reason):
        features(base, [PHOTOS / "cat.png", bad])


def test_a_base_is_converted_once(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = features(base, pictures(1))
    monkeypatch.delattr(transfer, "to_litert")
    assert (features(base, pictures(1)) == found).all()


def test_no_pictures_are_an_error_that_says_so(base: Any) -> None:
    with pytest.raises(ValueError, match="there are no pictures to look at"):
        features(base, [])


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    for name in ("Cats/tom.png", "cat-photos/b.JPG", "dogs/1.png", "dogs/note.txt", "birds/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files, labels = labelled_folder(tmp_path, ("cat", "dog"))
    found = {
        (file.parent.name, file.name): label for file, label in zip(files, labels, strict=True)
    }
    assert found == {("Cats", "tom.png"): 0, ("cat-photos", "b.JPG"): 0, ("dogs", "1.png"): 1}


def test_a_folder_without_a_class_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "tom.png").touch()
    with pytest.raises(ValueError, match=r"no pictures of dog.*begins with dog"):
        labelled_folder(tmp_path, ("cat", "dog"))


def test_progress_goes_up_to_the_end(base: Any, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int]] = []
    features(base, pictures(40), progress=lambda *step: told.append(step))
    assert told == [(16, 40), (32, 40), (40, 40)]
    features(base, pictures(40), progress=Bar("looking"))
    assert capsys.readouterr().out == f"looking {'█' * 20} 40\n"
