"""Versions are given once, appear whole, are never changed, and hold no pickle."""

import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from course_utils import registry
from course_utils.registry.store import check_digests
from tests.support.records import FILES, register
from tests.support.registering import change_at_once
from tests.support.retraining import read_files


def list_drafts(store: Path) -> list[Path]:
    return list((store / "mpg").glob(".draft-*"))


def test_a_version_is_whole_and_stays_as_it_is(store: Path):
    first = registry.load("mpg", 1, store=store)
    before = read_files(first.folder)
    third = register(store)
    registry.promote("mpg", 3, store=store)
    assert (third.name, third.number) == ("mpg", 3)
    assert third.folder == store / "mpg" / "00003"
    assert registry.list_versions("mpg", store=store) == [1, 2, 3]
    assert read_files(first.folder) == before
    assert third.model.read_bytes() == FILES[0].read_bytes()
    assert sorted(path.name for path in third.model.parent.iterdir()) == [
        "mpg.schema.json",
        "mpg.tflite",
    ]


def test_the_default_store_is_in_the_learners_folder(tmp_path: Path):
    assert registry.list_models() == []
    assert registry.list_versions("mpg") == []
    with pytest.raises(FileNotFoundError, match=r"No version 1 of mpg in .*: there is none"):
        registry.load("mpg")
    shutil.copytree(register(tmp_path / "a").folder.parent, tmp_path / "home" / "records" / "mpg")
    assert registry.list_models() == ["mpg"]
    assert registry.load("mpg").folder == tmp_path / "home" / "records" / "mpg" / "00001"


def test_what_is_loaded_without_a_version_is_what_is_served_else_the_newest(store: Path):
    assert registry.load("mpg", store=store).number == 2
    registry.promote("mpg", 1, store=store)
    assert registry.load("mpg", store=store).number == 1


def test_sha256sum_finds_nothing_to_complain_about(version: registry.ModelVersion):
    if not shutil.which("sha256sum"):
        pytest.skip("there is no sha256sum on this system; `check_digests` is tested everywhere")
    subprocess.run(["sha256sum", "-c", "record.sha256"], cwd=version.folder, check=True)


@pytest.mark.parametrize("name", ["", "..", "../mpg", "a\\b", "MPG", "größe", "-x", "x" * 61])
def test_a_name_that_could_go_elsewhere_is_refused(tmp_path: Path, name: str):
    for attempt in (register, lambda store, name: registry.read_serving(name, store=store)):
        with pytest.raises(ValueError, match="cannot be a model's name"):
            attempt(tmp_path / "store", name)
    assert not (tmp_path / "store").exists()


class Armed:
    """Says so where it is unpickled."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.proof),))


@pytest.mark.parametrize("name", ["model.pkl", "mpg.tflite", "d"])
def test_a_pickle_is_refused_and_not_opened(tmp_path: Path, name: str):
    proof, bad = tmp_path / "it ran", tmp_path / name
    bad.write_bytes(pickle.dumps(Armed(proof)))
    files = [bad, FILES[1]] if name == "mpg.tflite" else [*FILES[:2], bad]
    with pytest.raises(ValueError, match=f"{name} is a pickle, and a pickle can run any code"):
        register(tmp_path / "store", files=files)
    assert not proof.exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.thorough
def test_killed_registrations_leave_a_store_that_is_right(
    version: registry.ModelVersion, tmp_path: Path
):
    """Three at a time register as fast as they can, and are killed at different moments."""
    acknowledged: list[int] = []
    left = 0
    for round_ in range(4):
        with change_at_once("register", tmp_path, version.folder, times=3) as said:
            time.sleep(0.05 * round_)
        acknowledged += map(int, said)
        left = len(list_drafts(tmp_path))
    numbers = registry.list_versions("mpg", store=tmp_path)
    assert numbers == list(range(1, len(numbers) + 1))
    assert set(acknowledged) <= set(numbers)
    assert len(set(acknowledged)) == len(acknowledged)
    for number in numbers:
        kept = registry.load("mpg", number, store=tmp_path)
        assert check_digests(kept) == len(version.document["files"])
    assert left > 0  # or none was killed in the middle
    assert registry.list_models(store=tmp_path) == ["mpg"]
    assert register(tmp_path).number == len(numbers) + 1


def test_a_folder_in_the_way_is_never_replaced(store: Path, monkeypatch: pytest.MonkeyPatch):
    """Somebody on another machine, whom no lock of this one keeps out, was quicker."""
    first, rival = store / "mpg" / "00001", store / "mpg" / "00003"
    rename = Path.rename

    def rename_late(self: Path, target: Path) -> Path:
        shutil.copytree(first, rival)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    with pytest.raises(OSError, match="00003"):
        register(store)
    assert read_files(rival) == read_files(first)
    assert list_drafts(store) == []


def test_a_version_in_the_place_of_another_is_refused(store: Path):
    shutil.rmtree(store / "mpg" / "00001")
    shutil.copytree(store / "mpg" / "00002", store / "mpg" / "00001")
    with pytest.raises(ValueError, match=r"record\.json is that of version 2 of mpg"):
        registry.load("mpg", 1, store=store)


def test_files_that_make_no_version_are_refused(store: Path, tmp_path: Path):
    other = tmp_path / "mpg.tflite"
    other.write_bytes(b"")
    for files, message in (
        ([], "The first file is the model"),
        (FILES[::-1], "The first file is the model"),
        (FILES[::2], r"has to be NAME\.schema\.json"),
        ([*FILES[:2], other], "Two of the files have the same name"),
        ([other, FILES[1]], "is not a model"),
    ):
        with pytest.raises(ValueError, match=message):
            register(store, files=files)
    assert registry.list_versions("mpg", store=store) == [1, 2]


def test_other_things_in_the_store_are_left_alone(store: Path):
    (store / "notes.txt").write_text("mine", "utf-8")
    (store / "Not A Model").mkdir()
    (store / "mpg" / "12345.txt").touch()
    assert registry.list_models(store=store) == ["mpg"]
    assert registry.list_versions("mpg", store=store) == [1, 2]


def test_a_record_without_its_digest_is_not_read(store: Path):
    (store / "mpg" / "00001" / "record.sha256").write_bytes(b"")
    with pytest.raises(ValueError, match=r"record\.sha256 does not hold its digest"):
        registry.load("mpg", 1, store=store)
    assert registry.load("mpg", 2, store=store).number == 2


def test_a_record_of_another_format_is_refused(store: Path, version: registry.ModelVersion):
    folder = store / "mpg" / "00001"
    text = json.dumps(version.document | {"format": 2})
    (folder / "record.json").write_text(text, "utf-8")
    (folder / "record.sha256").write_text(hashlib.sha256(text.encode()).hexdigest(), "utf-8")
    course = re.escape(version.document["code"]["course"])
    with pytest.raises(ValueError, match=f"of format 2, this .* format 1: read it with .*{course}"):
        registry.load("mpg", 1, store=store)
