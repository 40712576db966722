"""From a CSV of labels to two parts that share nothing."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from course_utils.datasets import CIFAR10_CLASSES, load_cifar10
from course_utils.training import labelled_images

SIZE = 32


def folder_of(place, sizes, seed=1):
    """Pictures in a sub-folder a class, and the CSV beside them; returns the CSV."""
    random, rows = np.random.default_rng(seed), []
    for label, size in sizes.items():
        (place / label).mkdir(parents=True)
        for k in range(size):
            name = f"{label}/{k}.png"
            noise = random.integers(0, 256, (24, 30, 3), np.uint8)
            Image.fromarray(noise).save(place / name)
            rows.append((name, label))
    table = pd.DataFrame(rows, columns=["file", "label"]).sample(frac=1, random_state=seed)
    table.to_csv(place / "labels.csv", index=False)
    return place / "labels.csv"


@pytest.fixture
def csv(tmp_path):
    return folder_of(tmp_path / "birds", {"robin": 40, "wren": 11, "kite": 2})


@pytest.fixture
def table(csv):
    return labelled_images.read_labels(csv)


def pixels(file):
    return np.asarray(Image.open(file).convert("RGB"))


def test_the_table_has_what_the_csv_names(csv, table):
    written = pd.read_csv(csv)
    assert list(table["label"]) == list(written["label"])
    assert [pixels(file).shape for file in table["file"]] == [(24, 30, 3)] * 53
    assert table["digest"].nunique() == 53


def test_columns_of_other_names_and_a_folder_elsewhere(csv, tmp_path):
    other = tmp_path / "train.csv"
    table = pd.read_csv(csv).rename(columns={"file": "filepaths", "label": "species"})
    table.assign(width=30).to_csv(other, index=False, encoding="utf-8-sig")  # as Excel saves it
    read = labelled_images.read_labels(
        other, csv.parent, file_column="filepaths", label_column="species"
    )
    assert set(read["label"]) == {"robin", "wren", "kite"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,species\na.png,wren\n", "no column 'label'; it has 'file', 'species'"),
        ("file;label\na.png;wren\n", "no column 'file'; it has 'file;label'"),
        ("", "cannot be read as a CSV"),
        ("file,label\n", "fewer than two classes"),
        ("file,label\nrobin/0.png,robin\nwren/0.png, \n", "without a file or a label: 2."),
        ("file,label\nrobin/0.png,robin\nwren/0.png,wren,3\n", "cannot be read as a CSV"),
        ("file,label\nrobin/0.png,robin\nrobin/0.png,wren\n", "two labels: 0.png, 0.png"),
    ],
)
def test_a_bad_csv_is_refused_by_name(csv, content, said):
    csv.write_text(content)
    with pytest.raises(ValueError, match=r"^labels\.csv") as raised:
        labelled_images.read_labels(csv)
    assert said in str(raised.value)


def test_pictures_that_are_not_there_are_named_and_counted(csv):
    for number in range(5):
        (csv.parent / f"wren/{number}.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"not in .*: wren/\d.png, .*and 2 more\. Put"):
        labelled_images.read_labels(csv)


def test_of_the_same_picture_under_two_names_the_first_is_kept(csv):
    """As a PNG and as a BMP: other bytes, the same pixels."""
    with csv.open("a") as file:
        file.write("wren/again.bmp,wren\n")
    Image.open(csv.parent / "wren/3.png").save(csv.parent / "wren/again.bmp")
    table = labelled_images.read_labels(csv)
    assert len(table) == 53
    assert not table["file"].str.endswith("again.bmp").any()


def test_the_split_is_stratified(table):
    parts = labelled_images.split(table, seed=3)
    assert parts.test["label"].value_counts().to_dict() == {"robin": 8, "wren": 2, "kite": 1}
    assert sorted([*parts.training["file"], *parts.test["file"]]) == sorted(table["file"])
    again = labelled_images.split(table, seed=3)
    assert list(again.test["file"]) == list(parts.test["file"])
    other = labelled_images.split(table, seed=4)
    assert list(other.test["file"]) != list(parts.test["file"])


def test_a_class_of_one_picture_cannot_be_split(table):
    lonely = table.drop(table.index[table["label"] == "kite"][0])
    with pytest.raises(ValueError, match="Add pictures of kite"):
        labelled_images.split(lonely)
    with pytest.raises(ValueError, match="between 0 and 1"):
        labelled_images.split(table, share=20)


def test_balanced_brings_each_class_to_the_same_number(table):
    parts = labelled_images.split(table)
    even = labelled_images.balance_classes(parts)
    assert set(even.training["label"].value_counts()) == {32}
    assert even.test is parts.test
    assert not set(even.training["file"]) & set(even.test["file"])
    # Each picture as often as the others of its class, give or take one; each at first as it is.
    for _, rows in even.training.groupby("label"):
        counts = rows["file"].value_counts()
        assert counts.max() - counts.min() <= 1
        for _, copies in rows.groupby("file")["copy"]:
            assert sorted(copies) == list(range(len(copies)))


def test_parts_with_a_common_picture_are_refused(table):
    table = table.assign(copy=0)
    with pytest.raises(ValueError, match=r"share pictures \(1\)"):
        labelled_images.Parts(table.iloc[:21], table.iloc[20:])


def test_pictures_are_as_in_their_files_but_for_copies(table):
    parts = labelled_images.split(table)
    made = labelled_images.read_pictures(parts.test, SIZE)
    first = Image.open(parts.test["file"][0]).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    assert (made.shape, made.dtype) == ((11, SIZE, SIZE, 3), np.uint8)
    assert (made[0] == np.asarray(first)).all()
    even = labelled_images.balance_classes(parts)
    once, again, other = (
        labelled_images.read_pictures(even.training, SIZE, seed=s) for s in (1, 1, 2)
    )
    assert (once == again).all()
    differs = (once != other).any(axis=(1, 2, 3))
    assert not differs[even.training["copy"] == 0].any()
    assert differs[even.training["copy"] > 0].mean() > 0.95


def test_an_altered_copy_still_looks_like_its_picture():
    """Averages of light and colour stay near; the one is the other mirrored, turned, nearer."""
    photos = load_cifar10()[0][0][:64].astype(np.float32)
    augmentation = labelled_images.build_augmentation(3)
    altered = np.asarray(augmentation(photos, training=True))
    assert altered.min() >= 0
    assert altered.max() <= 255
    assert np.abs(altered.mean((1, 2)) - photos.mean((1, 2))).mean() < 12
    assert (np.asarray(augmentation(photos, training=False)) == photos).all()


def test_a_damaged_picture_is_named(csv):
    file = csv.parent / "robin/7.png"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"7\.png: "):
        labelled_images.read_labels(csv)


def test_cifar10_as_files(tmp_path):
    csv = labelled_images.write_cifar10(tmp_path / "x", {"cat": 5, "ship": 3}, part="test")
    table = labelled_images.read_labels(csv)
    images, labels = load_cifar10()[1]
    assert table["label"].value_counts().to_dict() == {"cat": 5, "ship": 3}
    for file, label in zip(table["file"], table["label"], strict=True):
        number = int(file[-9:-4])
        assert CIFAR10_CLASSES[labels[number]] == label
        assert (pixels(file) == images[number]).all()
