"""The Sberbank files are found however Kaggle hands them out, and what is wrong is said.

The files themselves may not be passed on; `tests.support.standins.sberbank` makes some up.
"""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from course_utils.datasets import load_sberbank
from tests.support.standins import sberbank


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def files():
    return sberbank.files()


def test_the_tables_as_kaggle_gives_them(tmp_path):
    train, test = load_sberbank(sberbank.write(tmp_path / "new"))
    assert (train.shape, test.shape) == ((300, 292), (100, 291))
    assert list(train.columns) == [*test.columns, "price_doc"]
    assert train["id"].tolist() == list(range(1, 301))
    assert train["timestamp"].iloc[0] == pd.Timestamp(2011, 8, 20)
    assert test["timestamp"].min() == pd.Timestamp(2015, 7, 1)
    assert np.issubdtype(test["timestamp"].dtype, np.datetime64)
    assert train["life_sq"].isna().any()


def test_zipped_as_kaggle_hands_them_out(tmp_path, files):
    for name, content in files.items():
        (tmp_path / f"{name}.zip").write_bytes(zipped({name: content}))
    train, test = load_sberbank(str(tmp_path))
    assert (train.shape, test.shape) == ((300, 292), (100, 291))
    assert test["id"].iloc[0] == 30474


def test_the_folder_where_the_course_looks(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        load_sberbank()
    message = str(caught.value)
    assert "train.csv missing" in message
    assert str(tmp_path / "sberbank") in message
    assert "https://www.kaggle.com/c/sberbank-russian-housing-market" in message
    assert "accept the rules" in message
    sberbank.write(tmp_path / "sberbank")
    assert len(load_sberbank()[0]) == 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,timestamp,full_sq\n1,2011-08-20,43\n", "no column product_type, .*, price_doc"),
        (b"<!DOCTYPE html>\n<title>Kaggle: sign in</title>\n", "no column id, timestamp, full_sq"),
        (b"", "No columns to parse"),
    ],
)
def test_another_file_under_the_name(tmp_path, files, content, message):
    (tmp_path / "train.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_sberbank(tmp_path)
    assert str(tmp_path / "train.csv") in str(caught.value)


def test_dates_rewritten_by_a_spreadsheet(tmp_path, files):
    rewritten = files["test.csv"].replace(b"2015-07-", b"7/15/")
    (tmp_path / "train.csv").write_bytes(files["train.csv"])
    with pytest.raises(FileNotFoundError, match=r": test\.csv missing"):
        load_sberbank(tmp_path)
    (tmp_path / "test.csv").write_bytes(rewritten)
    with pytest.raises(ValueError, match=r"test\.csv is not .* spreadsheets rewrite dates"):
        load_sberbank(tmp_path)


def test_a_broken_zip(tmp_path, files):
    whole = zipped({"train.csv": files["train.csv"]})
    middle = len(whole) // 4
    damaged = whole[:middle] + bytes(2000) + whole[middle + 2000 :]
    for content in (whole[:-100], damaged):
        (tmp_path / "train.csv.zip").write_bytes(content)
        with pytest.raises(ValueError, match=r"train\.csv\.zip is not .*\. Download it again"):
            load_sberbank(tmp_path)
