"""Train again, compare, and serve the new network where it is surely better (``course retrain``).

The way from new rows to a new version: have they drifted from what the served version was trained
on (section 13.4)? If so, the notebook that made it runs again, on old and new rows, through
papermill. A third of the new rows is held out: neither network has seen those, and on them the
candidate has to beat the served version. It is registered with all that led to the decision.

Nothing is in the store before the candidate is whole, so this may be stopped at any moment.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from course_utils.datasets import load_auto_mpg
from course_utils.drift import KEEP, RETRAIN, WATCH, DriftReport, compare
from course_utils.inference import (
    FeatureSchema,
    labelled_rows,
    read_examples,
    schema_path,
    shipped_model,
)
from course_utils.registry import canary, promotions, registration
from course_utils.registry import store as stores
from course_utils.registry.canary import Comparison
from course_utils.registry.training_notebook import FOLDS, NotFitToServe, train

PROMOTED, ON_TRIAL, NOT_BETTER, NOT_FIT = "promoted", "on trial", "not better", "not fit to serve"
LEAST = 20  # new rows to learn from, and to judge by
HELD_OUT = 1 / 3  # of the new rows
ASKED = 50  # recorded requests that are worth a look
TRAINING, TESTING = "training.csv", "testing.csv"  # among a record's files

Step = Callable[[int, int], None]  # cells of the notebook done, and their total


@dataclass(frozen=True)
class Outcome:
    """What `retrain` has done, and why."""

    verdict: str
    """``keep``, ``watch``, ``promoted``, ``on trial``, ``not better`` or ``not fit to serve``."""
    reasons: list[str]
    served: int
    """The version that was served before."""
    candidate: int | None = None
    """The new version, if one was registered."""
    notes: list[str] = field(default_factory=list)
    drift: dict[str, DriftReport] = field(default_factory=dict)
    """What was compared with the training data: ``new rows``, ``requests``."""
    comparison: Comparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "verdict": self.verdict,
            "reasons": self.reasons,
            "served": self.served,
            "candidate": self.candidate,
            "notes": self.notes,
            "drift": {what: report.to_dict() for what, report in self.drift.items()},
            "comparison": self.comparison.to_dict() if self.comparison else None,
        }


def retrain(
    name: str,
    rows: str | Path | pd.DataFrame,
    *,
    store: str | Path | None = None,
    requests: str | Path | None = None,
    force: bool = False,
    share: float | None = None,
    notebook: Path | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    on_cell: Step = lambda done, total: None,
) -> Outcome:
    """Do what new rows ask for: nothing, or a new version that is served if it is surely better.

    Args:
        name: of the model: ``mpg``.
        rows: a CSV file or a table: new cars with their true label.
        store: the folder of records; by default the learner's. Where it has no such model yet,
            the shipped one becomes version 1.
        requests: a folder of recorded requests, to be asked about drift, too.
        force: train even where nothing has drifted.
        share: try the candidate as a canary with this share of the requests, where it is better.
        notebook: in the place of the course's own.
        folds: parts that the notebook measures on.
        seed: of the split and of the bootstrap.
        on_cell: told how far the notebook is.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: the rows cannot be used, or the notebook failed; nothing was registered.
    """
    if share is not None and not 0 < share < 1:
        raise ValueError(f"The canary's share is {share:g}; it has to be more than 0, less than 1.")
    table = rows if isinstance(rows, pd.DataFrame) else labelled_rows.read(rows)
    state = _State.of(name, store)
    new, notes = state.new_rows(table)
    if promotions.serving(name, store=store).version is None:
        register_first(name, store=store)
    reports, more = _drift(state, new, requests)
    found = _of_drift(state, reports, notes + more)
    if found.verdict in (KEEP, WATCH) and not force:
        return found
    learn, judges = _held_out(new, state.schema, seed)
    with tempfile.TemporaryDirectory(prefix="course-retrain-") as folder:
        table = pd.concat([state.known, learn], ignore_index=True)
        began = datetime.now(UTC)
        try:
            files = train(
                name, table, Path(folder), notebook=notebook, folds=folds, on_cell=on_cell
            )
        except NotFitToServe as error:
            return replace(found, verdict=NOT_FIT, reasons=[str(error), *found.reasons])
        other = canary.Model(files[0])
        comparison = canary.judge(name, state.model, other, judges, seed=seed)
        record = registration.register(
            name,
            [*files, _written(judges, Path(folder) / TESTING)],
            training=table,
            target=state.schema.target,
            testing=judges,
            configuration={"notebook": files[-1].name, "folds": folds, "seed": seed},
            metrics=_metrics(comparison),
            started=began,
            notes=_story(state, learn, comparison),
            store=store,
        )
    comparison = replace(comparison, candidate=record.version)
    return _serve(name, store, share, replace(found, comparison=comparison))


def register_first(
    name: str,
    rows: str | Path | pd.DataFrame | None = None,
    *,
    store: str | Path | None = None,
    notebook: Path | None = None,
    folds: int = FOLDS,
    on_cell: Step = lambda done, total: None,
) -> stores.Record:
    """Register and promote the first version of a model.

    Args:
        name: of the model: ``mpg``.
        rows: to train it on; without them, the shipped model is registered.
        store: the folder of records; by default the learner's.
        notebook: in the place of the course's own.
        folds: parts that the notebook measures on.
        on_cell: told how far the notebook is.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: there is a served version already, the rows cannot be used, or the notebook
            failed; nothing was registered.
    """
    if promotions.serving(name, store=store).version is not None:
        raise ValueError(f"{name} has a served version already: `retrain` makes the next.")
    cars = load_auto_mpg()
    schema = FeatureSchema.load(schema_path(shipped_model("mpg")))
    with tempfile.TemporaryDirectory(prefix="course-retrain-") as folder:
        if rows is None:
            table, notes = cars, "The model that the course ships, trained by notebook 02."
            models = [shipped_model("mpg"), schema_path(shipped_model("mpg"))]
            files = [*models, _written(table, Path(folder) / TRAINING)]
        else:
            table = rows if isinstance(rows, pd.DataFrame) else labelled_rows.read(rows)
            table = labelled_rows.check(table, schema, gaps=_gaps(cars))
            table, notes = table.reindex(columns=cars.columns), "Trained by `register_first`."
            files = train(
                name, table, Path(folder), notebook=notebook, folds=folds, on_cell=on_cell
            )
        record = registration.register(
            name, files, training=table, target=schema.target, notes=notes, store=store
        )
    promotions.promote(name, record.version, store=store, reason="the first version")
    return record


@dataclass(frozen=True)
class _State:
    """The served version, and the rows it knows."""

    model: canary.Model
    training: pd.DataFrame
    """What it was trained on."""
    known: pd.DataFrame
    """Besides, what it was judged by: its successor may learn from those, too."""

    @classmethod
    def of(cls, name: str, store: str | Path | None) -> "_State":
        version = promotions.serving(name, store=store).version
        if version is None:
            if stores.versions(name, store=store):
                raise ValueError(promotions.nothing_promoted(name, store))
            return cls.shipped()
        model = canary.verified(name, version, store)
        files = registration.load(name, version, store=store).model.parent
        if not (files / TRAINING).is_file():
            raise ValueError(
                f"Version {version} of {name} does not keep the rows it was trained on: register "
                f"it again with {TRAINING} among its files."
            )
        training = labelled_rows.read(files / TRAINING)
        tables = [training]
        if (files / TESTING).is_file():
            tables.append(labelled_rows.read(files / TESTING))
        return cls(model, training, pd.concat(tables, ignore_index=True))

    @classmethod
    def shipped(cls) -> "_State":
        """As it will be with the shipped model as version 1."""
        cars = load_auto_mpg()
        return cls(canary.Model(shipped_model("mpg"), version=1), cars, cars)

    @property
    def schema(self) -> FeatureSchema:
        return self.model.schema

    @property
    def names(self) -> list[str]:
        """The columns that matter."""
        return [*self.schema.names, self.schema.target]

    def new_rows(self, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Those of the rows that are new, checked, and what there is to say about the others."""
        checked = labelled_rows.check(table, self.schema, gaps=_gaps(self.training))
        new = labelled_rows.unknown_to(self.known, checked, self.names)
        old = len(checked) - len(new)
        said = f"{old:,} of {len(checked):,} rows are known already, or there twice." if old else ""
        complete = len(new[self.names].dropna())
        if complete < 2 * LEAST:
            raise ValueError(
                f"{complete} new rows without a gap are too few: {LEAST} to learn from and "
                f"{LEAST} to judge by are needed. {said}".strip()
            )
        return new.reindex(columns=self.training.columns), [said] if said else []


