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
from course_utils.inference import refuse_pickle, schema_path
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
        files: the model to serve (``NAME.tflite``), its ``NAME.schema.json``, and what else belongs
            to it, such as weights or the notebook. They are copied.
        training: the rows it was trained on, with the features and the target that the schema
            names.
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
        ValueError: a file is a pickle or no model, the schema is not among them, or the data do
            not fit it; the message says more.
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
        model = scores.Model(copies[0])
        *features, target = model.columns
        tables = _read_tables(model.columns, training=training, testing=testing)
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
            "model": {"file": copies[0].name, "features": features, "target": target},
            "configuration": {"given": configuration or {}},
            **_describe_tables(tables),
            "parameters": {"count": content.count_parameters(copies[0])},
            "code": {"course": __version__},
            "environment": content.describe_environment(),
            **_describe_predictions(model, tables, draft / CHARTS, metrics or {}),
        }
        plain = to_jsonable_python(document, inf_nan_mode="null", fallback=_make_plain)
        number = stores.publish(draft, plain)
    return stores.read(name, number, store=store)


def _check_files(files: Sequence[str | Path]) -> list[Path]:
    """Return the paths; raise ValueError unless these files can make a version."""
    paths = [Path(file) for file in files]
    names = [path.name for path in paths]
    if not paths or paths[0].suffix != ".tflite" or schema_path(paths[0]).name not in names:
        raise ValueError(
            "The first file is the model to serve, NAME.tflite, and NAME.schema.json has to be "
            "among the others: see notebook 02."
        )
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("Two of the files have the same name: rename one.")
    for path in paths:
        refuse_pickle(path)
    return paths


def _make_plain(value: Any) -> Any:
    """What JSON can hold of a value in the configuration: NumPy's as numbers, others as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _read_tables(columns: list[str], **tables: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """The numbers of the tables that were given, by role."""
    return {
        role: content.read_numbers(table, columns, role)
        for role, table in tables.items()
        if table is not None
    }


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
        },
    }


def _describe_predictions(
    model: scores.Model, tables: dict[str, pd.DataFrame], charts: Path, given: Mapping[str, float]
) -> dict[str, Any]:
    """How well the model predicts the testing rows, else the training rows; draws the charts."""
    role = list(tables)[-1]
    rows, predicted = scores.predict_complete_rows(model, tables[role], role)
    truth, ranking = rows[model.schema.target].to_numpy(), scores.rank_features(model, rows)
    return {
        "metrics": {
            "rows": role,
            "count": len(rows),
            "computed": scores.compute_metrics(truth, predicted),
            "given": {key: float(value) for key, value in given.items()},
        },
        "importance": {"rows": role, "repeats": scores.REPEATS, "features": ranking},
        "golden": {"rows": scores.choose_golden(model, rows, predicted)},
        "charts": draw_charts(charts, truth, predicted, ranking, tables),
    }
