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
from course_utils.inference import labels_path, refuse_pickle, schema_path
from course_utils.registry import content, scores
from course_utils.registry import store as stores
from course_utils.registry.charts import draw_charts
from course_utils.registry.models import FILE, Model
from course_utils.registry.promotions import find_person, format_time
from course_utils.registry.store import CHARTS, FILES, FORMAT, ModelVersion
from course_utils.registry.verification import choose_golden


def register(
    name: str,
    files: Sequence[str | Path],
    *,
    training: pd.DataFrame,
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
        files: the model to serve (``NAME.tflite``) and what lies beside it: ``NAME.schema.json`` if
            it takes numbers, ``NAME.labels.json`` if it is a classifier, that one alone if it
            takes photos. Then what else belongs to it, such as the code that trained it, which
            `retrain` runs again (`training_code`). They are copied.
        training: the rows it was trained on, with the features and the target that the schema
            names. Of photos, a table with a column ``file`` and a column ``label``.
        testing: rows it has not seen. Metrics and importance are computed on them, else on the
            training rows.
        configuration: how it was trained: epochs, seed and so on.
        metrics: numbers besides those that `scores.compute_metrics` computes.
        started: when the training began; without a zone, this machine's time. It ended when the
            model was saved.
        notes: what else a reader has to know, such as what the model is meant for.
        store: the folder of versions; by default ``records`` in the learner's folder.

    Returns:
        The version; its number is one more than the last.

    Raises:
        FileNotFoundError: one of the files is not there.
        ValueError: a file is a pickle or no model, neither schema nor class names are among them,
            or the data do not fit them; the message says more.
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
        model = Model(copies[0])
        given = {"training": training} | ({} if testing is None else {"testing": testing})
        tables = {role: content.read_table(table, model, role) for role, table in given.items()}
        contract = {"file": copies[0].name, "features": model.features, "target": model.target}
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
            "model": contract | ({"classes": model.labels} if model.labels else {}),
            "configuration": {"given": configuration or {}},
            **_describe_tables(tables),
            "parameters": {"count": content.count_parameters(copies[0])},
            "code": {"course": __version__},
            "environment": content.describe_environment(),
            **_describe_predictions(model, tables, draft, metrics or {}),
        }
        plain = to_jsonable_python(document, inf_nan_mode="null", fallback=_make_plain)
        number = stores.publish(draft, plain)
    return stores.read(name, number, store=store)


def _check_files(files: Sequence[str | Path]) -> list[Path]:
    """Return the paths; raise ValueError unless these files can make a version."""
    paths = [Path(file) for file in files]
    names = [path.name for path in paths]
    beside = {schema_path(paths[0]).name, labels_path(paths[0]).name} if paths else set()
    if not paths or paths[0].suffix != ".tflite" or not beside.intersection(names):
        raise ValueError(
            "The first file is the model to serve, NAME.tflite. Among the others has to be "
            "NAME.schema.json (it takes numbers; see notebook 02) or NAME.labels.json (it takes "
            "photos; see notebook 10), or both (it classifies rows of numbers)."
        )
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("Two of the files have the same name: rename one.")
    for path in paths:
        refuse_pickle(path)
    return paths


def _make_plain(value: Any) -> Any:
    """What JSON can hold of a value in the configuration: NumPy's as numbers, others as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _describe_tables(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "data": {
            role: {
                "rows": len(table),
                "columns": list(table.columns),
                "sha256": content.hash_table(table),
            }
            for role, table in tables.items()
        },
        "distributions": {
            name: {role: content.describe_column(table[name]) for role, table in tables.items()}
            for name in tables["training"]
            if name != FILE
        },
    }


def _describe_predictions(
    model: Model, tables: dict[str, pd.DataFrame], draft: Path, given: Mapping[str, float]
) -> dict[str, Any]:
    """How well the model predicts the testing rows, else the training rows; draws the charts."""
    role = list(tables)[-1]
    rows, answers = scores.predict_complete_rows(model, tables[role], role)
    truth, decided = model.read_truth(rows), model.decide(answers)
    found: dict[str, Any] = {
        "metrics": {
            "rows": role,
            "count": len(rows),
            "computed": scores.compute_metrics(model, truth, answers),
            "given": {key: float(value) for key, value in given.items()},
        },
        "golden": {"rows": choose_golden(model, rows, answers, draft)},
    }
    if model.labels:
        found["confusions"] = scores.count_confusions(truth, decided, model.labels)
    if model.schema:
        ranking = scores.rank_features(model, rows)
        found["importance"] = {"rows": role, "repeats": scores.REPEATS, "features": ranking}
    return found | {"charts": draw_charts(draft / CHARTS, found, truth, decided, tables)}
