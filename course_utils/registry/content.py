"""Fills the record of a model: all that can be found out without being told."""

import math
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.inference import Predictor
from course_utils.registry import charts, data, network, origin, scores
from course_utils.registry.store import CHARTS, FILES, FORMAT
from course_utils.registry.verification import TOLERANCE


@dataclass(frozen=True)
class Given:
    """What `register` was told."""

    files: list[Path]
    training: pd.DataFrame
    testing: pd.DataFrame | None
    target: str
    configuration: dict[str, Any]
    metrics: dict[str, float]
    started: datetime | None
    ended: datetime | None
    charts: list[Path]


def fill(folder: Path, given: Given) -> dict[str, Any]:
    """Copy the files into ``folder``, draw the charts there, and describe it all.

    Raises:
        ValueError, FileNotFoundError: as `register`.
    """
    scores.check_given(given.metrics)
    for name in (FILES, CHARTS):
        (folder / name).mkdir()
    # Without its permissions: a file that is read-only could not be written safely to the disk.
    files = [Path(shutil.copyfile(path, folder / FILES / path.name)) for path in given.files]
    names = [*scores.model_features(files, given.training, given.target), given.target]
    tables = {"training": data.numbers(given.training, names, "training")}
    if given.testing is not None:
        tables["testing"] = data.numbers(given.testing, names, "testing")
    model = Predictor.load(files[0])
    role = list(tables)[-1]
    found = scores.examples(model, tables[role], role)
    document = _document(given, files, tables) | _judged(model, found, role, given.metrics)
    drawn = charts.draw(folder / CHARTS, document, found)
    document["charts"] = [*drawn, *charts.bring(folder / CHARTS, given.charts)]
    return document


def _document(given: Given, files: list[Path], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    *features, target = tables["training"].columns
    return {
        "format": FORMAT,
        "registered": origin.now(),
        "trained": _trained(given),
        "model": {"file": files[0].name, "features": features, "target": target},
        "configuration": {
            "given": plain(given.configuration),
            "keras": plain(network.architecture(files)),
        },
        "data": {"testing": None} | {role: data.summary(table) for role, table in tables.items()},
        "distributions": data.distributions(tables["training"], tables.get("testing")),
        "parameters": network.parameters(files),
        "code": origin.code(),
        "environment": origin.environment(),
    }


def _judged(
    model: Predictor, found: scores.Examples, role: str, given: dict[str, float]
) -> dict[str, Any]:
    ranking = scores.importance(model, found)
    method = {"rows": role, "repeats": scores.REPEATS, "seed": scores.SEED}
    computed = {"rows": role, "count": len(found.X), "computed": scores.metrics(found)}
    return {
        "metrics": computed | {"given": plain(given)},
        "importance": method | {"features": ranking},
        "golden": {"tolerance": TOLERANCE, "rows": scores.golden(model, found, ranking)},
    }


def _trained(given: Given) -> dict[str, Any]:
    saved = datetime.fromtimestamp(given.files[0].stat().st_mtime, UTC)
    started, ended = given.started, given.ended or saved
    if started and started.astimezone(UTC) > ended.astimezone(UTC):
        raise ValueError(f"The training ended ({ended}) before it started ({started}).")
    return {
        "by": origin.person(),
        "started": origin.moment(started) if started else None,
        "ended": origin.moment(ended),
    }


def plain(value: Any) -> Any:
    """What JSON can hold of a value; NaN and infinities, which it cannot, become None."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
