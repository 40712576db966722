"""``course export browser``, as it is typed."""

import json
import shutil
from pathlib import Path

import pytest

from course_utils.environment import data_folder
from course_utils.export import browser
from course_utils.export.parity import measure_size
from course_utils.inference import load_labels, shipped_model
from tests.support.command import course


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch) -> Path:
    """A learner's folder without models, and another folder to work in."""
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path / "home"


def export(*words: object, fails: bool = False) -> str:
    result = course("export", "browser", *words)
    assert bool(result.exit_code) == fails, result.output
    return result.stderr if fails else result.stdout


def read_about(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text("utf-8"))


def test_the_folder_lies_here_under_its_name_and_a_line_says_how_to_see_it():
    first, second = export("mpg").splitlines()
    assert first == f"Model: {shipped_model('mpg')}"
    size = measure_size("mpg") / 1e6
    assert second == (
        f"mpg: {size:.1f} MB. To see it: python -m http.server --directory mpg, and open "
        "http://localhost:8000"
    )
    fields = read_about(Path("mpg"))["fields"]
    assert fields[3]["description"] == "weight, in pounds (2.2 are a kilogram)"
    assert "Auto MPG (R. Quinlan, 1993" in Path("mpg/NOTICE").read_text("utf-8")


def test_a_single_file_opens_with_a_double_click():
    said = export("digit", "--single-file")
    assert said.endswith("MB. To see it: a double click opens it\n")
    assert [file.name for file in Path().iterdir()] == ["digit.html"]
    assert "MNIST (Y. LeCun" in Path("digit.html").read_text("utf-8")


@pytest.mark.parametrize("extra", [[], ["--single-file"]])
def test_what_is_there_is_replaced_only_when_asked_for(extra, tmp_path):
    place = tmp_path / "page.html"
    export("mpg", "--output", place, *extra)
    said = export("digit", "--output", place, *extra, fails=True)
    assert said == f"Error: {place} is there already; --overwrite replaces it.\n"
    before = measure_size(place)
    export("digit", "--output", place, "--overwrite", *extra)
    assert measure_size(place) > before + 50_000  # the other network is larger


def test_a_folder_of_something_else_is_never_replaced():
    Path("mpg").mkdir()
    Path("mpg/thesis.txt").write_text("mine")
    assert "no page of this course" in export("mpg", "--overwrite", fails=True)
    assert Path("mpg/thesis.txt").read_text() == "mine"


def test_the_learner_s_own_model_comes_first_and_its_licence_is_theirs(own_folder):
    own_folder.mkdir(exist_ok=True)
    own = own_folder / "digit.tflite"
    shutil.copyfile(shipped_model("digit"), own)
    assert export("digit").startswith(f"Model: {own}\n")
    notice = Path("digit/NOTICE").read_text("utf-8")
    assert "Network and labels are of whoever made this page" in notice


def test_photos_have_their_labels_and_all_that_is_owed_to_others():
    export("image")
    assert read_about(Path("image"))["labels"] == load_labels(shipped_model("image"))
    notice = Path("image/NOTICE").read_text("utf-8")
    assert "MobileNet v1" in notice
    assert "weights by Google, Apache-2.0" in notice
    licence = (data_folder() / "DATA.md").read_text("utf-8")
    licence = licence.partition("Licence of the names of ImageNet's classes\n")[2]
    assert licence.partition("\n## ")[0].strip() in notice


def test_pets_name_the_photos_that_the_head_has_seen():
    export("pets")
    assert read_about(Path("pets"))["labels"] == ["cat", "dog"]
    notice = Path("pets/NOTICE").read_text("utf-8")
    assert "MobileNet v1" in notice
    assert "CIFAR-10 (A. Krizhevsky" in notice


def test_what_cannot_be_done_is_said_in_a_line(monkeypatch, tmp_path):
    assert "Did you mean image?" in export("imag", fails=True)
    said = export("mpg", "--single-file", "--output", "mpg.htm", fails=True)
    assert said == "Error: mpg.htm: the name has to end in .html\n"
    assert "is not there" in export("mpg", "--output", tmp_path / "no" / "page", fails=True)
    monkeypatch.setattr(browser, "PAGE", tmp_path / "nowhere")
    assert "installed without its web pages" in export("mpg", fails=True)
