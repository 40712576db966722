"""Register a trained model, with all that can be known of it.

Uber's Michelangelo keeps such a record of every model (Hermann and Del Balso, 2017), so that
nobody has to ask later where a number came from. What ``record.json`` holds is said here, but for
``files`` and ``version`` (`store.publish`).
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic_core import to_jsonable_python

from course_utils.environment import __version__
from course_utils.inference import Predictor, refuse_pickle
from course_utils.registry import content, scores
from course_utils.registry import store as stores
from course_utils.registry.charts import draw_charts
from course_utils.registry.promotions import find_person, format_time
from course_utils.registry.store import CHARTS, FILES, FORMAT, ModelVersion


def register(
    name: str,
    files: Sequence[str | Path],
    *,
    training: pd.DataFrame,
    target: str,
    testing: pd.DataFrame | None = None,
    configuration: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    started: datetime | None = None,
    notes: str = "",
    store: str | Path | None = None,
) -> ModelVersion:
    """Keep a trained model, with all that can be known of it, as a new version.

    It is whole or not there at all; nothing is served yet (`promote` does that).

    Args:
        name: of the model: up to 60 of a-z, 0-9, ``_`` and ``-``.
        files: the model to serve (``.tflite``) and what belongs to it: its ``NAME.schema.json``,
            weights, labels, the notebook. They are copied.
        training: the rows it was trained on, features and target.
        target: the column that it predicts; the others are the features, unless the schema beside
            the model names them.
        testing: rows it has not seen. Metrics and importance are computed on them, else on the
            training rows.
        configuration: how it was trained: epochs, seed and so on.
        metrics: numbers besides ``rmse``, ``mae`` and ``r2``, which are computed.
        started: when the training began; without a zone, this machine's time. It ended when the
            model was saved.
        notes: what else a reader has to know, such as what the model is meant for.
        store: the folder of versions; by default ``records`` in the learner's folder.

    Returns:
        The version; its number is one more than the last.

    Raises:
        FileNotFoundError: one of the files is not there.
        ValueError: a file is a pickle or no model, or the data do not fit the model; the message
            says more.
        OSError: the store cannot be written.
    """
    folder = stores.locate(name, store)
    paths = _check_files(files)
    saved = datetime.fromtimestamp(paths[0].stat().st_mtime, UTC)
    with stores.open_draft(folder) as draft:
        for part in (FILES, CHARTS):
            (draft / part).mkdir()
        # Without its permissions: a file that is read-only could not be synced to the disk.
        copies = [Path(shutil.copyfile(path, draft / FILES / path.name)) for path in paths]
        names = [*scores.find_features(copies, training, target), target]
        tables = {"training": content.read_numbers(training, names, "training")}
        if testing is not None:
            tables["testing"] = content.read_numbers(testing, names, "testing")
        document = {
            "name": name,
            "notes": notes,
            "format": FORMAT,
            "registered": format_time(datetime.now(UTC)),
            "trained": {
                "by": find_person(),
                "started": format_time(started) if started else None,
                "ended": format_time(saved),
            },
            **_describe_model(
                copies[0], tables, draft / CHARTS, configuration or {}, metrics or {}
            ),
        }
        plain = to_jsonable_python(document, inf_nan_mode="null", fallback=_make_plain)
        number = stores.publish(draft, plain)
    return stores.read(name, number, store=store)


def _check_files(files: Sequence[str | Path]) -> list[Path]:
    """Return the paths; raise ValueError unless these files can make a version."""
    paths = [Path(file) for file in files]
    if not paths or paths[0].suffix != ".tflite":
        raise ValueError("The first file is the model to serve, a .tflite file: see notebook 02.")
    if len({path.name.casefold() for path in paths}) < len(paths):
        raise ValueError("Two of the files have the same name: rename one.")
    for path in paths:
        refuse_pickle(path)
    return paths


def _make_plain(value: Any) -> Any:
    """What JSON can hold of a value in the configuration: NumPy's as numbers, others as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _describe_model(
    file: Path,
    tables: dict[str, pd.DataFrame],
    charts: Path,
    configuration: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> dict[str, Any]:
    """All that the model and its tables say, with what the caller has said of it.

    Draws the charts, too.
    """
    model, role = Predictor.load(file), list(tables)[-1]
    *features, target = tables["training"].columns
    found = scores.predict_examples(model, tables[role], role)
    importance = scores.rank_features(model, found)
    columns = {
        name: {side: content.describe_column(table[name]) for side, table in tables.items()}
        for name in (*features, target)
    }
    return {
        "model": {"file": file.name, "features": features, "target": target},
        "configuration": {"given": configuration},
        "data": {side: content.summarize_table(table) for side, table in tables.items()},
        "distributions": columns,
        "parameters": {"count": content.count_parameters(file)},
        "code": {"course": __version__},
        "environment": content.describe_environment(),
        "metrics": {
            "rows": role,
            "count": len(found.X),
            "computed": scores.compute_metrics(found),
            "given": {key: float(value) for key, value in metrics.items()},
        },
        "importance": importance,
        "golden": {"rows": scores.choose_golden(model, found)},
        "charts": draw_charts(charts, found, importance, tables),
    }
