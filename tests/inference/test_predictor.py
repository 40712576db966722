"""Fast predictions equal slow ones, from many threads, and only from models one asked for."""

import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from course_utils.inference import Predictor, shipped_model, to_litert

ROWS = np.random.default_rng(0).uniform(-2, 2, (40, 3)).astype("float32")


@pytest.fixture(scope="module")
def network():
    from course_utils.environment import set_seeds

    set_seeds(7)
    from keras import Input, Sequential, layers

    scale = layers.Normalization()
    scale.adapt(ROWS)
    return Sequential([Input((3,)), scale, layers.Dense(16, activation="relu"), layers.Dense(2)])


@pytest.fixture(scope="module")
def expected(network):
    return network(ROWS).numpy()


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.tflite"])
def test_every_format_predicts_what_keras_predicts(network, expected, tmp_path, name, recwarn):
    path = tmp_path / name
    if name.endswith(".tflite"):
        path.write_bytes(to_litert(network))
    else:
        network.save(path)
    recwarn.clear()
    predictor = Predictor.load(path)
    assert predictor.input_shape == (3,)
    np.testing.assert_allclose(predictor.predict(ROWS), expected, atol=1e-5)
    for size in (1, 7, 1, 40):
        np.testing.assert_allclose(predictor.predict(ROWS[:size]), expected[:size], atol=1e-5)


def test_converting_prints_nothing(network, capfd):
    Predictor(to_litert(network))
    assert capfd.readouterr() == ("", "")


def test_many_threads_share_one_predictor(network, expected):
    predictor = Predictor(to_litert(network))

    def predict(position):
        return [predictor.predict(ROWS[position : position + 1])[0] for _ in range(50)]

    with ThreadPoolExecutor(16) as pool:
        for position, answers in enumerate(pool.map(predict, range(len(ROWS)))):
            assert np.abs(np.array(answers) - expected[position]).max() < 1e-5


def test_a_prediction_outlives_the_next_one(network, expected):
    predictor = Predictor(to_litert(network))
    first = predictor.predict(ROWS[:1])
    predictor.predict(ROWS[1:2])
    np.testing.assert_allclose(first, expected[:1], atol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 4), (1, 3, 1)])
def test_wrong_shapes_are_refused(network, shape):
    with pytest.raises(ValueError, match=r"examples of shape \(3,\)"):
        Predictor(to_litert(network)).predict(np.zeros(shape))


def test_only_the_file_with_the_digest_is_loaded():
    path = shipped_model("mpg")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Predictor.load(path, sha256=digest.upper()).input_shape == (7,)
    with pytest.raises(ValueError, match="SHA-256 differs"):
        Predictor.load(path, sha256="0" * 64)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_code_of_a_stranger_in_a_keras_file_is_refused(name, tmp_path, recwarn):
    import keras

    marker = tmp_path / "was-run"
    place = str(marker)
    harm = keras.layers.Lambda(lambda x: (Path(place).mkdir(exist_ok=True), x)[1])
    network = keras.Sequential([keras.Input((3,)), harm, keras.layers.Dense(1)])
    network.save(tmp_path / name)
    marker.rmdir()  # it ran while the network was built, too
    with pytest.raises(ValueError, match=rf"{name} carries Python code .* Nothing was loaded"):
        Predictor.load(tmp_path / name)
    assert not marker.exists()


class Hostile:
    """What a stranger could send: as it is loaded it makes a folder."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.mkdir, (self.marker,)


@pytest.mark.parametrize("name", ["net.tflite", "net.keras", "net.h5", "net.pkl", "net.PICKLE"])
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_under_any_name(name, protocol, tmp_path):
    path, marker = tmp_path / name, tmp_path / "was-run"
    path.write_bytes(pickle.dumps(Hostile(marker), protocol))
    with pytest.raises(ValueError, match=r"can run any code as it is loaded\. Nothing was loaded"):
        Predictor.load(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists()  # or this test would prove nothing


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="is not a model: the file begins"):
        Predictor.load(path)
    with pytest.raises(ValueError, match=r"expected one of \.tflite"):
        Predictor.load(path.rename(tmp_path / "model.bin"))
    with pytest.raises(FileNotFoundError):
        Predictor.load(tmp_path / "missing.tflite")
