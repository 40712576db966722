"""Where the code runs, quickly and quietly."""

import os
import subprocess
import sys

import pytest

from course_utils import environment


def in_new_python(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def test_importing_the_library_loads_neither_tensorflow_nor_flask():
    code = "import sys, course_utils; print([m for m in sys.modules if m.split('.')[0] in %r])"
    heavy = {"tensorflow", "keras", "flask", "numpy", "pandas", "pydantic", "ai_edge_litert"}
    assert in_new_python(code % heavy).stdout.strip() == "[]"


@pytest.mark.thorough
def test_seeds_make_training_repeatable_and_starting_is_silent():
    code = """
from course_utils.environment import set_seeds
set_seeds(3)
import keras, numpy as np
x = np.arange(40.0).reshape(20, 2)
model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
model.compile("adam", "mean_squared_error")
print(model.fit(x, x[:, :1], epochs=2, verbose=0).history["loss"])
"""
    first, second = in_new_python(code), in_new_python(code)
    assert first.stdout == second.stdout
    assert first.stderr == ""


def test_missing_data_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "PACKAGE_FOLDER", tmp_path / "package")
    with pytest.raises(FileNotFoundError, match="install the course again"):
        environment.data_folder()


def test_output_folder_is_where_the_learner_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "mine"))
    assert environment.output_folder() == tmp_path / "mine"
    assert (tmp_path / "mine").is_dir()
    monkeypatch.delenv("COURSE_HOME")
    monkeypatch.setattr(environment.Path, "home", lambda: tmp_path)
    assert environment.output_folder() == tmp_path / "networks-at-work"


def test_native_noise_is_dropped_and_comes_back(capfd):
    with environment.quiet_native_stderr():
        os.write(2, b"noise")
    os.write(2, b"news")
    assert capfd.readouterr().err == "news"


def test_what_is_started_beside_a_notebook_shares_a_gpu(monkeypatch):
    """No GPU is needed to see what TensorFlow is told; the learner's own choice stays."""
    code = "import course_utils, os; print(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])"
    monkeypatch.delenv(environment.GPU_GROWTH_VARIABLE, raising=False)
    assert in_new_python(code).stdout == "true\n"
    monkeypatch.setenv(environment.GPU_GROWTH_VARIABLE, "false")
    assert in_new_python(code).stdout == "false\n"


@pytest.mark.parametrize(
    ("growth", "memory"), [("true", "as needed"), ("false", "set TF_FORCE_GPU_ALLOW_GROWTH=true")]
)
def test_doctor_says_what_each_process_sees_of_a_gpu(monkeypatch, growth, memory):
    monkeypatch.setenv(environment.GPU_GROWTH_VARIABLE, growth)
    report = environment.doctor()
    assert memory in report["gpu for notebooks and training"]
    assert report["gpu for services"].startswith("none")


def test_doctor_names_what_matters_and_no_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("NGROK_AUTHTOKEN", "a-secret-token")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    report = environment.doctor()
    assert report["NGROK_AUTHTOKEN"] == "set"
    assert "a-secret-token" not in str(report)
    for name in ("tensorflow", "keras", "flask", "flask-ngrok", "granian", "pillow", "requests"):
        assert report[name][0].isdigit(), name
    assert report["your files"] == str(tmp_path)


def test_doctor_says_where_it_runs_and_what_is_not_installed(monkeypatch):
    needed = ["surely-not-installed>=2", "nor-this; extra == 'drift'"]
    monkeypatch.setattr(environment, "_read_requirements", lambda: needed)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    report = environment.doctor()
    assert (report["running in"], report["surely-not-installed"]) == ("script", "not installed")
    assert "nor-this" not in report
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    assert environment.doctor()["running in"] == "jupyter"
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert environment.doctor()["running in"] == "colab"


def test_what_an_extra_lacks_is_listed_as_pip_installs_it(monkeypatch):
    needed = [
        "click>=8",
        "nowhere[all]>=2; (sys_platform != 'none') and extra == 'drift'",
        "nowhere[all]>=2; extra == 'phone'",
        "other-system; (sys_platform == 'none') and extra == 'phone'",
        "absent; extra == 'phone'",
        "flask; extra == 'phone'",
        "elsewhere; extra == 'test'",
    ]
    monkeypatch.setattr(environment, "_read_requirements", lambda: needed)
    assert environment.list_missing() == []
    assert environment.list_missing("drift") == ["nowhere[all]>=2"]
    assert environment.list_missing("drift", "phone") == ["nowhere[all]>=2", "absent"]
    monkeypatch.setattr(environment, "_find_version", lambda package: "1")
    assert environment.list_missing("drift", "phone") == []
