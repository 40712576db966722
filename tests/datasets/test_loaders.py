"""The data is the original, and a changed file is noticed."""

import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from course_utils import datasets
from course_utils.datasets import keras_cache, loaders, packages, weights
from course_utils.environment import data_folder
from tests.support.keras_host import NOWHERE, OWN_CACHE, names


def test_auto_mpg_is_the_original():
    cars = datasets.load_auto_mpg()
    assert cars.shape == (398, 9)
    assert list(cars.columns) == [
        "mpg", "cylinders", "displacement", "horsepower", "weight",
        "acceleration", "year", "origin", "name",
    ]  # fmt: skip
    # The six rows without horsepower, as the data set's description and its users name them.
    assert cars.index[cars["horsepower"].isna()].tolist() == [32, 126, 330, 336, 354, 374]
    assert cars.isna().sum().sum() == 6
    first, last = cars.iloc[0], cars.iloc[-1]
    assert (first["name"], first["mpg"], first["weight"]) == ("chevrolet chevelle malibu", 18, 3504)
    assert (last["name"], last["mpg"], last["weight"]) == ("chevy s-10", 31, 2720)
    assert cars["mpg"].mean().round(4) == 23.5146  # as published


def test_every_data_file_is_documented_with_its_digest():
    folder = data_folder()
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files - {"DATA.md"} == set(datasets.read_digests())
    for name in files - {"DATA.md"}:
        assert datasets.check_data_file(name) == folder / name


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    copy = shutil.copytree(data_folder(), tmp_path / "data")
    monkeypatch.setattr(loaders, "data_folder", lambda: copy)
    assert len(datasets.load_auto_mpg()) == 398
    path = copy / "auto-mpg.csv"
    path.write_bytes(path.read_bytes().replace(b"18.0,8", b"81.0,8", 1))
    with pytest.raises(ValueError, match="SHA-256 differs"):
        datasets.load_auto_mpg()


def test_chicago_is_the_original():
    days = datasets.load_chicago()
    assert days.shape == (5698, 50)
    assert days.isna().sum().sum() == 0
    # The first rows, as modeldata's users see them printed: three digits.
    head = days.loc[:2, ["ridership", "Austin", "Quincy_Wells", "Belmont"]].to_numpy()
    assert [[f"{value:#.3g}" for value in row] for row in head] == [
        ["15.7", "1.46", "8.37", "4.60"],
        ["15.8", "1.50", "8.35", "4.72"],
        ["15.9", "1.52", "8.36", "4.68"],
    ]
    every_day = pd.date_range("2001-01-22", "2016-08-28")
    assert (days["date"].to_numpy() == every_day.to_numpy()).all()
    # What the documentation says of the stations: each value is that of 14 days before.
    assert (days["Clark_Lake"].to_numpy()[14:] == days["ridership"].to_numpy()[:-14]).all()


def test_king_county_is_the_original():
    """Figures that everyone who uses the table knows."""
    houses = datasets.load_king_county()
    assert houses.shape == (21_613, 21)
    assert houses.isna().sum().sum() == 0
    first = houses.iloc[0]
    assert (first["id"], first["price"], first["sqft_living"]) == (7129300520, 221_900, 1180)
    assert first["date"] == pd.Timestamp(2014, 10, 13)
    assert round(houses["price"].mean(), 2) == 540_088.14
    assert houses["waterfront"].dtype == bool
    assert (houses["id"].nunique(), houses["zipcode"].nunique()) == (21_436, 70)


def test_mnist_is_the_original():
    """Counts of the digits as published with the data, and what one sees."""
    (x_train, y_train), (x_test, y_test) = datasets.load_mnist()
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert {a.dtype.name for a in (x_train, y_train, x_test, y_test)} == {"uint8"}
    assert list(y_train[:10]) == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert list(np.bincount(y_test)) == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # mean and deviation of the pixels, as every tutorial states them
    assert round(float(x_train.mean() / 255), 4) == 0.1307
    assert round(float(x_train.std() / 255), 4) == 0.3081


