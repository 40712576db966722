"""MLflow itself reads what is exported."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model

from course_utils import registry
from course_utils.registry.mlflow import export
from tests.support.records import FEATURES, TESTING, register

# MLflow says so of a class of its own as it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return mlflow.MlflowClient(tracking_uri=(tmp_path / "runs").as_uri())


def test_mlflow_finds_the_run_with_its_parameters_and_metrics(
    client: mlflow.MlflowClient, kept: Path, tmp_path: Path
):
    for version in (1, 2):
        export(registry.load("mpg", version, store=kept), tmp_path / "runs")
    (experiment,) = [e for e in client.search_experiments() if e.name == "mpg"]
    runs = client.search_runs([experiment.experiment_id], order_by=["metrics.rmse DESC"])
    assert [run.info.run_name for run in runs] == ["mpg 1", "mpg 2"]
    document = registry.load("mpg", 1, store=kept).document
    run = runs[0]
    assert run.data.params == {"epochs": "100", "seed": "7", "layers": "[64, 64]"}
    assert run.data.metrics == document["metrics"]["computed"] | {"epochs_run": 42}
    assert run.data.tags["mlflow.note.content"] == "For cars of 1970 to 1982."
    assert run.info.status == "FINISHED"
    assert run.info.user_id == document["trained"]["by"]
    assert run.info.end_time - run.info.start_time == 5 * 60 * 1000
    files = client.list_artifacts(run.info.run_id, "model/data/mpg/00001/files")
    assert [Path(file.path).name for file in files] == [
        *("mpg.schema.json", "mpg.tflite", "mpg.weights.h5")
    ]


def test_mlflow_loads_the_model_and_it_predicts_the_same(kept: Path, tmp_path: Path):
    record = registry.load("mpg", 1, store=kept)
    folder = export(record, tmp_path / "runs") / "artifacts" / "model"
    assert Model.load(folder).metadata == {"features": FEATURES, "target": "mpg"}
    loaded = mlflow.pyfunc.load_model(str(folder))
    rows = record.document["golden"]["rows"]
    asked = pd.DataFrame([row["features"] for row in rows], columns=FEATURES)
    said = [row["prediction"] for row in rows]
    assert loaded.predict(asked) == pytest.approx(said, rel=1e-6)
    # Columns are matched by name, whatever their order and their types.
    turned = TESTING[[*reversed(FEATURES), "name"]]
    assert np.array_equal(loaded.predict(turned), loaded.predict(TESTING[FEATURES]))


def test_exporting_again_changes_nothing(record: registry.Record, tmp_path: Path):
    first = export(record, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert export(record, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_damaged_record_is_not_exported(store: Path, tmp_path: Path):
    record = registry.load("mpg", 1, store=store)
    record.model.write_bytes(b"")
    with pytest.raises(ValueError, match="not as it was registered"):
        export(record, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_tampered_export_is_not_loaded(record: registry.Record, tmp_path: Path):
    folder = export(record, tmp_path) / "artifacts" / "model"
    (folder / "data" / "mpg" / "00001" / "files" / "mpg.tflite").write_bytes(b"")
    with pytest.raises(ValueError, match="not as it was registered"):
        mlflow.pyfunc.load_model(str(folder))


def test_hostile_names_stay_inside_the_run(store: Path, tmp_path: Path):
    told = {"../../up": 1, "a/b\\c:d": "two\nlines", "": None, "..": "x" * 9_000}
    run = export(register(store, configuration=told), tmp_path / "runs" / "deep")
    assert {p.name: p.read_text("utf-8")[:9] for p in (run / "params").iterdir()} == {
        "_.._up": "1",
        "a_b_c_d": "two lines",
        "_": "xxxxxxxxx",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "store"]
    assert len(list((tmp_path / "runs" / "deep").iterdir())) == 1