def _gaps(training: pd.DataFrame) -> tuple[str, ...]:
    """Columns that may have gaps: those that had some, and so were filled."""
    return tuple(str(name) for name in training if training[name].isna().any())


def _drift(
    state: _State, new: pd.DataFrame, requests: str | Path | None
) -> tuple[dict[str, DriftReport], list[str]]:
    # With the label: where the same cars go farther than they did, there is something to learn.
    known = state.training[state.names].dropna()
    reports = {"new rows": compare(known, new[state.names].dropna())}
    if requests is None:
        return reports, []
    asked = read_examples(requests)
    if len(asked) < ASKED:
        return reports, [f"{len(asked)} requests are too few to tell drift by; {ASKED} would do."]
    names = state.schema.names
    reports["requests"] = compare(known[names], asked[names])
    return reports, []


def _of_drift(state: _State, reports: dict[str, DriftReport], notes: list[str]) -> Outcome:
    gravest = max(
        reports.values(), key=lambda report: (KEEP, WATCH, RETRAIN).index(report.decision)
    )
    return Outcome(
        verdict=gravest.decision,
        reasons=gravest.reasons,
        served=state.model.version,
        notes=notes,
        drift=reports,
    )


def _held_out(
    new: pd.DataFrame, schema: FeatureSchema, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from and to judge by; one with a gap, which no service takes, only teaches."""
    gap = new[[*schema.names, schema.target]].isna().any(axis=1)
    learn, judges = labelled_rows.split(new[~gap], share=HELD_OUT, least=LEAST, seed=seed)
    return pd.concat([learn, new[gap]]).sort_index(), judges


def _written(table: pd.DataFrame, file: Path) -> Path:
    table.to_csv(file, index=False)
    return file


def _metrics(found: Comparison) -> dict[str, float]:
    assert found.errors is not None  # the rows have labels
    low, high = found.errors.interval
    return {
        "served_rmse": found.errors.rmse[0],
        "rmse_difference_low": low,
        "rmse_difference_high": high,
    }


def _story(state: _State, learn: pd.DataFrame, found: Comparison) -> str:
    return (
        f"Trained by `course retrain` on {len(state.known):,} known and {len(learn):,} new rows, "
        f"and compared with version {state.model.version}: {found.reasons[0]}"
    )


def _serve(name: str, store: str | Path | None, share: float | None, found: Outcome) -> Outcome:
    """Promote the candidate, or try it, or neither."""
    comparison = found.comparison
    assert comparison is not None
    version, why = comparison.candidate, comparison.reasons
    found = replace(found, candidate=version, reasons=[*why, *found.reasons])
    if comparison.verdict != canary.PROMOTE:
        return replace(found, verdict=NOT_BETTER)
    before, reason = found.served, why[0]
    try:
        if share:
            promotions.try_canary(name, version, share, store=store, reason=reason, beside=before)
            return replace(found, verdict=ON_TRIAL)
        promotions.promote(name, version, store=store, reason=reason, instead_of=before)
    except promotions.Overtaken as error:
        said = f"{error} With that one nothing was compared."
        return replace(found, verdict=NOT_BETTER, reasons=[said, *found.reasons])
    return replace(found, verdict=PROMOTED)
