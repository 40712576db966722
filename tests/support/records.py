"""Versions of the MPG model that tests read; who changes one takes a copy."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from course_utils import registry
from course_utils.datasets import load_auto_mpg
from course_utils.inference import Predictor
from tests.support.serving import FEATURES, MODEL

CARS = load_auto_mpg().dropna()  # the name of each car among the columns
TRAINING, TESTING = CARS.iloc[:300], CARS.iloc[300:]
FILES = [MODEL, MODEL.with_name("mpg.schema.json"), MODEL.with_name("mpg.weights.h5")]
STARTED = datetime(2026, 1, 31, 12, tzinfo=UTC)


def register(store: Path, name: str = "mpg", **changed: Any) -> registry.ModelVersion:
    """Register the shipped model."""
    given = {"files": FILES[:2], "training": TRAINING, "testing": TESTING}
    return registry.register(name, store=store, **(given | changed))


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two versions: all that can be told of a model, and no more than has to be."""
    store = tmp_path_factory.mktemp("records")
    register(
        store,
        files=FILES,
        configuration={"epochs": 100, "seed": 7, "layers": (64, 64)},
        metrics={"epochs_run": 42},
        started=STARTED,
        notes="For cars of 1970 to 1982.",
    )
    register(store, testing=None, training=CARS[[*FEATURES, "mpg"]])
    return store


@pytest.fixture
def store(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(kept, tmp_path / "store"))


@pytest.fixture
def version(kept: Path) -> registry.ModelVersion:
    return registry.load("mpg", 1, store=kept)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is registered without naming a store does not go to whoever runs the tests."""
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))


def predict(table: pd.DataFrame) -> "np.ndarray[Any, Any]":
    return Predictor.load(MODEL).predict(table[FEATURES])[:, 0].astype(float)
