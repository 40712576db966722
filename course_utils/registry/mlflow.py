"""Versions of a model in a store of MLflow's, for its page to list and compare.

An experiment per model, a run and a version of MLflow's registry per version of ours, in a
SQLite database with the files beside it. Services do not read it: they follow our own store.
"""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.common import LOCK_TIMEOUT_S, machine_lock
from course_utils.registry.promotions import read_serving
from course_utils.registry.store import CHARTS, FILES, RECORD, SEAL, ModelVersion
from course_utils.registry.verification import verify

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "mlflow.db"
SEAL_TAG, VERSION_TAG = "record.sha256", "record.version"


def export(version: ModelVersion, folder: str | Path) -> str:
    """Write a version into an MLflow store, and which version is served or on trial now.

    Args:
        version: of the model; it is verified first.
        folder: with ``mlflow.db`` and ``artifacts/``; made where it is missing.

    Returns:
        The run; the one that is there where this version has been exported before.

    Raises:
        ValueError: a file of the version is not as it was registered, or MLflow refuses it.
        OSError: the folder cannot be written.
        ImportError: mlflow-skinny, sqlalchemy or alembic is not installed.
    """
    verify(version)
    # Both are heeded where they are set before the import.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # else it lists the tables it makes
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    seal = (version.folder / SEAL).read_text("utf-8").split()[0]
    try:
        with machine_lock(folder).acquire(timeout=LOCK_TIMEOUT_S):  # two would both make the tables
            client = MlflowClient(f"sqlite:///{(folder / DATABASE).as_posix()}")
            run = _list_exported(client, version.name, SEAL_TAG).get(seal)
            run_id = run.run_id if run else _write_run(client, folder, version, seal)
            _set_aliases(client, version)
    except (MlflowException, SQLAlchemyError) as error:
        raise ValueError(
            f"MLflow does not take version {version.number} of {version.name} into "
            f"{folder / DATABASE}: {str(error).splitlines()[0]}"
        ) from error
    return run_id


def _list_exported(client: "MlflowClient", name: str, tag: str) -> dict[str, Any]:
    """The model's versions in MLflow's registry, by what one of their tags says."""
    found = client.search_model_versions(f"name = '{name}'")
    return {entry.tags.get(tag): entry for entry in found}


def _find_experiment(client: "MlflowClient", name: str, folder: Path) -> str:
    """The experiment of a model; it and the model's entry in the registry are made where new."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    if experiment := client.get_experiment_by_name(name):
        return experiment.experiment_id
    return client.create_experiment(name, (folder / "artifacts" / name).as_uri())


def _write_run(client: "MlflowClient", folder: Path, version: ModelVersion, seal: str) -> str:
    from mlflow.entities import Metric, Param

    document = version.document
    trained, scored = document["trained"], document["metrics"]
    given = document["configuration"]["given"]
    ended = _to_milliseconds(trained["ended"])
    info = client.create_run(
        _find_experiment(client, version.name, folder),
        start_time=_to_milliseconds(trained["started"] or trained["ended"]),
        tags={"mlflow.user": trained["by"], "mlflow.note.content": document["notes"]},
        run_name=f"{version.name} {version.number}",
    ).info
    metrics = (scored["given"] | scored["computed"]).items()
    client.log_batch(
        info.run_id,
        metrics=[
            Metric(_spell_key(key), value, ended, 0) for key, value in metrics if value is not None
        ],
        params=[Param(_spell_key(key), str(value)) for key, value in given.items()],
    )
    client.log_artifact(info.run_id, str(version.folder / RECORD))
    for part in (FILES, CHARTS):
        client.log_artifacts(info.run_id, str(version.folder / part), part)
    client.set_terminated(info.run_id, end_time=ended)
    client.create_model_version(  # last: what was interrupted counts as never exported
        version.name,
        f"{info.artifact_uri}/{FILES}",
        info.run_id,
        tags={VERSION_TAG: str(version.number), SEAL_TAG: seal},
        description=document["notes"],
    )
    return info.run_id


def _set_aliases(client: "MlflowClient", version: ModelVersion) -> None:
    state = read_serving(version.name, store=version.folder.parents[1])
    exported = _list_exported(client, version.name, VERSION_TAG)
    for alias, number in (("production", state.version), ("canary", state.canary)):
        if found := exported.get(str(number)):
            client.set_registered_model_alias(version.name, alias, str(found.version))
        else:
            client.delete_registered_model_alias(version.name, alias)


def _spell_key(key: str) -> str:
    """Spell a key as MLflow allows it: with letters, digits, ``_``, ``-`` and ``.``."""
    return re.sub(r"[^\w.-]", "_", key, flags=re.ASCII).strip(".")[:200] or "_"


def _to_milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
