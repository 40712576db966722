"""Register a trained model, with all that can be known of it.

Uber's Michelangelo keeps such a record of every model (Hermann and Del Balso, 2017), so that
nobody has to ask later where a number came from. `register` fills one by itself and never changes
it again; `promote`, `try_canary` and `roll_back` say which version a service answers with.
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic_core import to_jsonable_python

from course_utils.environment import __version__
from course_utils.inference import KERAS_SUFFIXES, Predictor, keras_to_litert
from course_utils.registry import content, scores
from course_utils.registry import store as stores
from course_utils.registry.charts import draw_charts
from course_utils.registry.promotions import find_person, format_time
from course_utils.registry.record import Scores
from course_utils.registry.store import CHARTS, FILES, TOLERANCE, Record


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
) -> Record:
    """Keep a trained model, with all that can be known of it, as a new version.

    It is whole or not there at all; nothing is served yet (`promote` does that).

    Args:
        name: of the model: up to 60 of a-z, 0-9, ``_`` and ``-``.
        files: the model to serve (``.tflite``, ``.keras`` or ``.h5``) and what belongs to it: its
            ``NAME.schema.json``, weights, labels, the notebook. They are copied.
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
        store: the folder of records; by default ``records`` in the learner's folder.

    Returns:
        The record; its ``version`` is one more than the last.

    Raises:
        FileNotFoundError: one of the files is not there.
        ValueError: a file is a pickle, the data do not fit the model, or a metric is computed
            already or no number; the message says more.
        OSError: the store cannot be written.
    """
    if taken := sorted(Scores.model_fields.keys() & (metrics or {}).keys()):
        raise ValueError(f"{taken[0]} is computed here: give your own metric another name.")
    folder = stores.locate(name, store)
    paths = stores.check_files(files)
    saved = datetime.fromtimestamp(paths[0].stat().st_mtime, UTC)
    told = {
        "name": name,
        "notes": notes,
        "registered": format_time(datetime.now(UTC)),
        "trained": {
            "by": find_person(),
            "started": format_time(started) if started else None,
            "ended": format_time(saved),
        },
        "configuration": {"given": to_jsonable_python(configuration or {}, fallback=_plain)},
    }
    with stores.open_draft(folder) as draft:
        for part in (FILES, CHARTS):
            (draft / part).mkdir()
        # Without its permissions: a file that is read-only could not be synced to the disk.
        copies = [Path(shutil.copyfile(path, draft / FILES / path.name)) for path in paths]
        names = [*scores.find_features(copies, training, target), target]
        tables = {"training": content.read_numbers(training, names, "training")}
        if testing is not None:
            tables["testing"] = content.read_numbers(testing, names, "testing")
        found = _describe(copies[0], tables, draft / CHARTS)
        found["metrics"]["given"] = to_jsonable_python(metrics or {}, fallback=_plain)
        version = stores.publish(draft, told | found)
    return stores.read(name, version, store=store)


def _describe(file: Path, tables: dict[str, pd.DataFrame], charts: Path) -> dict[str, Any]:
    """All that can be found out without being told; draws the charts, too."""
    network = keras_to_litert(file) if file.suffix in KERAS_SUFFIXES else file.read_bytes()
    model, role = Predictor(network), list(tables)[-1]
    *features, target = tables["training"].columns
    found = scores.predict_examples(model, tables[role], role)
    importance = scores.rank_features(model, found)
    columns = {
        name: {side: content.describe_column(table[name]) for side, table in tables.items()}
        for name in (*features, target)
    }
    computed = scores.compute_metrics(found)
    return {
        "model": {"file": file.name, "features": features, "target": target},
        "data": {side: content.summarize_table(table) for side, table in tables.items()},
        "distributions": columns,
        "parameters": {"source": file.name, "count": content.count_parameters(network)},
        "code": {"course": __version__},
        "environment": content.describe_environment(),
        "metrics": {"rows": role, "count": len(found.X), "computed": computed},
        "importance": importance,
        "golden": {"tolerance": TOLERANCE, "rows": scores.choose_golden(model, found)},
        "charts": draw_charts(charts, found, importance, tables),
    }


def _plain(value: Any) -> Any:
    """What JSON can hold of a value that it does not know."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