@pytest.mark.registry
def test_mnist_comes_when_it_is_asked_for_and_nothing_else_does(cache, capsys):
    assert datasets.load_mnist()[1][1].shape == (10_000,)
    assert names(cache) == {"mnist.npz", keras_cache.RECORD}
    assert "mnist" in capsys.readouterr().out
    datasets.load_mnist()
    assert capsys.readouterr().out == ""


def test_mnist_changed_is_not_read(cache, no_packages, monkeypatch):
    monkeypatch.setattr(weights, "KERAS_HOST", NOWHERE)
    cache.mkdir(parents=True)
    shutil.copy(OWN_CACHE / "mnist.npz", cache)
    assert datasets.load_mnist()[0][1][0] == 5
    with (cache / "mnist.npz").open("ab") as file:
        file.write(b"!")
    with pytest.raises(OSError, match=r"mnist\.npz could be had from nowhere"):
        datasets.load_mnist()


@pytest.mark.parametrize("content", [b"", b"PK half a file", b"no archive", "other arrays"])
def test_a_damaged_file_that_was_in_the_cache_is_named(cache, content):
    cache.mkdir(parents=True)
    if isinstance(content, bytes):
        (cache / "mnist.npz").write_bytes(content)
    else:
        np.savez(cache / "mnist.npz", images=np.zeros(3))
    with pytest.raises(ValueError, match=r"mnist\.npz.*Delete it and run `course fetch`"):
        datasets.load_mnist()


def test_a_broken_record_vouches_for_nothing(cache):
    cache.mkdir(parents=True)
    (cache / "mnist.npz").write_bytes(b"digits")
    (cache / keras_cache.RECORD).write_text("{")
    assert not keras_cache.is_intact("mnist.npz")
    assert keras_cache.read_sources() == {}


def test_each_fetch_has_a_folder_of_its_own(cache):
    """Another container may share the cache, but not the lock."""
    theirs, old = cache / f"{keras_cache.SCRATCH}1", cache / f"{keras_cache.SCRATCH}2"
    for folder in (theirs, old):
        folder.mkdir(parents=True)
        (folder / "mnist.npz").touch()
    os.utime(old, (0, 0))  # of a process that was killed
    with keras_cache.lock_cache(print) as scratch:
        assert list(scratch.iterdir()) == []
    assert names(cache) == {theirs.name}


@pytest.mark.parametrize("said", ["npm ERR! code E404", "python: No module named pip"])
def test_what_a_package_tool_says_is_passed_on(tmp_path, said):
    code = f"import sys; sys.exit({said!r})"
    with pytest.raises(OSError, match=said):
        packages._run([sys.executable, "-c", code], str(tmp_path))


def test_a_notebook_shows_how_far_a_download_is(capsys):
    keras_cache.print_step("fetching")
    keras_cache.print_step("fetching", 45, 139)
    keras_cache.print_step("making")
    lines = capsys.readouterr().out.replace("\r", "\n").splitlines()
    assert [line.strip() for line in lines] == ["fetching ...", "fetching: 45 of 139", "making ..."]
    assert len({len(line) for line in lines}) == 1  # each covers the one before


def test_cifar10_is_the_original():
    """Counts and labels as published with the data, and the figures that tutorials state."""
    (x_train, y_train), (x_test, y_test) = datasets.load_cifar10()
    assert (x_train.shape, x_test.shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert {a.dtype.name for a in (x_train, y_train, x_test, y_test)} == {"uint8"}
    first = ["frog", "truck", "truck", "deer", "automobile", "automobile", "bird"]
    assert [datasets.CIFAR10_CLASSES[label] for label in y_train[:7]] == first
    first = ["cat", "ship", "ship", "airplane", "frog", "frog", "automobile"]
    assert [datasets.CIFAR10_CLASSES[label] for label in y_test[:7]] == first
    assert list(np.bincount(y_train)) == [5000] * 10
    assert list(np.bincount(y_test)) == [1000] * 10
    mean = [np.bincount(x_train[..., c].ravel()) @ np.arange(256) for c in range(3)]
    assert list((np.array(mean) / 255 / (50_000 * 32 * 32)).round(4)) == [0.4914, 0.4822, 0.4465]
