"""Pickles are told from models, and none of their instructions is run."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest

from course_utils.environment import data_folder
from course_utils.inference import Predictor
from course_utils.inference.pickles import is_pickle, refuse_pickle

PACKERS = {"gzip": gzip.compress, "zlib": zlib.compress, "bz2": bz2.compress, "xz": lzma.compress}


class Hostile:
    """What a stranger could send: as it is loaded it makes a folder."""

    def __init__(self, marker: Path):
        self.marker = str(marker)

    def __reduce__(self):
        return (os.mkdir, (self.marker,))


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "was-run"


def test_the_hostile_pickle_is_one(marker):
    """Or the tests below would prove nothing."""
    pickle.loads(pickle.dumps(Hostile(marker)))
    assert marker.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("packer", [None, *PACKERS])
def test_every_protocol_is_told_also_compressed(protocol, packer, marker):
    pack = PACKERS.get(packer, bytes)
    for value in (Hostile(marker), None, {"weights": [1.5, 2]}, np.arange(3.0)):
        assert is_pickle(pack(pickle.dumps(value, protocol=protocol)))
    assert not marker.exists()


def test_one_that_does_its_harm_and_then_breaks_off_is_told(marker):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert is_pickle(pickle.dumps(Hostile(marker), protocol=protocol).rstrip(b".") + b"\0\0")


def test_the_old_instruction_that_names_and_calls_at_once_is_told(marker):
    old = f"(S{str(marker)!r}\nios\nmkdir\n".encode()
    with pytest.raises(pickle.UnpicklingError):  # at its end, which is too late
        pickle.loads(old + b"\0")
    assert marker.exists()
    assert is_pickle(old + b"\0")


@pytest.mark.parametrize("compress", [0, 3, ("lzma", 3), ("bz2", 3)])
def test_what_joblib_and_dill_write_is_told(compress, tmp_path):
    import dill

    path = tmp_path / "forest"
    joblib.dump({"trees": np.arange(1000.0)}, path, compress=compress)
    assert is_pickle(path)
    assert is_pickle(dill.dumps(lambda x: x + 1))


def npz() -> bytes:
    memory = io.BytesIO()
    np.savez(memory, a=np.arange(3))
    return memory.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        b"x marks the spot",
        b"BZh is how bz2 begins",
        b"\x1f\x8bnot gzip",
        b"count\nvalue\n1\n",  # as a pickle: the global "ount value", and then nonsense
        b"index\nvalue\n",
        b"Notes on the model",
        b'{"mpg": 1}',
        b"PK\3\4 an archive with \\R in it\n.",  # read as a pickle: an id, and STOP
        b"S'a text with \\R in it'\n",
        gzip.compress(b"cylinders,mpg\n8,18\n", mtime=0),
        npz(),
    ],
)
def test_what_is_none_is_not_called_one(content):
    assert not is_pickle(content)


def test_no_file_of_the_course_is_called_one():
    files = [path for path in data_folder().rglob("*") if path.is_file()]
    assert len(files) > 15
    assert [path.name for path in files if is_pickle(path)] == []


@pytest.mark.parametrize("name", ["net.tflite", "net.keras", "net.h5", "net.pkl", "net.PICKLE"])
def test_the_loader_refuses_it_under_any_name(name, marker, tmp_path):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Hostile(marker)))
    with pytest.raises(ValueError, match=r"can run any code as it is loaded\. Nothing was loaded"):
        Predictor.load(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["net.joblib", "net.dill", "net.pkl"])
def test_the_name_alone_is_enough(name, tmp_path):
    (tmp_path / name).write_bytes(b"no pickle at all")
    with pytest.raises(ValueError, match=f"{name} is a pickle"):
        refuse_pickle(tmp_path / name)
    refuse_pickle(tmp_path / "net.tflite", b"no pickle at all")


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        Predictor.load(tmp_path / "net.pkl")
