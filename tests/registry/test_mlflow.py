"""MLflow itself reads what is exported."""

from pathlib import Path
from typing import Any

import pytest

from course_utils import registry
from course_utils.registry.mlflow import DATABASE, VERSION_TAG, export
from tests.support.records import register

# MLflow's own, as it is imported and as it sets up its tables.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
    pytest.mark.filterwarnings("ignore:.*``noload`` loader strategy"),
]


def open_client(folder: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder / DATABASE}")


def test_mlflow_lists_both_versions_with_metrics_charts_and_aliases(store: Path, tmp_path: Path):
    registry.promote("mpg", 1, store=store)
    registry.try_canary("mpg", 2, 0.1, store=store)
    folder = tmp_path / "mlflow"
    runs = [export(registry.load("mpg", n, store=store), folder) for n in (1, 2)]
    client = open_client(folder)
    found = client.search_model_versions("name = 'mpg'")
    assert {int(version.tags[VERSION_TAG]): version.run_id for version in found} == {
        1: runs[0],
        2: runs[1],
    }
    for alias, run in (("production", runs[0]), ("canary", runs[1])):
        assert client.get_model_version_by_alias("mpg", alias).run_id == run
    document = registry.load("mpg", 1, store=store).document
    run = client.get_run(runs[0])
    assert (run.info.run_name, run.info.status) == ("mpg 1", "FINISHED")
    assert run.data.metrics == document["metrics"]["computed"] | {"epochs_run": 42}
    assert run.data.params == {"epochs": "100", "seed": "7", "layers": "[64, 64]"}
    assert run.data.tags["mlflow.note.content"] == "For cars of 1970 to 1982."
    charts = {Path(file.path).name for file in client.list_artifacts(runs[0], "charts")}
    assert charts == {"predicted.png", "residuals.png", "ranking.png", "distributions.png"}
    model = client.download_artifacts(runs[0], "files/mpg.tflite", str(tmp_path))
    assert Path(model).read_bytes() == registry.load("mpg", 1, store=store).model.read_bytes()


def test_exporting_again_adds_nothing_and_brings_the_aliases_up_to_date(
    store: Path, tmp_path: Path
):
    registry.promote("mpg", 1, store=store)
    registry.try_canary("mpg", 2, 0.1, store=store)
    # As a first export leaves it that was killed in the middle.
    open_client(tmp_path).create_registered_model("mpg")
    first = [export(registry.load("mpg", n, store=store), tmp_path) for n in (1, 2)]
    registry.promote("mpg", 2, store=store)
    again = [export(registry.load("mpg", n, store=store), tmp_path) for n in (1, 2)]
    assert again == first
    client = open_client(tmp_path)
    (experiment,) = [e for e in client.search_experiments() if e.name == "mpg"]
    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert len(client.search_model_versions("name = 'mpg'")) == 2
    assert client.get_model_version_by_alias("mpg", "production").run_id == first[1]
    assert set(client.get_registered_model("mpg").aliases) == {"production"}


def test_keys_that_mlflow_cannot_spell(store: Path, tmp_path: Path):
    version = register(store, configuration={"rate (%)": 1, "": 2}, metrics={"a+b": 3.0})
    run = open_client(tmp_path).get_run(export(version, tmp_path))
    assert run.data.params == {"rate____": "1", "_": "2"}
    assert run.data.metrics["a_b"] == 3


def test_a_file_that_is_no_database_is_said(store: Path, tmp_path: Path):
    (tmp_path / "mlflow.db").write_bytes(b"just a few words" * 100)
    with pytest.raises(ValueError, match=r"does not take version 1 of mpg into .*not a database"):
        export(registry.load("mpg", 1, store=store), tmp_path)


def test_what_mlflow_refuses_is_said(store: Path, tmp_path: Path):
    client = open_client(tmp_path)
    client.delete_experiment(client.create_experiment("mpg"))
    with pytest.raises(ValueError, match=r"does not take version 1 of mpg into .*active"):
        export(registry.load("mpg", 1, store=store), tmp_path)
