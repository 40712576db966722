"""Versions are given once, appear whole, are never changed, and hold no pickle."""

import hashlib
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_utils import registry
from course_utils.registry.store import check_digests
from tests.support import registering as processes
from tests.support.records import CARS, FILES, find_faults, register
from tests.support.serving import ROOT

SCRIPT = [sys.executable, "-m", "tests.support.registering"]


def start(*arguments: object) -> "subprocess.Popen[str]":
    command = [*SCRIPT, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def drafts(store: Path) -> list[Path]:
    return list((store / "mpg").glob(".draft-*"))


def test_a_version_is_whole_and_stays_as_it_is(store: Path):
    first = registry.load("mpg", 1, store=store)
    before = content(first.folder)
    third = register(store)
    registry.promote("mpg", 3, store=store)
    assert (third.name, third.version) == ("mpg", 3)
    assert third.folder == store / "mpg" / "00003"
    assert registry.versions("mpg", store=store) == [1, 2, 3]
    assert content(first.folder) == before
    assert third.model.read_bytes() == FILES[0].read_bytes()
    assert sorted(path.name for path in third.model.parent.iterdir()) == [
        "mpg.schema.json",
        "mpg.tflite",
    ]


def test_the_default_store_is_in_the_learners_folder(tmp_path: Path):
    assert registry.names() == []
    assert registry.versions("mpg") == []
    with pytest.raises(FileNotFoundError, match=r"No version 1 of mpg in .*: there is none"):
        registry.load("mpg")
    shutil.copytree(register(tmp_path / "a").folder.parent, tmp_path / "home" / "records" / "mpg")
    assert registry.names() == ["mpg"]
    assert registry.load("mpg").folder == tmp_path / "home" / "records" / "mpg" / "00001"


def test_what_is_loaded_without_a_version_is_what_is_served_else_the_newest(store: Path):
    assert registry.load("mpg", store=store).version == 2
    registry.promote("mpg", 1, store=store)
    assert registry.load("mpg", store=store).version == 1
    with pytest.raises(FileNotFoundError, match=r"No version 7 of mpg in .*: there are 1, 2"):
        registry.load("mpg", 7, store=store)


def test_sha256sum_finds_nothing_to_complain_about(record: registry.Record):
    if not shutil.which("sha256sum"):
        pytest.skip("there is no sha256sum on this system; `check_digests` is tested everywhere")
    subprocess.run(["sha256sum", "-c", "record.sha256"], cwd=record.folder, check=True)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../mpg", "a/b", "a\\b", "MPG", "größe", "a b", "-x", "_x", "mpg\n"),
        *("con", "com1", "x" * 61),
    ],
)
def test_a_name_that_could_go_elsewhere_is_refused(tmp_path: Path, name: str):
    for attempt in (register, lambda store, name: registry.serving(name, store=store)):
        with pytest.raises(ValueError, match="cannot be a model's name"):
            attempt(tmp_path / "store", name)
    assert not (tmp_path / "store").exists()


def test_every_allowed_name_works(tmp_path: Path):
    for name in ("a", "0", "mpg-2_b", "console", "x" * 60):
        (tmp_path / name).mkdir()
        assert registry.versions(name, store=tmp_path) == []
    assert registry.names(store=tmp_path) == []  # none has a version


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
    files = [bad] if name == "mpg.tflite" else [*FILES[:2], bad]
    with pytest.raises(ValueError, match=f"{name} is a pickle, and a pickle can run any code"):
        register(tmp_path / "store", files=files)
    assert not proof.exists()
    assert not (tmp_path / "store").exists()


def test_files_that_cannot_be_kept_are_refused(tmp_path: Path):
    store = tmp_path / "store"
    with pytest.raises(ValueError, match=r"the model to serve, .*; got no file"):
        register(store, files=[])
    with pytest.raises(ValueError, match=r"\.tflite or \.keras or \.h5; got mpg\.schema\.json"):
        register(store, files=FILES[1:])
    with pytest.raises(FileNotFoundError, match=r"gone\.json"):
        register(store, files=[FILES[0], tmp_path / "gone.json"])
    (twin := tmp_path / "MPG.tflite").write_bytes(b"-")  # the same name for Windows and macOS
    with pytest.raises(ValueError, match=r"Two of the files are called mpg\.tflite: rename one"):
        register(store, files=[FILES[0], twin])


def test_what_cannot_be_registered_leaves_nothing(store: Path):
    before = content(store)
    with pytest.raises(ValueError, match="no columns 'weight'"):
        register(store, training=CARS.drop(columns="weight"))
    assert content(store) == before
    assert drafts(store) == []


