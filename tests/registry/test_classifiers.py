"""A classifier is registered, verified, compared and trained again as mpg is."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics

from course_utils import registry
from course_utils.inference import Predictor
from course_utils.registry import canary
from tests.support.classifiers import (
    COLOURS,
    SPECIES,
    load_flowers,
    make_colours,
    make_iris,
    paint,
)
from tests.support.command import course

FLOWERS = load_flowers()
FEATURES = list(FLOWERS)[:4]
# One flower in two is measured in centimetres, the later ones in inches.
OLD = FLOWERS.iloc[::2]
NEW = FLOWERS.iloc[1::2].assign(**{name: FLOWERS[name] / 2.54 for name in FEATURES})


@pytest.fixture(scope="session")
def irises(tmp_path_factory: Any) -> Path:
    """A store with a version that a learner has trained by a file of their own."""
    folder = tmp_path_factory.mktemp("irises")
    files = make_iris(folder, OLD)
    registry.register("iris", files, training=OLD, testing=NEW, store=folder / "store")
    registry.promote("iris", 1, store=folder / "store")
    return Path(folder / "store")


@pytest.fixture(scope="session")
def colours(tmp_path_factory: Any) -> tuple[Path, pd.DataFrame]:
    """A store with two versions that classify photos, and photos that they have not seen."""
    folder = tmp_path_factory.mktemp("colours")
    training, testing = paint(folder / "old"), paint(folder / "new", each=6, seed=1)
    for steepness in (0.02, -0.02):  # the second names the weakest colour
        files = make_colours(folder / "files", steepness)
        registry.register(
            "colours", files, training=training, testing=testing, store=folder / "store"
        )
    registry.promote("colours", 1, store=folder / "store")
    return folder / "store", testing


# Rows of numbers


def test_the_scores_of_a_classifier_are_those_of_scikit_learn(irises: Path):
    version = registry.load("iris", 1, store=irises)
    answers = Predictor.load(version.model).predict(NEW[FEATURES].to_numpy())
    said = np.array(SPECIES)[answers.argmax(axis=1)]
    document = version.document
    assert document["model"]["classes"] == SPECIES
    assert document["metrics"]["computed"] == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(NEW["species"], said),
            "balanced_accuracy": metrics.balanced_accuracy_score(NEW["species"], said),
            "log_loss": metrics.log_loss(NEW["species"], answers / answers.sum(1, keepdims=True)),
        },
        abs=1e-5,
    )
    seen = [name for name in SPECIES if name in {*said, *NEW["species"]}]
    counts = metrics.confusion_matrix(NEW["species"], said, labels=seen)
    assert document["confusions"] == {"labels": seen, "counts": counts.tolist()}
    ranked = document["importance"]["features"]
    assert {entry["name"] for entry in ranked} == set(FEATURES)
    assert ranked == sorted(ranked, key=lambda entry: -entry["mean"])
    spread = document["distributions"]["species"]["training"]
    assert spread == {
        **{"count": len(OLD), "missing": 0},
        "classes": OLD["species"].value_counts().to_dict(),
    }


def test_a_classifier_is_verified_and_has_a_card(irises: Path):
    version = registry.load("iris", 1, store=irises)
    found = registry.verify(version)
    assert (found.rows, found.difference) == (20, pytest.approx(0, abs=1e-6))
    assert len(version.document["golden"]["rows"][0]["prediction"]) == 3
    card = registry.render_card(version)
    assert f"| virginica | {(OLD['species'] == 'virginica').sum()} |" in card
    assert "| accuracy |" in card
    assert "share of wrong answers" in card
    assert [chart["file"] for chart in version.document["charts"]] == [
        *("confusions.png", "ranking.png", "distributions.png")
    ]
    assert "accuracy" in course("models", "list", "--store", irises).stdout


@pytest.fixture(scope="session")
def trained(irises: Path, tmp_path_factory: Any) -> tuple[Path, Any]:
    """The store after `course retrain` on flowers that the first version has not seen."""
    folder = tmp_path_factory.mktemp("trained")
    store = Path(shutil.copytree(irises, folder / "store"))
    NEW.to_csv(folder / "new.csv", index=False)
    told = course("retrain", "iris", "--rows", folder / "new.csv", "--store", store, "--json")
    return store, told


def test_a_learners_own_training_runs_again_and_the_better_version_is_served(trained: Any):
    store, told = trained
    assert told.exit_code == 4, told.output
    found = json.loads(told.stdout)
    assert (found["verdict"], found["served"], found["candidate"]) == ("promoted", 1, 2)
    errors = found["comparison"]["errors"]
    served, candidate = errors["scores"]["error rate"]
    assert errors["metric"] == "error rate"
    assert candidate < served
    version = registry.load("iris", 2, store=store)
    registry.verify(version)
    assert registry.find_served("iris", store=store) == 2
    kept = {path.name for path in version.model.parent.iterdir()}
    assert {"train_iris.py", "training.csv", "testing.csv"} <= kept


def test_two_classifiers_are_compared_by_their_share_of_wrong_answers(trained: Any, tmp_path: Path):
    store = Path(shutil.copytree(trained[0], tmp_path / "store"))
    held_out = pd.read_csv(registry.load("iris", 2, store=store).model.with_name("testing.csv"))
    registry.promote("iris", 1, store=store)
    registry.try_canary("iris", 2, 0.5, store=store)
    found = registry.compare("iris", held_out, store=store)
    wrong = []
    for number in (1, 2):
        network = Predictor.load(registry.load("iris", number, store=store).model)
        said = np.array(SPECIES)[network.predict(held_out[FEATURES]).argmax(axis=1)]
        wrong.append((said != held_out["species"]).mean())
    assert found.errors.scores == {"error rate": pytest.approx(tuple(wrong))}
    held_out.to_csv(tmp_path / "rows.csv", index=False)
    options = ("--labelled", tmp_path / "rows.csv", "--store", store)
    text = course("models", "compare", "iris", *options).stdout
    assert f"On {len(held_out)} labelled rows the candidate's error rate is" in text


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (
            "def train(rows, folder):\n    right = 0.4\n    assert right > 0.8, right\n",
            registry.training_code.NotFitToServe,
            r"own check of train_iris\.py, `assert right > 0\.8, right`: AssertionError: 0\.4",
        ),
        (
            "def train(rows, folder):\n    rows['colour']\n",
            registry.training_code.TrainingFailed,
            r"train_iris\.py failed in `rows\['colour'\]`: KeyError: 'colour'",
        ),
        (
            "import os\ndef train(rows, folder):\n    os._exit(9)\n",
            registry.training_code.TrainingFailed,
            "did not come to its end",
        ),
        ("def train(rows, folder):\n    pass\n", FileNotFoundError, r"not saved iris\.tflite"),
    ],
)
def test_code_of_ones_own_that_fails_says_where_and_why(
    tmp_path: Path, code: str, error: type[Exception], message: str
):
    (file := tmp_path / "train_iris.py").write_text(code)
    (work := tmp_path / "work").mkdir()
    with pytest.raises(error, match=message):
        registry.training_code.train("iris", file, FLOWERS, work)


def test_a_version_without_its_code_is_not_trained_again(irises: Path, tmp_path: Path):
    folder = registry.load("iris", 1, store=irises).model.parent
    files = [folder / f"iris.{kind}" for kind in ("tflite", "schema.json", "labels.json")]
    registry.register("iris", files, training=OLD, store=tmp_path)
    registry.promote("iris", 1, store=tmp_path)
    with pytest.raises(ValueError, match="does not keep the code that trained it"):
        registry.retrain("iris", NEW, store=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"species": "rose"}, "species: 'rose' in row 1 is none of the classes setosa, versic"),
        ({"petal_width": "wide"}, "training data: .* petal_width: 'wide' in row 1 is no"),
    ],
)
def test_rows_that_do_not_fit_a_classifier_are_refused(
    irises: Path, tmp_path: Path, change: dict[str, str], message: str
):
    files = sorted(registry.load("iris", 1, store=irises).model.parent.glob("iris.*"), reverse=True)
    with pytest.raises(ValueError, match=message):
        registry.register("iris", files, training=FLOWERS.assign(**change), store=tmp_path)
    assert registry.list_versions("iris", store=tmp_path) == []


# Photos


def test_a_network_of_photos_has_its_record(colours: tuple[Path, pd.DataFrame]):
    store, testing = colours
    version = registry.load("colours", 1, store=store)
    document = version.document
    # All but the last, whose label is wrong: it is blue and called red.
    assert document["metrics"]["computed"]["accuracy"] == pytest.approx(17 / 18)
    assert document["confusions"] == {
        "labels": COLOURS,
        "counts": [[6, 0, 1], [0, 6, 0], [0, 0, 5]],
    }
    assert document["data"]["testing"]["rows"] == len(testing)
    assert "importance" not in document
    assert [chart["file"] for chart in document["charts"]] == ["confusions.png"]
    golden = document["golden"]["rows"]
    assert [row["file"] for row in golden[:2]] == ["golden/01.png", "golden/02.png"]
    assert registry.verify(version).rows == len(golden) == 18
    assert "| red | 9 |" in registry.render_card(version)


def test_a_golden_photo_that_was_changed_is_found(
    colours: tuple[Path, pd.DataFrame], tmp_path: Path
):
    store = Path(shutil.copytree(colours[0], tmp_path / "store"))
    version = registry.load("colours", 1, store=store)
    photo = version.folder / "golden" / "03.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(photo)
    with pytest.raises(ValueError, match=r"03\.png is not as it was registered"):
        registry.verify(version)


def test_the_digest_of_photos_is_of_their_content(
    colours: tuple[Path, pd.DataFrame], tmp_path: Path
):
    store, _ = colours
    moved, other = paint(tmp_path / "moved"), paint(tmp_path / "other", seed=7)
    digests = []
    for training in (moved, other):
        files = make_colours(tmp_path / "files")
        version = registry.register("colours", files, training=training, store=tmp_path / "store")
        digests.append(version.document["data"]["training"]["sha256"])
    before = registry.load("colours", 1, store=store).document["data"]["training"]["sha256"]
    assert digests[0] == before
    assert digests[1] != before


def test_versions_that_classify_photos_are_compared(colours: tuple[Path, pd.DataFrame]):
    store, testing = colours
    found = registry.compare("colours", pd.concat([testing, testing]), store=store, candidate=2)
    assert found.verdict == canary.KEEP
    assert found.errors.scores["error rate"] == pytest.approx((1 / 18, 17 / 18))
    with pytest.raises(ValueError, match="1 of the files are not there, the first is nowhere"):
        registry.compare(
            "colours",
            testing.assign(file=["nowhere.png", *testing["file"][1:]]),
            store=store,
            candidate=2,
        )


def test_a_network_of_photos_is_not_trained_again_here(
    colours: tuple[Path, pd.DataFrame], tmp_path: Path
):
    store, testing = colours
    with pytest.raises(ValueError, match="colours takes photos; only models of tables"):
        registry.retrain("colours", testing, store=store)
