"""The data is the original, and a changed file is noticed."""

import hashlib
import shutil

import numpy as np
import pytest

from course_utils import datasets
from course_utils.environment import data_folder


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
    # Published summary figures of the data set.
    assert cars["mpg"].mean().round(4) == 23.5146
    assert cars["horsepower"].mean().round(2) == 104.47
    assert cars["origin"].value_counts().to_dict() == {1: 249, 3: 79, 2: 70}
    assert cars["name"].nunique() == 305


def test_every_data_file_is_documented_with_its_digest():
    folder = data_folder()
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files - {"DATA.md"} == set(datasets.digests())
    for name, digest in datasets.digests().items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    copy = shutil.copytree(data_folder(), tmp_path / "data")
    monkeypatch.setattr(datasets, "data_folder", lambda: copy)
    assert len(datasets.load_auto_mpg()) == 398
    path = copy / "auto-mpg.csv"
    path.write_bytes(path.read_bytes().replace(b"18.0,8", b"81.0,8", 1))
    with pytest.raises(ValueError, match="SHA-256 differs"):
        datasets.load_auto_mpg()


def test_types():
    cars = datasets.load_auto_mpg().drop(columns="name")
    assert all(np.issubdtype(kind, np.number) for kind in cars.dtypes)