@pytest.mark.thorough
def test_a_hundred_processes_at_once_get_a_hundred_versions(
    record: registry.Record, tmp_path: Path
):
    process = start("register", tmp_path, 100, record.folder)
    process.communicate()
    assert process.returncode == 0
    assert registry.versions("mpg", store=tmp_path) == list(range(1, 101))
    found = [registry.load("mpg", version, store=tmp_path) for version in range(1, 101)]
    assert {each.document["notes"] for each in found} == {str(number) for number in range(100)}
    assert all(check_digests(each) == len(record.document["files"]) for each in found)
    assert all(find_faults(each.document) == [] for each in found)
    assert drafts(tmp_path) == []


@pytest.mark.thorough
def test_killed_registrations_leave_a_store_that_is_right(record: registry.Record, tmp_path: Path):
    store, moments = tmp_path, random.Random(0)
    acknowledged: set[int] = set()
    left = 0
    for round_ in range(4):
        ours = [start("on and on", store, record.folder, f"{round_}-{i}") for i in range(3)]
        for process in ours:
            assert process.stdout
            acknowledged.add(int(process.stdout.readline()))  # it is at work
        for process in ours:
            time.sleep(moments.uniform(0, 0.1))
            process.kill()
            out, _ = process.communicate()
            acknowledged |= {int(line) for line in out.split("\n")[:-1]}
        left = len(drafts(store))
        taken = registry.versions("mpg", store=store)
        assert taken == list(range(1, len(taken) + 1))
        assert acknowledged <= set(taken)
    for version in taken:
        kept = registry.load("mpg", version, store=store)
        assert check_digests(kept) == len(record.document["files"])
        assert find_faults(kept.document) == []
    assert left > 0  # or none was killed in the middle
    assert registry.names(store=store) == ["mpg"]
    assert processes.copy(record.folder, store, "after all") == len(taken) + 1


def test_a_folder_in_the_way_is_never_replaced(
    record: registry.Record, store: Path, monkeypatch: pytest.MonkeyPatch
):
    """Somebody on another machine, whom no lock of this one keeps out, was quicker."""
    rival = store / "mpg" / "00003"
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        shutil.copytree(record.folder, rival)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(OSError, match="00003"):
        processes.copy(record.folder, store, "late")
    assert content(rival) == content(record.folder)
    assert drafts(store) == []


def test_other_things_in_the_store_are_left_alone(store: Path):
    (store / "notes.txt").write_text("mine", "utf-8")
    (store / "Not A Model").mkdir()
    (store / "mpg" / "00009").mkdir()  # no record in it, but the number is taken
    (store / "mpg" / "000001").mkdir()
    (store / "mpg" / "12345.txt").touch()
    assert registry.names(store=store) == ["mpg"]
    assert registry.versions("mpg", store=store) == [1, 2, 9]
    assert registry.load("mpg", store=store).version == 2
    with pytest.raises(ValueError, match=r"record\.json is missing\. Bring it back from a copy"):
        registry.load("mpg", 9, store=store)
    assert register(store).version == 10


def test_a_record_that_was_changed_is_not_read(store: Path):
    folder = store / "mpg" / "00001"
    text = (folder / "record.json").read_text("utf-8")
    (folder / "record.json").write_text(text.replace('"epochs": 100', '"epochs": 900'), "utf-8")
    with pytest.raises(ValueError, match=r"record\.json is not as it was registered: .* Bring it"):
        registry.load("mpg", 1, store=store)
    (folder / "record.sha256").write_bytes(b"")
    with pytest.raises(ValueError, match=r"record\.sha256 does not hold its digest"):
        registry.load("mpg", 1, store=store)
    assert registry.load("mpg", 2, store=store).version == 2


def test_a_version_put_in_the_place_of_another_is_noticed(store: Path):
    shutil.rmtree(store / "mpg" / "00001")
    shutil.copytree(store / "mpg" / "00002", store / "mpg" / "00001")
    with pytest.raises(ValueError, match=r"record\.json is that of version 2 of mpg"):
        registry.load("mpg", 1, store=store)


def test_a_record_of_another_format_is_refused(store: Path, record: registry.Record):
    folder = store / "mpg" / "00001"
    text = json.dumps(record.document | {"format": 2})
    (folder / "record.json").write_text(text, "utf-8")
    (folder / "record.sha256").write_text(hashlib.sha256(text.encode()).hexdigest(), "utf-8")
    course = re.escape(record.document["code"]["course"])
    with pytest.raises(ValueError, match=f"of format 2, this .* format 1: read it with .*{course}"):
        registry.load("mpg", 1, store=store)
