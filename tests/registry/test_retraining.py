"""From new rows to a new version, or to the old one: ``course retrain``."""

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest

from course_utils import registry
from course_utils.registry import retraining
from tests.support.retraining import (
    CARS,
    NEW_CARS,
    READ,
    SAVE,
    read_files,
    run_retrain,
    use_notebook,
)
from tests.support.stores import generous, register


@pytest.fixture
def store(outdated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(outdated, tmp_path / "store"))


# The whole way


@pytest.fixture(scope="module")
def first(
    outdated: Path, tmp_path_factory: Any
) -> tuple[Path, retraining.Outcome, list[tuple[int, int]]]:
    """The store after one retraining, its outcome, and the progress that was told."""
    folder = tmp_path_factory.mktemp("first")
    store = Path(shutil.copytree(outdated, folder / "store"))
    cells: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        use_notebook(folder, patch, READ, SAVE)
        found = retraining.retrain(
            "mpg", NEW_CARS, store=store, on_cell=lambda *progress: cells.append(progress)
        )
    return store, found, cells


def test_a_better_candidate_is_served(first: Any) -> None:
    store, found, cells = first
    assert (found.verdict, found.served, found.candidate) == ("promoted", 1, 2)
    assert [*dict.fromkeys(cells)] == [(done, 4) for done in range(5)]  # one is papermill's
    assert "surely better" in found.reasons[0]
    assert found.comparison.candidate == 2
    assert found.comparison.errors.rows == 50
    serving = registry.read_serving("mpg", store=store)
    assert (serving.version, serving.canary) == (2, None)
    assert serving.reason == found.reasons[0]
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_candidate_holds_what_led_to_it(first: Any) -> None:
    store, _, _ = first
    candidate = registry.load("mpg", 2, store=store)
    registry.verify(candidate)
    files = candidate.model.parent
    learnt, judged = pd.read_csv(files / "training.csv"), pd.read_csv(files / "testing.csv")
    assert len(judged) == 50
    assert set(judged["name"]) <= set(NEW_CARS["name"])
    # Each car is learned from or judged by, once.
    both = pd.concat([learnt, judged]).sort_values(list(learnt)).reset_index(drop=True)
    every = CARS.sort_values(list(learnt)).reset_index(drop=True)
    pd.testing.assert_frame_equal(both, every[list(both)], check_dtype=False)
    ran = nbformat.read(files / "tiny.ipynb", as_version=4)
    assert [cell.execution_count for cell in ran.cells] == [1, 2, 3, 4]
    assert "training.csv" in ran.cells[1].source
    assert str(store.parent) not in json.dumps(ran.metadata)
    assert "50 labelled rows" in candidate.document["notes"]


