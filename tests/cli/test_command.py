"""The command ``course`` as a person uses it, in processes of its own where that matters."""

import json
import os
import shutil
import socket
import subprocess
import sys

import nbformat
import pytest
import requests
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook

from course_utils import datasets
from course_utils.cli import main
from course_utils.datasets import keras_cache, loaders, originals
from course_utils.environment import data_folder
from course_utils.inference import FeatureSchema
from course_utils.inference.models import CLASSIFIER
from tests.support.serving import serving


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *args: CliRunner().invoke(main, args)


def write_notebook(folder, name, *sources):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    nbformat.write(notebook, folder / name)


def test_fetch_finds_all_data_unchanged(course):
    result = course("fetch")
    assert result.exit_code == 0
    assert f"All {len(datasets.read_digests())} data files" in result.output


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


def test_fetch_with_no_source_at_all_says_what_was_tried(course, tmp_path, monkeypatch):
    nowhere = "http://127.0.0.1:9/"  # nothing listens on the port of "discard"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", nowhere)
    monkeypatch.setenv("https_proxy", nowhere)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", nowhere)
    result = course("fetch")
    assert result.exit_code == 1
    assert "imagenet_class_index.json could be had from nowhere" in result.output
    assert "Keras' host: the connection failed" in result.output
    assert "pip:timm==1.0.31: no connection" in result.output
    assert "run `course fetch` again" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_fetch_names_the_file_that_is_damaged(course, tmp_path, monkeypatch, damage):
    copy = shutil.copytree(data_folder(), tmp_path / "data")
    monkeypatch.setattr(loaders, "data_folder", lambda: copy)
    victim = copy / "auto-mpg.csv"
    victim.write_text("nothing") if damage == "changed" else victim.unlink()
    result = course("fetch")
    assert result.exit_code == 1
    assert "auto-mpg.csv" in result.output
    assert "Traceback" not in result.output


def test_doctor_for_people_and_for_machines(course):
    assert "tensorflow" in course("doctor").output
    report = json.loads(course("doctor", "--json").output)
    assert report["python"] == ".".join(map(str, sys.version_info[:3]))


def test_serve_refuses_a_busy_port_with_advice(course):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = course("serve", "hello", "--port", str(port))
    assert result.exit_code == 1
    assert f"Port {port} is in use" in result.output


@pytest.mark.parametrize(
    ("name", "model", "code", "said"),
    [
        ("hello", "x.tflite", 2, "no model"),
        ("mpg", "x.tflite", 1, "x.schema.json"),
        pytest.param(
            "mpg", "mpg.keras", 1, "not a model that Keras can load", marks=pytest.mark.thorough
        ),
    ],
)
def test_serve_says_what_is_wrong_with_a_model(course, tmp_path, name, model, code, said):
    (tmp_path / model).write_bytes(b"x")
    shutil.copy(data_folder() / "models" / "mpg.schema.json", tmp_path)
    result = course("serve", name, "--model", str(tmp_path / model))
    assert result.exit_code == code
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.thorough
def test_serve_takes_a_keras_file(tmp_path):
    """Two workers, started after the conversion, answer what Keras itself predicts."""
    make = """
import keras, numpy as np, sys
model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(1)])
model.save(sys.argv[1])
print(float(model(np.array([[float(v) for v in sys.argv[2:]]], dtype="float32"))[0, 0]))
"""
    car = [8, 307.0, 130.0, 3504.0, 12.0, 70, 1]
    command = [sys.executable, "-c", make, str(tmp_path / "mine.keras"), *map(str, car)]
    expected = float(subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL))
    shutil.copy(data_folder() / "models" / "mpg.schema.json", tmp_path / "mine.schema.json")
    with serving("mpg", workers=2, model=tmp_path / "mine.keras") as served:
        body = dict(zip(FeatureSchema.load(tmp_path / "mine.schema.json").names, car, strict=True))
        answer = requests.post(f"{served.url}/api/mpg", json=body, timeout=60)
    assert answer.json()["mpg"] == pytest.approx(expected, rel=1e-5)


def test_run_executes_in_order_and_saves_on_demand(course, tmp_path):
    write_notebook(tmp_path, "00_a.ipynb", "print('one')", "print('two')")
    write_notebook(tmp_path, "01_b.ipynb", "print('not asked for')")
    result = course("run", "0", "--folder", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "00_a" in result.output
    assert "01_b" not in result.output
    assert not nbformat.read(tmp_path / "00_a.ipynb", 4).cells[0].outputs
    assert course("run", "00", "--save", "--folder", str(tmp_path)).exit_code == 0
    cells = nbformat.read(tmp_path / "00_a.ipynb", 4).cells
    assert [cell.outputs[0].text for cell in cells] == ["one\n", "two\n"]
    assert [cell.execution_count for cell in cells] == [1, 2]


def test_run_goes_on_after_a_failure_and_says_so(course, tmp_path):
    write_notebook(tmp_path, "00_bad.ipynb", "1 / 0")
    write_notebook(tmp_path, "01_good.ipynb", "1 + 1")
    result = course("run", "--folder", str(tmp_path))
    assert result.exit_code == 1
    assert "ZeroDivisionError: division by zero" in result.output
    table = result.output[result.output.index("notebook") :]
    assert "failed" in table[table.index("00_bad") : table.index("01_good")]
    assert "passed" in table[table.index("01_good") :]


def test_run_names_the_notebooks_there_are(course, tmp_path):
    write_notebook(tmp_path, "00_a.ipynb", "1")
    result = course("run", "7", "--folder", str(tmp_path))
    assert result.exit_code == 2
    assert "no notebook 07" in result.output
    assert "there are: 00" in result.output


def test_lab_opens_jupyterlab_on_the_folder(tmp_path):
    """JupyterLab itself starts, and its own settings are passed through."""
    options = ["lab", "--folder", str(tmp_path), "--version"]
    command = [sys.executable, "-m", "course_utils.cli", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()[0].isdigit()
