"""``course models``, as it is typed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from course_utils import registry
from course_utils.cli.console import console
from course_utils.registry.promotions import LOG
from tests.support.command import course


@pytest.fixture
def models(store: Path) -> Any:
    def models(*arguments: object, fails: bool = False) -> Result:
        result = course("models", *arguments, "--store", store)
        assert result.exit_code == fails, result.output
        return result

    return models


def test_list_shows_every_version_and_its_state(models: Any, store: Path):
    registry.promote("mpg", 1, store=store)
    registry.try_canary("mpg", 2, 0.1, store=store)
    text = models("list").stdout
    assert "served" in text
    assert "canary, 10%" in text
    document = registry.load("mpg", 1, store=store).document
    assert f"RMSE {document['metrics']['computed']['rmse']:.3g}" in text
    # Its column is narrow, so that the notes take more than one line.
    assert all(word in text for word in ("For", "cars", "1970", "1982."))


def test_list_sets_no_error_on_rows_learned_from_beside_one_on_others(models: Any):
    """Version 2 was registered without rows that it has not seen."""
    _, first, second = (
        line for line in models("list").stdout.splitlines() if "mpg" in line or "version" in line
    )
    assert "RMSE" in first
    assert "not measured" in second
    assert "RMSE" not in second


def test_list_names_what_is_damaged_and_shows_the_rest(
    models: Any, store: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(console, "_width", 1000)
    shutil.copytree(store / "mpg", store / "spare")
    (store / "spare" / LOG).write_text("{\n", "utf-8")
    (store / "mpg" / "00001" / "record.sha256").unlink()
    lines = [line for line in models("list").stdout.splitlines() if "mpg" in line or "sp" in line]
    damaged, fine, *spare = lines
    assert "record.sha256" in damaged
    assert "damaged" not in fine
    assert len(spare) == 2
    assert all("line 1, is damaged" in line for line in spare)


def test_list_of_nothing_says_what_to_do(models: Any, store: Path):
    shutil.rmtree(store)
    assert "No model has been registered" in models("list").stdout


def test_a_card_is_of_what_is_served(models: Any, store: Path):
    assert models("card", "mpg").stdout.startswith("# Model card: mpg, version 2\n")
    registry.promote("mpg", 1, store=store)
    text = models("card", "mpg").stdout
    assert "mpg, version 1" in text
    assert "epochs: 100" in text


def test_verify_says_what_it_looked_at(models: Any, store: Path):
    text = models("verify", "mpg", 1).stdout
    assert "mpg 1 is as it was registered: 7 files, 20 golden rows" in text
    registry.load("mpg", 1, store=store).model.unlink()
    assert "mpg.tflite is missing" in models("verify", "mpg", 1, fails=True).stderr


def test_the_way_of_a_version_into_service_and_back(models: Any, store: Path):
    assert models("promote", "mpg", 1, "--reason", "first").stdout == "Version 1 is served.\n"
    text = models("canary", "mpg", 2, "--share", 0.25).stdout
    assert text == "Version 1 is served, version 2 to 25% of the requests.\n"
    assert models("promote", "mpg", 1).stdout == "Version 1 is served.\n"
    models("promote", "mpg", 2)
    assert models("roll-back", "mpg", "--reason", "worse").stdout == "Version 1 is served.\n"
    said = [(state.action, state.reason) for state in registry.read_history("mpg", store=store)]
    assert said == [
        ("promote", "first"),
        ("try canary", ""),
        ("promote", ""),
        ("promote", ""),
        ("roll back", "worse"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["card", "trucks"], "No version 1 of trucks"),
        (["roll-back", "mpg"], "nothing to go back to"),
        (["export", "trucks", "--mlflow", "nowhere"], "There is no version of trucks to export"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(models: Any, arguments: list[str], message: str):
    result = models(*arguments, fails=True)
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.thorough
# MLflow's own, as it is imported and as it sets up its tables.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")
@pytest.mark.filterwarnings("ignore:.*``noload`` loader strategy")
def test_export_writes_all_versions_and_says_how_to_see_them(models: Any, tmp_path: Path):
    text = models("export", "mpg", "--mlflow", tmp_path / "mlflow").stdout
    assert "Version 1 is run " in text
    assert "Version 2 is run " in text
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path.as_posix()}/mlflow/mlflow.db" in text
    assert (tmp_path / "mlflow" / "mlflow.db").is_file()
