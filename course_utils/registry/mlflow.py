"""A record as MLflow keeps its runs and models: plain files, which need no MLflow to be written.

The folder is a file store (``mlflow ui --backend-store-uri FOLDER``, or ``mlflow
migrate-filestore`` into a data base); the run's artifact ``model`` is what
``mlflow.pyfunc.load_model`` takes. MLflow reads YAML, of which JSON is a part.
"""

import hashlib
import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.inference import Predictor
from course_utils.registry.store import SEAL, Record, draft, names, read, versions
from course_utils.registry.verification import verify

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FINISHED, LOCAL = 3, 4  # as MLflow numbers a run's status and its source
LONGEST = 6_000  # characters of a parameter


def export(record: Record, folder: str | Path) -> Path:
    """Write a record into an MLflow file store: an experiment a model, a run a version.

    Args:
        record: of the model; it is verified first.
        folder: the file store; made where it is missing.

    Returns:
        The run's folder; as it is, where this version has been exported to it before.

    Raises:
        ValueError: a file of the record is not as it was registered.
        OSError: the folder cannot be written.
    """
    verify(record)
    root = Path(folder).absolute()
    experiment = str(int(_id(record.name)[:14], 16))
    run = _id((record.folder / SEAL).read_text("utf-8"))
    target = root / experiment / run
    if target.exists():
        return target
    with draft(root / experiment) as new:
        _write(new, record, experiment, target)
        _experiment(root / experiment, record)
        new.rename(target)
    return target


def _write(new: Path, record: Record, experiment: str, target: Path) -> None:
    document = record.document
    trained, scored = document["trained"], document["metrics"]
    ended = _milliseconds(trained["ended"])
    _json(
        new / "meta.yaml",
        artifact_uri=(target / "artifacts").as_uri(),
        end_time=ended,
        entry_point_name="",
        experiment_id=experiment,
        lifecycle_stage="active",
        run_id=target.name,
        run_name=f"{record.name} {record.version}",
        source_name="",
        source_type=LOCAL,
        source_version="",
        start_time=_milliseconds(trained["started"] or trained["ended"]),
        status=FINISHED,
        tags=[],
        user_id=trained["by"],
    )
    _texts(new / "params", document["configuration"]["given"])
    metrics = {k: v for k, v in (scored["computed"] | scored["given"]).items() if v is not None}
    _texts(new / "metrics", {name: f"{ended} {value!r} 0" for name, value in metrics.items()})
    tags = {"mlflow.runName": f"{record.name} {record.version}", "mlflow.user": trained["by"]}
    tags |= {"mlflow.note.content": document["notes"]} if document["notes"] else {}
    tags |= {"training.sha256": document["data"]["training"]["sha256"]}
    _texts(new / "tags", tags)
    model = new / "artifacts" / "model"
    shutil.copytree(record.folder, model / "data" / record.name / record.folder.name)
    python = {"python_version": document["environment"]["python"], "env": {}}
    _json(
        model / "MLmodel",
        artifact_path="model",
        flavors={"python_function": {"loader_module": __name__, "data": "data", **python}},
        run_id=target.name,
        model_uuid=target.name,
        utc_time_created=f"{datetime.fromisoformat(document['registered']):%Y-%m-%d %H:%M:%S.%f}",
        metadata={key: document["model"][key] for key in ("features", "target")},
    )


def _experiment(folder: Path, record: Record) -> None:
    if not (folder / "meta.yaml").exists():
        time = _milliseconds(record.document["registered"])
        _json(
            folder / "meta.yaml",
            artifact_location=folder.as_uri(),
            creation_time=time,
            experiment_id=folder.name,
            last_update_time=time,
            lifecycle_stage="active",
            name=record.name,
        )


def _load_pyfunc(path: str) -> "Model":
    """What ``mlflow.pyfunc.load_model`` calls, with the folder ``data``."""
    (name,) = names(store=path)
    return Model(read(name, versions(name, store=path)[0], store=path))


class Model:
    """A record's model as MLflow calls it; verified before it is loaded."""

    def __init__(self, record: Record):
        self._features = record.document["model"]["features"]
        verify(record)
        self._predictor = Predictor.load(record.model)

    def predict(self, table: "pd.DataFrame", params: object = None) -> "np.ndarray[Any, Any]":
        """The target of each row; columns are matched by name."""
        return self._predictor.predict(table[self._features].to_numpy(dtype=float))[:, 0]


def _texts(folder: Path, values: dict[str, Any]) -> None:
    """A file a value, on one line, called by its key: letters, digits, ``_``, ``-``, ``.``."""
    folder.mkdir()
    for key, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        name = re.sub(r"[^\w.-]", "_", key, flags=re.ASCII).lstrip(".")[:200] or "_"
        (folder / name).write_text(" ".join(text.split())[:LONGEST], encoding="utf-8")


def _json(path: Path, **content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
