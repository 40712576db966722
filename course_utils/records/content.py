"""Fills the record of a model: all that can be found out without being told."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from course_utils.predictor import Predictor
from course_utils.records import data, scores
from course_utils.records.serving import now, person
from course_utils.records.store import FILES, FORMAT
from course_utils.records.verify import TOLERANCE


def fill(
    folder: Path,
    paths: list[Path],
    training: pd.DataFrame,
    testing: pd.DataFrame | None,
    *,
    target: str,
    configuration: dict[str, Any],
    metrics: dict[str, float],
    times: tuple[datetime | None, datetime | None],
    charts: list[Path],
) -> dict[str, Any]:
    """Copy the files into ``folder``, draw the charts there, and describe it all.

    Arguments and errors: see `records.register`.
    """
    (folder / FILES).mkdir()
    files = [Path(shutil.copy(path, folder / FILES)) for path in paths]
    features = scores.model_features(files, training, target)
    model = Predictor.load(files[0])
    role, table = ("training", training) if testing is None else ("testing", testing)
    found = scores.examples(model, table, features, target, role)
    ranking = scores.importance(model, found)
    return {
        "format": FORMAT,
        "registered": now(),
        "trained": {"by": person()},
        "model": {"file": files[0].name, "features": features, "target": target},
        "configuration": {"given": configuration},
        "data": {
            "training": data.summary(training),
            "testing": None if testing is None else data.summary(testing),
        },
        "distributions": data.distributions(training, testing),
        "importance": {"rows": role, "features": ranking},
        "metrics": {"rows": role, "computed": scores.metrics(found), "given": metrics},
        "golden": {"tolerance": TOLERANCE, "rows": scores.golden(model, found, ranking)},
        "code": {"course": "0"},
    }
