"""Register a trained model, with all that can be known of it, and load it again.

Uber's Michelangelo keeps such a record of every model (Hermann and Del Balso, 2017), so that
nobody has to ask later where a number came from. `register` fills one by itself and never changes
it again; `promote`, `try_canary` and `roll_back` say which version a service answers with.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.registry.promotions import serving
from course_utils.registry.store import (
    Record,
    check_files,
    draft,
    folder_of,
    publish,
    read,
    versions,
)

if TYPE_CHECKING:
    import pandas as pd


def register(
    name: str,
    files: Sequence[str | Path],
    *,
    training: "pd.DataFrame",
    target: str,
    testing: "pd.DataFrame | None" = None,
    configuration: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    started: datetime | None = None,
    ended: datetime | None = None,
    charts: Sequence[str | Path] | None = None,
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
        started: when the training began; without a zone, this machine's time.
        ended: when it ended; by default when the model was saved.
        charts: pictures to keep besides the standard ones, ``.png`` or ``.svg``.
        notes: what else a reader has to know, such as what the model is meant for.
        store: the folder of records; by default ``records`` in the learner's folder.

    Returns:
        The record; its ``version`` is one more than the last.

    Raises:
        FileNotFoundError: one of the files is not there.
        ValueError: a file is a pickle, or the data do not fit the model; the message says more.
        OSError: the store cannot be written.
    """
    from course_utils.registry.content import Given, fill

    folder = folder_of(name, store)
    paths = check_files(files)
    with draft(folder) as new:
        given = Given(
            paths,
            training,
            testing,
            target,
            dict(configuration or {}),
            dict(metrics or {}),
            started,
            ended,
            [Path(chart) for chart in charts or ()],
        )
        document = fill(new, given)
        version = publish(new, {"name": name, "notes": notes} | document)
    return read(name, version, store=store)


def load(name: str, version: int | None = None, *, store: str | Path | None = None) -> Record:
    """A version; without one, the version being served, else the newest.

    Only the record itself is checked against its digest; `verify` checks everything.

    Raises:
        FileNotFoundError: no such version.
        ValueError: the record was changed.
    """
    if version is None:
        version = serving(name, store=store).version
    if version is None:
        version = max(versions(name, store=store), default=1)
    return read(name, version, store=store)
