"""The networks of the image and pets services are made once, from weights that are checked."""

import hashlib
import json
import os

import pytest

from course_utils.datasets import keras_cache, originals
from course_utils.inference import Predictor, models, shipped_model
from course_utils.training import pretrained
from tests.support.keras_host import FILES, MADE, NOWHERE, OWN_CACHE, PATHS, names, start_fetch
from tests.support.serving import wait_until

pytestmark = pytest.mark.thorough


def test_keras_own_files_are_taken_as_they_are(fetched):
    folder, sources = fetched
    assert names(folder) == FILES
    for name in PATHS:
        assert (folder / name).read_bytes() == (OWN_CACHE / name).read_bytes()
        assert sources[name] == "Keras' host"
    digest = "c2c37ea517e94d9795004a39431a14cb"  # that Keras' decode_predictions asks for
    assert hashlib.md5((folder / models.CLASS_INDEX).read_bytes()).hexdigest() == digest


def test_the_classifiers_keep_their_contracts(full):
    labels = {}
    for name in ("image", "pets"):
        path = shipped_model(name)
        labels[name] = json.loads(path.with_suffix(".labels.json").read_text("utf-8"))
        probabilities = Predictor.load(path).predict(originals.load_cat_photo())[0]
        assert probabilities.shape == (len(labels[name]),)
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert labels[name][probabilities.argmax()] in {"cat", "Egyptian_cat", "tabby", "tiger_cat"}
    assert len(labels["image"]) == 1000
    assert labels["pets"] == ["cat", "dog"]


# Keras' own warning, where it turns a variable into an array
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_new_head_makes_the_pets_classifier_anew(full, host, tmp_path):
    """As when a release of the course brings one. This one says the contrary, and is refused."""
    from course_utils.training.transfer import build_head

    head = build_head(1024, 2)
    head.load_weights(models.find_shipped_head())
    kernel, bias = head.get_weights()
    head.set_weights([kernel[:, ::-1], bias[::-1]])
    head.save_weights(tmp_path / models.HEAD_FILE)
    before = shipped_model("pets").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "find_shipped_head", lambda: tmp_path / models.HEAD_FILE)
        with pytest.raises(FileNotFoundError, match="Run `course fetch`"):
            shipped_model("pets")
        with pytest.raises(ValueError, match="takes a cat for a dog"):
            pretrained.fetch()
    assert shipped_model("pets").read_bytes() == before
    assert host.asked == []


def test_what_a_single_notebook_needs_comes_only_when_asked_for(full, host):
    (full / originals.CIFAR10).unlink()
    sources = pretrained.fetch()
    assert originals.CIFAR10 not in sources
    assert set(originals.SHARED) <= set(sources)
    (full / originals.CIFAR10).write_bytes(b"large")
    assert originals.CIFAR10 in pretrained.fetch(everything=True)
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


@pytest.mark.parametrize("name", [originals.MOBILENET, models.CLASS_INDEX, models.LABELS])
def test_a_changed_file_is_noticed_and_made_anew(full, host, name):
    before = (full / name).read_bytes()
    (full / name).write_bytes(before[:-1] + b"!")
    pretrained.fetch()
    assert (full / name).read_bytes() == before
    assert host.asked == ([PATHS[name]] if name in PATHS else [])


def test_what_was_there_before_is_left_as_it_is(full, host):
    """Keras or the user has put it there; it has to be what its name says."""
    (full / keras_cache.RECORD).unlink()
    sources = pretrained.fetch(everything=True)
    assert {sources[name] for name in FILES - MADE - {keras_cache.RECORD}} == {"was in the cache"}
    assert host.asked == []
    (full / keras_cache.RECORD).unlink()
    (full / originals.MOBILENET).write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"Keras cannot load it.*Delete it and run `course fetch`"):
        pretrained.fetch()


def test_killed_in_mid_download_it_leaves_no_half_file(full, host):
    (full / originals.MOBILENET).unlink()
    host.fault = "stalls"
    process = start_fetch(host.url)
    pattern = f"{keras_cache.SCRATCH}*/**/*"
    half = wait_until(lambda: [p for p in full.glob(pattern) if p.stat().st_size > 1e6])
    process.kill()
    process.communicate()
    assert half
    assert not (full / originals.MOBILENET).exists()
    host.fault = ""
    for folder in full.glob(f"{keras_cache.SCRATCH}*"):
        os.utime(folder, (0, 0))  # a day later
    pretrained.fetch()  # does not hang on the dead owner's lock
    assert names(full) == FILES
    assert shipped_model("image")


def test_of_two_at_once_one_works_and_both_succeed(full, host):
    (full / originals.MOBILENET).unlink()
    host.fault = "stalls"
    first = start_fetch(host.url)
    assert wait_until(lambda: host.asked)
    second = start_fetch(host.url)
    assert second.stdout.readline() == "waiting for another `course fetch`\n"
    host.go_on.set()
    first.communicate()
    second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert host.asked == [PATHS[originals.MOBILENET]]
    assert names(full) == FILES
