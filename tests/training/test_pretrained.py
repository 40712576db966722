"""The networks of the image and pets services are made once, from weights that are checked."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from course_utils.datasets import keras_cache, originals
from course_utils.inference import Predictor, models, shipped_model
from course_utils.training import pretrained
from tests.support import ROOT
from tests.support.keras_host import FILES, NOWHERE, OWN_CACHE, PATHS, names, start_fetch
from tests.support.serving import wait_until

pytestmark = pytest.mark.thorough

OFFLINE_SCRIPT = ROOT / "tests" / "support" / "offline.py"
OFFLINE = [sys.executable, str(OFFLINE_SCRIPT)] if sys.platform == "linux" else []
# Keras' own, where it turns a variable into an array
SAVES_H5 = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_keras_own_files_are_taken_as_they_are(fetched, keras_files):
    folder, sources = fetched
    assert names(folder) == FILES
    for name, path in PATHS.items():
        assert (folder / name).read_bytes() == keras_files[path]
        assert sources[name] == "Keras' host"


def test_the_image_classifier_keeps_its_contract(full):
    path = shipped_model("image")
    labels = json.loads(path.with_suffix(".labels.json").read_text("utf-8"))
    assert len(labels) == 1000
    probabilities = Predictor.load(path).predict(originals.cat())[0]
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert labels[int(probabilities.argmax())] in {"Egyptian_cat", "tabby", "tiger_cat"}


def test_the_pets_classifier_keeps_its_contract(full):
    path = shipped_model("pets")
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
    head.load_weights(models.shipped_head())
    kernel, bias = head.get_weights()
    head.set_weights([kernel[:, ::-1], bias[::-1]])
    head.save_weights(tmp_path / models.HEAD)
    before = Predictor.load(shipped_model("pets")).predict(originals.cat())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "shipped_head", lambda: tmp_path / models.HEAD)
        with pytest.raises(FileNotFoundError, match="Run `course fetch`"):
            shipped_model("pets")
        with pytest.raises(ValueError, match="takes a cat for a dog"):
            pretrained.fetch(host=host.url)
    after = Predictor.load(shipped_model("pets")).predict(originals.cat())
    assert (before == after).all()
    assert host.asked == []


@pytest.mark.parametrize("name", ["image", "pets"])
def test_without_the_weights_the_message_says_what_to_do(cache, name):
    with pytest.raises(FileNotFoundError, match="Run `course fetch`"):
        shipped_model(name)


def test_a_changed_classifier_is_not_handed_out(full):
    with (full / models.CLASSIFIER).open("r+b") as file:
        file.write(b"!")
    with pytest.raises(FileNotFoundError, match="changed there"):
        shipped_model("image")


def test_a_full_cache_asks_nobody_and_loads_no_tensorflow(full):
    check = start_fetch(NOWHERE, "import atexit, sys\natexit.register(lambda: print(*sys.modules))")
    steps = check.communicate()[0].splitlines()
    assert check.returncode == 0
    assert len(steps) == 1
    assert not {"tensorflow", "keras", "requests"} & set(steps[0].split())


@pytest.mark.parametrize(
    "name", sorted(FILES - {keras_cache.RECORD, models.CLASSIFIER, models.PETS, originals.CIFAR10})
)
def test_a_changed_file_is_noticed_and_made_anew(full, host, name):
    before = (full / name).read_bytes()
    (full / name).write_bytes(before[:-1] + b"!")
    pretrained.fetch(host=host.url)
    assert (full / name).read_bytes() == before
    assert host.asked == ([PATHS[name]] if name in PATHS else [])


@pytest.mark.parametrize("record", ["{", "[]", '{"x": 1}'])
def test_a_broken_record_vouches_for_nothing(full, record):
    (full / keras_cache.RECORD).write_text(record)
    with pytest.raises(FileNotFoundError, match="Run `course fetch`"):
        shipped_model("image")


def test_files_that_keras_or_the_user_put_there_are_accepted(cache, fetched):
    """Nothing is fetched: the originals prove good, the rest is made from them."""
    cache.mkdir(parents=True)
    brought = {original.name for original in originals.ORIGINALS}
    for name in brought:
        shutil.copy(fetched[0] / name, cache)
    sources = pretrained.fetch(host=NOWHERE)
    assert {sources[name] for name in brought} == {"was in the cache"}
    assert shipped_model("image") == cache / models.CLASSIFIER


def test_killed_in_mid_download_it_leaves_no_half_file(full, host):
    (full / originals.MOBILENET).unlink()
    host.fault = "stalls"
    process = start_fetch(host.url)
    part = full / "networks-at-work.part"
    half = wait_until(lambda: [p for p in part.rglob("*.h5") if p.stat().st_size > 1e6])
    process.kill()
    process.communicate()
    assert half
    assert not (full / originals.MOBILENET).exists()
    host.fault = ""
    pretrained.fetch(host=host.url)  # does not hang on the dead owner's lock
    assert names(full) == FILES
    assert shipped_model("image")


def test_of_two_at_once_one_works_and_both_succeed(full, host):
    (full / originals.CLASS_INDEX).unlink()
    host.fault = "stalls"
    first = start_fetch(host.url)
    assert wait_until(lambda: host.asked)
    second = start_fetch(host.url)
    assert second.stdout.readline() == "waiting for another `course fetch`\n"
    host.go_on.set()
    first.communicate()
    second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert host.asked == [PATHS[originals.CLASS_INDEX]]
    assert names(full) == FILES


STOCK = """
import json, sys
import course_utils
from course_utils.datasets import keras_cache, originals
from course_utils.environment import quiet_native_stderr
with quiet_native_stderr():
    import keras
    from course_utils.inference import Predictor, models, shipped_model
    from keras.applications.mobilenet import MobileNet, decode_predictions, preprocess_input
    import numpy as np
    model = MobileNet(weights="imagenet")
    noise = np.random.default_rng(5).uniform(0, 255, (2, 224, 224, 3)).astype("float32")
    batch = np.concatenate([originals.cat(), noise])
    keras_says = model.predict(preprocess_input(batch.copy()), verbose=0)
    top = decode_predictions(keras_says[:1])[0]
litert_says = Predictor.load(shipped_model("image")).predict(batch)
labels = json.loads((keras_cache.cache_folder() / models.LABELS).read_text("utf-8"))
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
