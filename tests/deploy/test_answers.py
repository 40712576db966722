"""The same 1,000 cars get the same answers, whatever server stands around the network."""

import os
import subprocess
import sys

import numpy as np
import pytest
import requests

from course_utils.inference import Predictor
from course_utils.serving import launch
from deploy.tensorflow_serving import ask, export
from tests.support.cars import cars
from tests.support.serving import MODEL, ROOT, free_port, running, serving, wait_until
from tests.support.standins import tensorflow_serving

pytestmark = pytest.mark.thorough

CARS = cars(1_000, seed=1)
ROWS = np.array([[*car.values()] for car in CARS], np.float32)
posix = pytest.mark.skipif(os.name == "nt", reason="gunicorn and this Apache are for Unix")


@pytest.fixture(scope="module")
def network():
    return export.shipped_network()


@pytest.fixture(scope="module")
def right(network):
    """What Keras says, through the weights in data/models."""
    return network(ROWS, training=False).numpy()[:, 0].astype(float)


@pytest.fixture(scope="module")
def versions(network, tmp_path_factory):
    """The folder of versions that TensorFlow Serving would watch."""
    folder = tmp_path_factory.mktemp("models")
    return export.write_next_version(network, folder).parent


def assert_the_same(answers, right):
    assert len({*answers}) > 900, "almost the same answer to all cars"
    np.testing.assert_allclose(answers, right, rtol=1e-5, atol=0)


def logged(served):
    """How many cars are in the server's own log, each by an id of its own."""
    return len({line["request_id"] for line in served.log() if line["path"] == "/api/mpg"})


def test_the_network_itself_in_one_batch(right):
    assert_the_same(Predictor.load(MODEL).predict(ROWS)[:, 0], right)


def test_flasks_own_server_behind_a_cell(right):
    from course_utils.services.mpg import create_app

    with launch(create_app(MODEL), port=free_port()) as server:
        assert_the_same(ask.ask_service(server.url, CARS), right)


def test_granian(right):
    with serving("mpg", workers=2) as served:
        assert_the_same(ask.ask_service(served.url, CARS), right)


@posix
@pytest.mark.parametrize("server", ["gunicorn", pytest.param("apache", marks=pytest.mark.registry)])
def test_the_servers_of_deploy(server, right, request):
    if server == "apache":
        request.getfixturevalue("apache")  # or it is said what is missing
    with running([sys.executable, "-m", "tests.support.servers", server], workers=2) as served:
        assert_the_same(ask.ask_service(served.url, CARS), right)
        assert wait_until(lambda: logged(served) == len(CARS)), logged(served)


def test_tensorflow_servings_stand_in_and_our_service_by_ask(versions, right):
    with serving("mpg") as ours, launch(tensorflow_serving.create_app(versions)) as theirs:
        state = requests.get(f"{theirs.url}/v1/models/mpg", timeout=60).json()
        assert state["model_version_status"][0]["version"] == "1"
        assert_the_same(ask.ask_serving(theirs.url, ROWS.tolist()), right)
        command = [sys.executable, "-m", "deploy.tensorflow_serving.ask"]
        options = ["--serving", theirs.url, "--service", ours.url]
        done = subprocess.run(
            [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("1,000 cars, answers at most ")


def test_ask_notices_another_network(versions, network, tmp_path):
    import keras

    other = keras.models.clone_model(network)
    other.set_weights([each * 1.0001 for each in network.get_weights()])
    export.write_next_version(other, tmp_path)
    with (
        serving("mpg") as ours,
        launch(tensorflow_serving.create_app(tmp_path / "mpg")) as theirs,
        pytest.raises(SystemExit, match="do not compute the same"),
    ):
        ask.main(["--serving", theirs.url, "--service", ours.url, "--rows", "20"])


def test_ask_says_who_does_not_answer_and_what_was_refused(versions):
    nobody = f"http://127.0.0.1:{free_port()}"
    with launch(tensorflow_serving.create_app(versions)) as theirs:
        with pytest.raises(SystemExit, match=r"TensorFlow Serving does not run there.*README\.md"):
            ask.main(["--serving", nobody, "--rows", "2"])
        with pytest.raises(SystemExit, match="our service does not run there"):
            ask.main(["--serving", theirs.url, "--service", nobody, "--rows", "2"])
        with pytest.raises(SystemExit, match="TensorFlow Serving refused with 400"):
            ask.ask_serving(theirs.url, [[1.0, 2.0]])


def test_export_writes_the_next_version(versions, right, capsys):
    export.main(["--folder", str(versions.parent)])
    assert capsys.readouterr().out.splitlines()[-1] == f"{versions / '2'} is written."
    with launch(tensorflow_serving.create_app(versions)) as theirs:
        state = requests.get(f"{theirs.url}/v1/models/mpg", timeout=60).json()
        assert state["model_version_status"][0]["version"] == "2"
        assert_the_same(ask.ask_serving(theirs.url, ROWS.tolist()), right)


def test_who_is_first_keeps_the_version(network, tmp_path, monkeypatch):
    """Somebody else publishes it while this one is being written."""
    path = tmp_path / "mpg" / "1"

    def publish_another(network):
        path.mkdir(parents=True)
        (path / "saved_model.pb").write_bytes(b"another")

    monkeypatch.setattr(export.tracing, "check_network", publish_another)
    with pytest.raises(OSError, match="not empty"):
        export.write_next_version(network, tmp_path)
    assert (path / "saved_model.pb").read_bytes() == b"another"
    assert [each.name for each in path.parent.iterdir()] == ["1"]
