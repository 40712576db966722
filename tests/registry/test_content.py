"""A record fills itself, and what it says is true."""

import getpass
import importlib
import shutil
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics

from course_utils import __version__, registry
from course_utils.inference import FeatureSchema
from course_utils.registry import content
from course_utils.registry.record import RecordDocument
from tests.saved.test_saved import HERE as SAVED
from tests.support.records import (
    CARS,
    FEATURES,
    FILES,
    STARTED,
    TESTING,
    TRAINING,
    find_faults,
    predict,
    register,
)
from tests.support.serving import MODEL


def test_a_record_is_as_its_schema_says(kept: Path):
    assert find_faults(registry.load("mpg", 1, store=kept).document) == []
    assert find_faults(registry.load("mpg", 2, store=kept).document) == []


def test_records_of_version_0_1_0_are_read_by_the_models_of_today():
    for version in (1, 2):
        document = registry.load("mpg", version, store=SAVED / "records").document
        assert find_faults(document) == []
        assert RecordDocument.model_validate(document).version == version


@pytest.mark.parametrize("absent", ["model", "files", "golden"])
def test_the_schema_asks_for_what_is_needed(record: registry.Record, absent: str):
    rest = {key: value for key, value in record.document.items() if key != absent}
    assert find_faults(rest) == [f"'{absent}' is a required property"]


def test_who_and_when(record: registry.Record, kept: Path):
    trained = record.document["trained"]
    assert trained["by"] == getpass.getuser().split("@")[0]
    assert trained["started"] == "2026-01-31T12:00:00.000+00:00"
    ended = datetime.fromisoformat(trained["ended"]).timestamp()
    assert ended == pytest.approx(MODEL.stat().st_mtime, abs=0.001)  # when it was saved
    registered = datetime.fromisoformat(record.document["registered"])
    assert timedelta() <= datetime.now(UTC) - registered < timedelta(hours=1)
    assert registry.load("mpg", 2, store=kept).document["trained"]["started"] is None


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
    record: registry.Record, kept: Path
):
    for document, rows, role in (
        (record.document, TESTING, "testing"),
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
    assert record.document["metrics"]["given"] == {"epochs_run": 42}


def test_importance_is_what_shuffling_costs(record: registry.Record):
    found = record.document["importance"]["features"]
    assert {entry["name"] for entry in found} == set(FEATURES)
    means = [entry["mean"] for entry in found]
    assert means == sorted(means, reverse=True)
    random, rises = np.random.default_rng(1), []
    for _ in range(50):  # another shuffling: the same within what shuffling varies by
        shuffled = TESTING.assign(weight=random.permutation(TESTING["weight"]))
        rises.append(metrics.root_mean_squared_error(TESTING["mpg"], predict(shuffled)))
    expected = np.mean(rises) - record.document["metrics"]["computed"]["rmse"]
    assert found[0]["name"] == "weight"
    assert found[0]["mean"] == pytest.approx(expected, abs=5 * np.std(rises) / np.sqrt(5))


def test_golden_rows_range_from_the_least_prediction_to_the_greatest(record: registry.Record):
    rows = record.document["golden"]["rows"]
    assert len(rows) == 20
    asked = pd.DataFrame([row["features"] for row in rows], columns=FEATURES)
    said = [row["prediction"] for row in rows]
    assert said == pytest.approx(predict(asked), rel=1e-6)
    assert said == sorted(said)
    predicted = predict(TESTING)
    assert (said[0], said[-1]) == pytest.approx((predicted.min(), predicted.max()))


def test_learned_numbers_are_counted_and_what_was_there_is_named(record: registry.Record):
    document = record.document
    assert document["parameters"] == {"source": "mpg.tflite", "count": 4751}
    assert document["code"] == {"course": __version__}
    assert document["environment"]["python"] == sys.version.split()[0]
    assert document["environment"]["packages"]["numpy"] == np.__version__


def test_a_package_half_removed_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gone-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        found = content.describe_environment.__wrapped__()
        assert found["packages"]["numpy"] == np.__version__
        assert None not in found["packages"]
        importlib.import_module("importlib_metadata")  # takes the place of Python's own


def test_a_model_that_may_only_be_read_is_kept(tmp_path: Path):
    for path in FILES[:2]:
        Path(shutil.copy(path, tmp_path)).chmod(0o444)
    record = register(tmp_path / "store", files=[tmp_path / path.name for path in FILES[:2]])
    assert record.model.read_bytes() == MODEL.read_bytes()
    assert record.model.stat().st_mode & stat.S_IWUSR  # it was opened once more, to be synced


def test_the_configuration_is_kept_as_json_can(tmp_path: Path):
    told = {"rate": np.float32(0.5), "path": Path("a"), 3: {1}, "nan": float("nan"), "none": None}
    document = register(tmp_path, configuration=told, metrics={"auc": np.nan}).document
    assert document["configuration"]["given"] == {
        **{"rate": 0.5, "path": "a", "3": [1], "nan": None, "none": None}
    }
    assert document["metrics"]["given"] == {"auc": None}
    with pytest.raises(ValueError, match=r"metrics\.given\.confusion"):
        register(tmp_path, metrics={"confusion": [[1, 2], [3, 4]]})


def test_charts_are_pictures(record: registry.Record):
    charts = record.document["charts"]
    assert [chart["file"] for chart in charts] == [
        *("predicted.png", "residuals.png", "ranking.png", "distributions.png")
    ]
    for chart in charts:
        with Image.open(record.folder / "charts" / chart["file"]) as image:
            darkest, lightest = image.convert("L").getextrema()
        assert darkest < 100 < lightest


def test_any_name_of_a_column_can_be_drawn(tmp_path: Path):
    names = ["$x^{2", "\\frac", "漢字", "a\nb", "", "_", "x" * 300]
    cars = CARS[[*FEATURES, "mpg"]].rename(columns=dict(zip(FEATURES, names, strict=True)))
    record = register(tmp_path, files=FILES[:1], training=cars, testing=None)
    assert record.document["model"]["features"] == names


def test_the_schema_beside_the_model_says_the_order(tmp_path: Path):
    turned: dict[str, Any] = {"training": TRAINING[["mpg", *reversed(FEATURES)]], "testing": None}
    with_schema = register(tmp_path, **turned).document
    assert with_schema["model"]["features"] == FEATURES
    FeatureSchema.load(FILES[1]).save(other := tmp_path / "other.schema.json")  # not the model's
    without = register(tmp_path, files=[MODEL, other], **turned).document
    assert without["model"]["features"] == FEATURES[::-1]
    ours, theirs = (d["metrics"]["computed"]["rmse"] for d in (with_schema, without))
    assert ours < 3 < theirs  # the network takes columns by their place
    (bad := tmp_path / "mpg.schema.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="is not a saved FeatureSchema"):
        register(tmp_path / "store", files=[MODEL, bad])
