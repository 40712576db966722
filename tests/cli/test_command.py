"""The command ``course`` as a person uses it, in processes of its own where that matters."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_utils import datasets
from course_utils.cli import machine
from course_utils.common import notebooks
from course_utils.datasets import keras_cache, loaders, originals
from course_utils.environment import data_folder
from course_utils.inference.models import CLASSIFIER
from tests.support import ROOT
from tests.support.command import course
from tests.support.serving import free_port


def write_notebook(folder, name, *sources):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    nbformat.write(notebook, folder / name)


def test_fetch_finds_all_data_unchanged():
    result = course("fetch")
    assert result.exit_code == 0
    assert f"All {len(datasets.read_digests())} data files" in result.output


@pytest.mark.parametrize(
    ("missing", "code", "said"),
    [
        ([], 0, "cifar10.npz"),
        (["click"], 0, "installing click"),
        (["click==0.0"], 1, "pip could not install"),
    ],
)
def test_fetch_all_installs_what_notebooks_lack(monkeypatch, missing, code, said):
    """By the real pip, which has no index here: what is installed already is all it can have."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setattr(machine, "list_missing", lambda *extras: missing)
    result = course("fetch", "all")
    assert result.exit_code == code
    assert said in result.output
    assert "installing" not in course("fetch").output


@pytest.mark.thorough
def test_fetch_makes_what_is_missing_and_is_quiet_about_it(tmp_path):
    """In a process of its own: TensorFlow's noise would come from C++."""
    models = shutil.copytree(keras_cache.cache_folder(), tmp_path / "models")
    (models / CLASSIFIER).unlink()
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "COLUMNS": "200"}
    command = [sys.executable, "-m", "course_utils.cli", "fetch"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"making {CLASSIFIER}" in done.stdout
    assert f"{CLASSIFIER}: made from {originals.MOBILENET}" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    assert "making" not in again.stdout
    assert str(models) in again.stdout


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_fetch_names_the_file_that_is_damaged(tmp_path, monkeypatch, damage):
    copy = shutil.copytree(data_folder(), tmp_path / "data")
    monkeypatch.setattr(loaders, "data_folder", lambda: copy)
    victim = copy / "auto-mpg.csv"
    victim.write_text("nothing") if damage == "changed" else victim.unlink()
    result = course("fetch")
    assert result.exit_code == 1
    assert "auto-mpg.csv" in result.output
    assert "Traceback" not in result.output


def test_doctor_shows_versions():
    output = course("doctor").output
    assert "tensorflow" in output
    assert ".".join(map(str, sys.version_info[:3])) in output


@pytest.mark.parametrize(
    ("name", "model", "code", "said"),
    [
        ("hello", "x.tflite", 2, "no model"),
        ("mpg", "x.tflite", 1, "x.schema.json"),
        pytest.param("mpg", "mpg.keras", 1, "mpg.keras is not a model", marks=pytest.mark.thorough),
    ],
)
def test_serve_says_what_is_wrong_with_a_model(tmp_path, name, model, code, said):
    (tmp_path / model).write_bytes(b"x")
    shutil.copy(data_folder() / "models" / "mpg.schema.json", tmp_path)
    result = course("serve", name, "--model", tmp_path / model, "--port", free_port())
    assert result.exit_code == code
    assert said in result.output
    assert "Traceback" not in result.output


def test_run_executes_in_order_and_saves_on_demand(tmp_path):
    write_notebook(tmp_path, "00_a.ipynb", "print('one')", "print('two')")
    write_notebook(tmp_path, "01_b.ipynb", "print('not asked for')")
    result = course("run", "0", "--folder", tmp_path)
    assert result.exit_code == 0, result.output
    assert "00_a" in result.output
    assert "01_b" not in result.output
    assert not nbformat.read(tmp_path / "00_a.ipynb", 4).cells[0].outputs
    assert course("run", "00", "--save", "--folder", tmp_path).exit_code == 0
    cells = nbformat.read(tmp_path / "00_a.ipynb", 4).cells
    assert [cell.outputs[0].text for cell in cells] == ["one\n", "two\n"]
    assert [cell.execution_count for cell in cells] == [1, 2]


def test_run_goes_on_after_a_failure_and_says_so(tmp_path):
    write_notebook(tmp_path, "00_bad.ipynb", "1 / 0")
    write_notebook(tmp_path, "01_good.ipynb", "1 + 1")
    result = course("run", "--folder", tmp_path)
    assert result.exit_code == 1
    assert "ZeroDivisionError: division by zero" in result.output
    table = result.output[result.output.index("notebook") :]
    assert "failed" in table[table.index("00_bad") : table.index("01_good")]
    assert "passed" in table[table.index("01_good") :]


@pytest.mark.parametrize("name", ["7", "mgp", "02_mpg"])
def test_run_names_the_notebooks_there_are(tmp_path, name):
    write_notebook(tmp_path, "00_a.ipynb", "1")
    result = course("run", name, "--folder", tmp_path)
    assert result.exit_code == 2
    assert f"no notebook {name} in" in result.output
    assert "there are: 00_a" in result.output


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("mpg", "02"),
        ("MPG_client", "03"),
        ("notebooks/07_drift.ipynb", "07"),
        ("digit", "09"),
        ("1", "01"),
    ],
)
def test_run_finds_a_notebook_by_a_part_of_its_name(name, number):
    (path,) = notebooks.find(ROOT / "notebooks", (name,))
    assert path.name.startswith(number)


def test_lab_opens_jupyterlab_on_the_folder(tmp_path):
    """JupyterLab itself starts, and its own settings are passed through."""
    write_notebook(tmp_path, "00_start_here.ipynb", "1")
    options = ["lab", "--folder", str(tmp_path), "--version"]
    command = [sys.executable, "-m", "course_utils.cli", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()[0].isdigit()
