"""Records of the MPG model that tests read; who changes one takes a copy."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from course_utils import registry
from course_utils.datasets import load_auto_mpg
from tests.support.serving import MODEL

FEATURES = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin"]
CARS = load_auto_mpg().dropna()  # the name of each car among the columns
TRAINING, TESTING = CARS.iloc[:300], CARS.iloc[300:]
FILES = [MODEL, MODEL.with_name("mpg.schema.json"), MODEL.with_name("mpg.weights.h5")]
STARTED, ENDED = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 1, 31, 12, 5, tzinfo=UTC)
Register = Callable[..., registry.Record]


def register(store: Path, name: str = "mpg", **changed: Any) -> registry.Record:
    """The shipped model, registered as notebook 12 does."""
    told: dict[str, Any] = {
        "files": FILES[:2],
        "training": TRAINING,
        "testing": TESTING,
        "target": "mpg",
    }
    told |= changed
    return registry.register(name, told.pop("files"), store=store, **told)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two versions: all that can be told of a model, and no more than has to be."""
    store = tmp_path_factory.mktemp("records")
    chart = store / "loss.svg"
    chart.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "utf-8")
    register(
        store,
        files=FILES,
        configuration={"epochs": 100, "seed": 7, "layers": (64, 64)},
        metrics={"epochs_run": 42},
        started=STARTED,
        ended=ENDED,
        charts=[chart],
        notes="For cars of 1970 to 1982.",
    )
    register(store, testing=None, training=CARS[[*FEATURES, "mpg"]])
    return store


@pytest.fixture
def store(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(kept, tmp_path / "store"))


@pytest.fixture
def record(kept: Path) -> registry.Record:
    return registry.load("mpg", 1, store=kept)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is registered without naming a store does not go to whoever runs the tests."""
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))


def table(rows: int, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """Some of the training rows, with some columns replaced."""
    return TRAINING.sample(rows, random_state=seed).assign(**columns)
