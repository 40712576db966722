"""What `course serve` costs while nobody asks it, and what a worker of it has logged at its end."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from course_utils.inference import schema_path, shipped_model
from course_utils.serving import production
from tests.support.serving import free_port, serving, wait_until

# What a worker cannot do without. How much memory these take depends on the machine: 70 to 80 MB.
NEEDED = "ai_edge_litert.interpreter, filelock, flask, granian, jiter, numpy, prometheus_client"


def measure_bare_process() -> int:
    """Bytes that a process takes which has imported what a worker needs, and does nothing."""
    program = f"import psutil, {NEEDED}; print(psutil.Process().memory_info().rss)"
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory differently")
def test_an_idle_worker_of_mpg_is_small(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)  # coverage would measure in the worker, and take memory there
    with serving("mpg") as served:
        workers = psutil.Process(served.process.pid).children()
        largest = max(worker.memory_info().rss for worker in workers)
    assert largest <= 1.15 * measure_bare_process()


def read_visible_gpus(model: Path) -> bytes:
    return os.environ["CUDA_VISIBLE_DEVICES"].encode()


def test_a_model_is_converted_without_the_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A notebook beside it may have taken all of its memory."""
    monkeypatch.setattr(production, "keras_to_litert", read_visible_gpus)
    made = production._convert_to_litert("digit", tmp_path / "own.keras", tmp_path)
    assert made.read_bytes() == b"-1"
    assert os.environ.get("CUDA_VISIBLE_DEVICES") != "-1"


WORKER = """
import os
from course_utils.serving.production import LogWriter
draining = False
write_line = LogWriter(lambda: draining)
write_line("collected")
draining = True
write_line("written at once")
os._exit(9)  # as a worker ends that is killed: nothing more runs
"""


def test_a_worker_killed_while_it_stops_has_written_its_log():
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True)
    assert done.returncode == 9
    assert done.stdout.split("\n") == ["collected", "written at once", ""]


def start_keras_service(folder, *reading):
    """Start ``course serve mpg`` with a Keras file of a network that begins with some layers."""
    import keras

    network = keras.Sequential([keras.Input((7,)), *reading, keras.layers.Dense(1)])
    network.save(folder / "mpg.keras")
    shutil.copy(schema_path(shipped_model("mpg")), folder)
    command = [sys.executable, "-m", "course_utils.cli", "serve", "mpg"]
    command += ["--model", str(folder / "mpg.keras"), "--port", str(free_port())]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.thorough
def test_a_keras_file_that_cannot_be_converted_is_one_sentence(tmp_path, recwarn):
    from keras import layers

    memory = [layers.Reshape((7, 1)), layers.LSTM(3, name="memory")]
    process = start_keras_service(tmp_path, *memory)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert (
        "Error: mpg.keras cannot be served: The layer 'memory' uses the operation TensorListReserve"
        in said
    )
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 4  # the first two say which model, and where


@pytest.mark.thorough
def test_a_conversion_that_is_killed_is_one_sentence(tmp_path, recwarn):
    process = start_keras_service(tmp_path)

    def find_converters():
        assert process.poll() is None, process.stderr.read()
        with contextlib.suppress(psutil.NoSuchProcess):  # a child has ended meanwhile
            children = psutil.Process(process.pid).children()
            return [each for each in children if "spawn_main" in " ".join(each.cmdline())]

    wait_until(find_converters)[0].kill()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Error: mpg.keras: the process that converted it to LiteRT was killed." in said
    assert "Traceback" not in said