@pytest.mark.thorough
def test_the_next_training_learns_from_the_rows_that_judged(
    first: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is known already is not new. Later cars go 3 mpg farther."""
    store = Path(shutil.copytree(first[0], tmp_path / "store"))
    use_notebook(tmp_path, monkeypatch, READ, SAVE, more=3)
    later = NEW_CARS.assign(weight=NEW_CARS["weight"] + 1, mpg=NEW_CARS["mpg"] + 3)
    rows = pd.concat([NEW_CARS, later, later.iloc[:5]])
    result = run_retrain(rows, store, "--force")
    assert (result.exit_code, result.output.splitlines()[0]) == (4, "PROMOTED")
    said = " ".join(result.output.split())
    assert f"{len(NEW_CARS) + 5} of {len(rows)} rows are known already, or there twice." in said
    assert "Version 3 is served from now on, in the place of 2." in said
    assert registry.find_served("mpg", store=store) == 3
    files = registry.load("mpg", 3, store=store).model.parent
    learnt, judged = pd.read_csv(files / "training.csv"), pd.read_csv(files / "testing.csv")
    assert len(learnt) + len(judged) == 398 + len(later)


@pytest.mark.thorough
def test_a_worse_candidate_is_kept_for_the_record(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_notebook(tmp_path, monkeypatch, SAVE, more=8)
    nameless = NEW_CARS.drop(columns="name", errors="ignore")
    result = run_retrain(nameless, store)
    assert (result.exit_code, result.output.splitlines()[0]) == (5, "NOT BETTER")
    learnt = registry.load("mpg", 2, store=store).model.with_name("training.csv")
    assert [*pd.read_csv(learnt)] == [*CARS]  # the names of cars stay a column
    said = " ".join(result.output.split())
    assert "so it is surely worse" in said
    assert "Version 1 goes on serving. Version 2 is kept for the record." in said
    assert registry.list_versions("mpg", store=store) == [1, 2]
    assert registry.read_serving("mpg", store=store).version == 1


@pytest.mark.thorough
def test_who_was_overtaken_changes_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody promotes another version while the notebook runs."""
    register(store, 1)
    use_notebook(tmp_path, monkeypatch, SAVE)
    found = retraining.retrain(
        "mpg",
        NEW_CARS,
        store=store,
        on_cell=lambda done, total: done == total and registry.promote("mpg", 2, store=store),
    )
    assert (found.verdict, found.served, found.candidate) == ("not better", 2, 3)
    assert found.reasons[0].startswith("Meanwhile version 2 is served, not 1")
    assert registry.read_serving("mpg", store=store).version == 2
    assert registry.list_versions("mpg", store=store) == [1, 2, 3]


@pytest.mark.thorough
@pytest.mark.slow
def test_notebook_02_refuses_labels_that_are_none(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The course's own notebook, by its own check; notebook 14 shows what it makes of good ones."""
    home = tmp_path / "home"
    monkeypatch.setenv("COURSE_HOME", str(home))
    before = read_files(store)
    wrong = NEW_CARS.assign(mpg=np.random.default_rng(0).permutation(NEW_CARS["mpg"]))
    result = run_retrain(wrong, store, "--force")
    assert result.exit_code == 5, result.output
    assert result.output.startswith("NOT FIT TO SERVE\n")
    assert "assert network_error < 3.0" in " ".join(result.output.split())  # lines may break
    assert read_files(store) == before
    assert not home.exists() or list(home.iterdir()) == []  # the learner's own model is untouched


# Nothing to do


@pytest.fixture
def half(tmp_path: Path) -> pd.DataFrame:
    """The cars that the served version does not know; the others are alike."""
    known = CARS.sample(frac=0.5, random_state=1)
    register(tmp_path / "store", 3, training=known)
    registry.promote("mpg", 1, store=tmp_path / "store")
    return CARS.drop(known.index)


def test_without_drift_nothing_is_trained(half: pd.DataFrame, tmp_path: Path) -> None:
    store = tmp_path / "store"
    before = read_files(store)
    result = run_retrain(half, store)
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "KEEP")
    assert "Version 1 goes on serving." in result.output
    assert read_files(store) == before
    told = run_retrain(half, store, "--json")
    assert json.loads(told.output)["drift"]["new rows"]["decision"] == "keep"


def test_a_small_drift_is_to_be_watched(half: pd.DataFrame, tmp_path: Path) -> None:
    later = half.assign(acceleration=half["acceleration"] + 1.5)
    result = run_retrain(later, tmp_path / "store")
    assert (result.exit_code, result.output.splitlines()[0]) == (3, "WATCH")
    assert registry.list_versions("mpg", store=tmp_path / "store") == [1]


# The first version


def test_an_empty_store_begins_with_the_shipped_model(tmp_path: Path) -> None:
    store = tmp_path / "store"
    result = run_retrain(CARS, store)
    assert result.exit_code == 1
    text = " ".join(result.output.split())
    assert "0 new rows without a gap are too few" in text
    assert "398 of 398 rows are known already" in text
    alike = CARS.assign(weight=CARS["weight"] + 1)
    result = run_retrain(alike, store)
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "KEEP")
    assert registry.find_served("mpg", store=store) == 1
    assert registry.load("mpg", store=store).model.read_bytes() == generous(0)


def test_what_was_registered_and_not_promoted_is_left_to_its_owner(tmp_path: Path) -> None:
    register(tmp_path / "store", 1)
    with pytest.raises(ValueError, match=r"models promote mpg VERSION --store .*store"):
        retraining.retrain("mpg", NEW_CARS, store=tmp_path / "store")
    assert registry.list_versions("mpg", store=tmp_path / "store") == [1]
