"""A CSV of labels and its pictures, and the layouts of two sets of birds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from course_utils.training import labelled_images


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


def test_a_damaged_picture_is_named(csv):
    file = csv.parent / "robin/7.png"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"7\.png: "):
        labelled_images.read_labels(csv)


def write_cub(place):
    """Three species and five pictures in the layout of CUB-200-2011."""
    species = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross"]
    folder_of(place / "images", dict(zip(species, (2, 2, 1), strict=True))).unlink()
    files = [
        f"{name}/{k}.png" for name in species for k in range(2) if (name, k) != (species[2], 1)
    ]
    lists = {
        "images": files,
        "image_class_labels": [1 + species.index(file.partition("/")[0]) for file in files],
        "train_test_split": [1, 0, 0, 1, 1],
        "classes": species,
    }
    for name, values in lists.items():
        lines = [f"{number} {value}\n" for number, value in enumerate(values, 1)]
        (place / f"{name}.txt").write_text("".join(lines))
    return place


def test_cub_with_its_own_split(tmp_path):
    table = labelled_images.read_cub(write_cub(tmp_path / "CUB_200_2011"))
    assert list(table["part"]) == ["training", "test", "test", "training", "training"]
    assert list(table["label"][[0, 4]]) == ["001.Black_footed_Albatross", "003.Sooty_Albatross"]
    for file, label in zip(table["file"], table["label"], strict=True):
        assert Path(file).parent.name == label
        assert pixels(file).shape == (24, 30, 3)


@pytest.mark.parametrize("name", ["images", "train_test_split", "classes"])
def test_lists_of_cub_that_do_not_fit_together_are_refused(tmp_path, name):
    file = write_cub(tmp_path / "CUB_200_2011") / f"{name}.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="do not fit together"):
        labelled_images.read_cub(file.parent)


@pytest.fixture
def kaggle(tmp_path):
    """Two species in the layout of Kaggle's birds; returns the CSV."""
    rows = []
    for seed, part in enumerate(("train", "valid", "test")):
        place = tmp_path / part
        folder_of(place, {"ABBOTTS BABBLER": 2, "ROBIN": 3}, seed).unlink()
        rows += [(f"{part}/{f.parent.name}/{f.name}", f.parent.name) for f in place.glob("*/*")]
    csv = tmp_path / "birds.csv"
    table = pd.DataFrame(rows, columns=["filepaths", "labels"])
    table.assign(**{"class id": 0.0, "data set": "x"}).to_csv(csv, index=False)
    return csv


def test_kaggle_s_birds_with_their_parts(kaggle):
    table = labelled_images.read_kaggle_birds(kaggle.parent)
    assert table.value_counts(["part", "label"]).to_dict() == {
        (part, label): count
        for part in ("training", "validation", "test")
        for label, count in (("ABBOTTS BABBLER", 2), ("ROBIN", 3))
    }


def test_kaggle_s_birds_in_other_folders_are_refused(kaggle):
    (kaggle.parent / "valid").rename(kaggle.parent / "images to predict")
    kaggle.write_text(kaggle.read_text().replace("valid/", "images to predict/"))
    with pytest.raises(ValueError, match=r"\['images to predict'\]"):
        labelled_images.read_kaggle_birds(kaggle.parent)
