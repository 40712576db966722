"""What is known of a version is found out, and is true."""

import getpass
import shutil
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics

from course_utils import __version__, registry
from course_utils.registry.charts import draw_importance
from tests.support.records import CARS, FILES, STARTED, TESTING, TRAINING, predict, register
from tests.support.serving import FEATURES, MODEL


def test_who_and_when(version: registry.ModelVersion):
    trained = version.document["trained"]
    assert trained["by"] == getpass.getuser().split("@")[0]
    assert trained["started"] == "2026-01-31T12:00:00.000+00:00"
    ended = datetime.fromisoformat(trained["ended"]).timestamp()
    assert ended == pytest.approx(MODEL.stat().st_mtime, abs=0.001)  # when it was saved
    registered = datetime.fromisoformat(version.document["registered"])
    assert timedelta() <= datetime.now(UTC) - registered < timedelta(hours=1)


def test_no_address_is_kept_and_a_time_without_a_zone_is_this_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(getpass, "getuser", lambda: "ada@example.org")
    trained = register(tmp_path, started=STARTED.astimezone().replace(tzinfo=None)).document
    assert trained["trained"]["by"] == "ada"
    assert trained["trained"]["started"] == "2026-01-31T12:00:00.000+00:00"

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert registry.promote("mpg", 1, store=tmp_path).by == "unknown"


def test_metrics_are_those_of_the_testing_rows_else_of_the_training_rows(
    version: registry.ModelVersion, kept: Path
):
    for document, rows, role in (
        (version.document, TESTING, "testing"),
        (registry.load("mpg", 2, store=kept).document, CARS, "training"),
    ):
        found, truth, predicted = document["metrics"], rows["mpg"], predict(rows)
        assert (found["rows"], found["count"]) == (role, len(rows))
        assert found["computed"] == pytest.approx(
            {
                "rmse": metrics.root_mean_squared_error(truth, predicted),
                "mae": metrics.mean_absolute_error(truth, predicted),
                "r2": metrics.r2_score(truth, predicted),
            }
        )
    assert version.document["metrics"]["given"] == {"epochs_run": 42}


def test_importance_is_what_shuffling_costs(version: registry.ModelVersion):
    found = version.document["importance"]["features"]
    assert {entry["name"] for entry in found} == set(FEATURES)
    means = [entry["mean"] for entry in found]
    assert means == sorted(means, reverse=True)
    shuffled = TESTING.assign(weight=TESTING["weight"].sample(frac=1, random_state=1).to_numpy())
    rmse = metrics.root_mean_squared_error(TESTING["mpg"], predict(shuffled))
    rise = rmse - version.document["metrics"]["computed"]["rmse"]
    assert found[0]["name"] == "weight"
    assert found[0]["mean"] == pytest.approx(rise, rel=0.3)  # another shuffling


def test_golden_rows_range_over_all_predictions(version: registry.ModelVersion):
    rows = version.document["golden"]["rows"]
    assert len(rows) == 20
    asked = pd.DataFrame([row["features"] for row in rows], columns=FEATURES)
    said = [row["prediction"] for row in rows]
    assert said == pytest.approx(predict(asked), rel=1e-6)
    assert said == sorted(said)
    predicted = predict(TESTING)
    assert (said[0], said[-1]) == pytest.approx((predicted.min(), predicted.max()))


def test_learned_numbers_are_counted_and_what_was_there_is_named(version: registry.ModelVersion):
    document = version.document
    assert document["parameters"] == {"count": 4751}
    assert document["code"] == {"course": __version__}
    assert document["environment"]["python"] == sys.version.split()[0]
    assert document["environment"]["packages"]["numpy"] == np.__version__


def test_a_model_that_may_only_be_read_is_kept(tmp_path: Path):
    for path in FILES[:2]:
        Path(shutil.copy(path, tmp_path)).chmod(0o444)
    version = register(tmp_path / "store", files=[tmp_path / path.name for path in FILES[:2]])
    assert version.model.read_bytes() == MODEL.read_bytes()
    assert version.model.stat().st_mode & stat.S_IWUSR  # it was opened once more, to be synced


def test_the_configuration_is_kept_as_json_can(tmp_path: Path):
    told = {"rate": np.float32(0.5), "path": Path("a"), 3: {1}, "nan": float("nan"), "none": None}
    told |= {"kind": np.dtype("float32")}  # JSON knows nothing like it
    document = register(tmp_path, configuration=told, metrics={"auc": np.nan}).document
    assert document["configuration"]["given"] == {
        **{"rate": 0.5, "path": "a", "3": [1], "nan": None, "none": None, "kind": "float32"}
    }
    assert document["metrics"]["given"] == {"auc": None}


def test_charts_are_pictures(version: registry.ModelVersion):
    charts = version.document["charts"]
    assert [chart["file"] for chart in charts] == [
        *("predicted.png", "residuals.png", "ranking.png", "distributions.png")
    ]
    for chart in charts:
        with Image.open(version.folder / "charts" / chart["file"]) as image:
            darkest, lightest = image.convert("L").getextrema()
        assert darkest < 100 < lightest


def test_each_feature_has_its_bar_the_most_important_one_at_the_top():
    ranking = [{"name": name, "mean": mean, "std": 0.1} for name, mean in (("a", 3), ("b", 2))]
    bars = draw_importance(ranking).axes[0]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["b", "a"]
    assert [bar.get_width() for bar in bars.patches] == [2, 3]


def test_the_schema_beside_the_model_says_the_order(tmp_path: Path):
    turned = TRAINING[["mpg", *reversed(FEATURES)]]
    document = register(tmp_path, training=turned, testing=None).document
    assert document["model"] == {"file": "mpg.tflite", "features": FEATURES, "target": "mpg"}
    assert document["metrics"]["computed"]["rmse"] < 3  # the network takes columns by their place
    (bad := tmp_path / "mpg.schema.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="is not a saved FeatureSchema"):
        register(tmp_path / "store", files=[MODEL, bad])
