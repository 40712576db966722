"""MLflow itself reads what is exported."""

import multiprocessing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from course_utils import registry
from course_utils.registry.mlflow import DATABASE, VERSION_TAG, export
from tests.support.records import register

# MLflow's own, as it is imported and as it sets up its tables.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
    pytest.mark.filterwarnings("ignore:.*``noload`` loader strategy"),
]


def open_client(folder: Path) -> MlflowClient:
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
    first = [export(registry.load("mpg", n, store=store), tmp_path / "mlflow") for n in (1, 2)]
    registry.promote("mpg", 2, store=store)
    again = [export(registry.load("mpg", n, store=store), tmp_path / "mlflow") for n in (1, 2)]
    assert again == first
    client = open_client(tmp_path / "mlflow")
    (experiment,) = [e for e in client.search_experiments() if e.name == "mpg"]
    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert len(client.search_model_versions("name = 'mpg'")) == 2
    assert client.get_model_version_by_alias("mpg", "production").run_id == first[1]
    assert set(client.get_registered_model("mpg").aliases) == {"production"}


def test_a_damaged_record_is_not_exported(store: Path, tmp_path: Path):
    record = registry.load("mpg", 1, store=store)
    record.model.write_bytes(b"")
    with pytest.raises(ValueError, match="not as it was registered"):
        export(record, tmp_path / "mlflow")
    assert not (tmp_path / "mlflow").exists()


def test_an_entry_that_is_there_already_is_no_obstacle(store: Path, tmp_path: Path):
    """Killed before the experiment was made; or somebody registered a version without us."""
    client = open_client(tmp_path)
    client.create_registered_model("mpg")
    client.create_model_version("mpg", "elsewhere")
    run = export(registry.load("mpg", 1, store=store), tmp_path)
    assert {v.run_id for v in client.search_model_versions("name = 'mpg'")} == {None, run}


def test_what_mlflow_refuses_is_said(store: Path, tmp_path: Path):
    record, told = registry.load("mpg", 1, store=store), "does not take version 1 of mpg into"
    client = open_client(tmp_path)
    client.delete_experiment(client.create_experiment("mpg"))
    with pytest.raises(ValueError, match=f"{told} .*active"):
        export(record, tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / DATABASE).write_text("no database " * 100)
    with pytest.raises(ValueError, match=f"{told} .*not a database"):
        export(record, tmp_path / "other")


def test_names_that_mlflow_would_refuse_are_spelt_otherwise(store: Path, tmp_path: Path):
    told = {"../../up": 1, "a/b\\c:d": "x" * 9_000, "": None}
    run = export(register(store, configuration=told), tmp_path)
    params = open_client(tmp_path).get_run(run).data.params
    assert params == {"_.._up": "1", "a_b_c_d": "x" * 6_000, "_": "None"}


@pytest.mark.thorough
def test_two_at_once_share_a_new_database(kept: Path, tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours = [
        context.Process(target=export, args=(registry.load("mpg", n, store=kept), tmp_path))
        for n in (1, 2)
    ]
    for process in ours:
        process.start()
    for process in ours:
        process.join()
    assert [process.exitcode for process in ours] == [0, 0]
    assert len(open_client(tmp_path).search_model_versions("name = 'mpg'")) == 2
