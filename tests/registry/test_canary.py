"""Comparing two versions on the same rows, and what follows from it."""

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_utils import registry
from course_utils.inference import FeatureSchema
from course_utils.registry import canary
from course_utils.registry.canary import KEEP, PROMOTE, WAIT, compute_errors
from tests.support.command import course
from tests.support.records import CARS
from tests.support.stores import two_versions

run_compare = functools.partial(course, "models", "compare", "mpg")


@pytest.fixture(scope="module")
def template(tmp_path_factory: Any) -> Path:
    """Version 2, of which a quarter of the requests is promised, says 2 mpg too much."""
    store = two_versions(tmp_path_factory.mktemp("template") / "store")
    registry.try_canary("mpg", 2, 0.25, store=store)
    return store


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store"))


# Errors


def draw(
    rows: int, served: float, candidate: float, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and two predictions whose errors have these standard deviations."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(20, 5, rows)
    return truth, truth + rng.normal(0, served, rows), truth + rng.normal(0, candidate, rows)


def test_the_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    """200 draws of 60 rows from a population whose difference is known: about 95 % are covered."""
    intervals = [compute_errors(*draw(60, 3, 2, seed)).interval for seed in range(200)]
    covered = sum(low <= 2 - 3 <= high for low, high in intervals)
    assert 180 <= covered <= 198  # 190, give or take 2.6 standard deviations; it is approximate


def test_errors_are_those_of_the_book() -> None:
    truth = np.array([10.0, 20, 30, 40])
    found = compute_errors(truth, truth + np.array([1, -1, 1, -1]), truth + np.array([0, 0, 0, 4]))
    assert (found.rows, found.metric) == (4, "rmse")
    assert found.scores == {"rmse": (1, 2), "mae": (1, 1)}


def test_the_same_rows_of_both_make_it_sharp() -> None:
    """Where one is always a little closer, hard rows do not hide it."""
    truth, hard, _ = draw(200, 4, 4)
    found = compute_errors(truth, truth + 1.05 * (hard - truth), hard)
    assert found.interval[1] < 0
    assert compute_errors(truth, truth + 1.05 * (hard - truth), hard) == found  # seeded


# Verdicts


@pytest.mark.parametrize(
    ("rows", "served", "candidate", "verdict", "why"),
    [
        (200, 4.0, 2.0, PROMOTE, "surely better"),
        (200, 2.0, 4.0, KEEP, "surely worse"),
        (200, 3.0, 3.0, WAIT, "unsure until there are more"),
        (10, 4.0, 0.1, WAIT, "a verdict takes 20 rows"),
    ],
)
def test_a_verdict_needs_evidence(
    rows: int, served: float, candidate: float, verdict: str, why: str
) -> None:
    said, (reason,) = canary.decide(compute_errors(*draw(rows, served, candidate)), (0, 0))
    assert said == verdict
    assert why in reason


def test_a_difference_that_is_surely_tiny_is_none() -> None:
    truth, served, _ = draw(400, 3, 3)
    close = served + np.random.default_rng(5).normal(0, 0.05, 400)
    said, reasons = canary.decide(compute_errors(truth, served, close), (0, 0))
    assert said == KEEP
    assert "too little to matter" in reasons[0]


@pytest.mark.parametrize(
    ("served", "candidate", "verdict"), [(30, 0, PROMOTE), (30, 30, PROMOTE), (0, 4, KEEP)]
)
def test_a_better_candidate_that_refuses_more_is_not_promoted(
    served: int, candidate: int, verdict: str
) -> None:
    better = compute_errors(*draw(200, 4, 2))
    said, reasons = canary.decide(better, (served, candidate))
    assert said == verdict
    assert any(f"the served version refuses {served}" in reason for reason in reasons)


# Versions of a store


def test_labels_tell_which_version_is_right(store: Path) -> None:
    found = canary.compare("mpg", CARS, store=store)
    assert (found.served, found.candidate, found.verdict) == (1, 2, KEEP)
    assert found.errors.rows == len(CARS)
    assert found.errors.scores["rmse"][1] > found.errors.scores["rmse"][0] + 0.3
    assert found.refused == (0, 0)


def test_rows_outside_a_contract_are_counted(store: Path) -> None:
    later = CARS.assign(year=CARS["year"] + 1)
    found = canary.compare("mpg", later, store=store)
    newest = int((CARS["year"] == 82).sum())
    assert found.refused == (newest, newest)


def test_what_cannot_be_compared_is_said(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows lack the label mpg"):
        canary.compare("mpg", CARS.drop(columns="mpg"), store=store)
    with pytest.raises(ValueError, match="at least two rows; there are 1"):
        canary.compare("mpg", CARS.iloc[:1], store=store)
    with pytest.raises(FileNotFoundError, match="No version 7"):
        canary.compare("mpg", CARS, store=store, candidate=7)
    with pytest.raises(ValueError, match="No version of mpg is promoted"):
        canary.compare("mpg", CARS, store=tmp_path)
    registry.promote("mpg", 1, store=store)  # again: it ends the canary
    with pytest.raises(ValueError, match="no canary"):
        canary.compare("mpg", CARS, store=store)


def test_rows_need_the_features_of_both(store: Path) -> None:
    served, other = (
        canary.load_verified(registry.load("mpg", version, store=store)) for version in (1, 2)
    )
    served.schema = FeatureSchema(served.schema.features[1:], target="mpg")
    with pytest.raises(ValueError, match="rows lack the column cylinders"):
        canary.compare_models("mpg", served, other, CARS.drop(columns="cylinders"))
    cars = CARS.assign(cylinders=CARS["cylinders"].where(CARS.index > CARS.index[0]))
    with pytest.raises(ValueError, match="cylinders: nothing in row 1 is no whole number"):
        canary.compare_models("mpg", served, other, cars)


# The command


def test_the_command_for_people_and_for_machines(store: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "cars.csv"
    CARS.to_csv(labelled, index=False)
    result = run_compare("--labelled", labelled, "--store", store)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("KEEP\n")
    assert "the candidate is version 2" in result.output
    told = run_compare("--labelled", labelled, "--store", store, "--json")
    assert json.loads(told.output)["verdict"] == KEEP
    registry.promote("mpg", 2, store=store)
    result = run_compare("--labelled", labelled, "--store", store, "--candidate", 1)
    assert (result.exit_code, result.output.splitlines()[0]) == (4, "PROMOTE")
