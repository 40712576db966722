"""Train again, compare, and serve the new network where it is surely better (``course retrain``).

The way from new rows to a new version: have they drifted from what the served version was trained
on (section 13.4)? If so, the notebook that made it runs again, on old and new rows, through
papermill. A third of the new rows is held out: neither network has seen those, and on them the
candidate has to beat the served version. It is registered with all that led to the decision.

No candidate is in the store before it is whole, so this may be stopped at any moment.
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
from course_utils.inference import labelled_rows, read_examples, schema_path, shipped_model
from course_utils.registry import canary, promotions, training_notebook
from course_utils.registry.canary import SEED, Comparison
from course_utils.registry.registration import register
from course_utils.registry.store import Record, versions
from course_utils.registry.training_notebook import FOLDS, NotFitToServe, train

PROMOTED, ON_TRIAL, NOT_BETTER, NOT_FIT = "promoted", "on trial", "not better", "not fit to serve"
MIN_ROWS = 20  # new rows to learn from, and to judge by
HELD_OUT_SHARE = 1 / 3  # of the new rows
MIN_REQUESTS = 50  # that drift can be told by
TRAINING, TESTING = "training.csv", "testing.csv"  # among a record's files

Step = Callable[[int, int], None]  # cells of the notebook done, and their total


@dataclass(frozen=True)
class Outcome:
    """What `retrain` has done, and why."""

    verdict: str
    """``keep``, ``watch``, ``promoted``, ``on trial``, ``not better`` or ``not fit to serve``."""
    reasons: list[str]
    served: int
    """The version that was served before; where it was overtaken meanwhile, that other one."""
    candidate: int | None = None
    """The new version, if one was registered."""
    notes: list[str] = field(default_factory=list)
    drift: dict[str, DriftReport] = field(default_factory=dict)
    """What was compared with the training data: ``new rows``, ``requests``."""
    comparison: Comparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return vars(self) | {
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
        on_cell: told how far the notebook is.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: no notebook makes such a model, the rows cannot be used, or the notebook
            failed; no candidate was registered.
    """
    if share is not None:
        promotions.check_share(share)
    notebook = notebook or training_notebook.find(name)
    served = _Served.load(name, store)
    new, notes = served.find_new_rows(_read_table(rows))
    if not versions(name, store=store):
        register_first(name, store=store)
    found = _look_for_drift(served, new, notes, requests)
    if found.verdict in (KEEP, WATCH) and not force:
        return found
    try:
        comparison = _train_candidate(served, new, notebook, on_cell)
    except NotFitToServe as error:
        return replace(found, verdict=NOT_FIT, reasons=[str(error), *found.reasons])
    return _serve_if_better(served, share, replace(found, comparison=comparison))


def register_first(
    name: str,
    rows: str | Path | pd.DataFrame | None = None,
    *,
    store: str | Path | None = None,
    notebook: Path | None = None,
    on_cell: Step = lambda done, total: None,
) -> Record:
    """Register and promote the first version of a model.

    Args:
        name: of the model: ``mpg``.
        rows: to train it on; without them, the shipped model is registered.
        store: the folder of records; by default the learner's.
        notebook: in the place of the course's own.
        on_cell: told how far the notebook is.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: no notebook makes such a model, there is a served version already, the rows
            cannot be used, or the notebook failed; nothing was registered.
    """
    notebook = notebook or training_notebook.find(name)
    if promotions.serving(name, store=store).version is not None:
        raise ValueError(f"{name} has a served version already: `retrain` makes the next.")
    cars, model = load_auto_mpg(), shipped_model("mpg")
    schema = canary.Model(model).schema
    with tempfile.TemporaryDirectory(prefix="course-retrain-") as folder:
        if rows is None:
            table, notes = cars, "The model that the course ships, trained by notebook 02."
            files = [model, schema_path(model), _write(table, Path(folder) / TRAINING)]
        else:
            table = labelled_rows.check(_read_table(rows), schema, gaps=_list_gaps(cars))
            table, notes = table.reindex(columns=cars.columns), "Trained by `register_first`."
            files = train(name, table, Path(folder), notebook=notebook, on_cell=on_cell)
        record = register(
            name, files, training=table, target=schema.target, notes=notes, store=store
        )
    promotions.promote(name, record.version, store=store, reason="the first version")
    return record


@dataclass(frozen=True)
class _Served:
    """The served version, or in an empty store the shipped one, and the rows it knows."""

    name: str
    store: str | Path | None
    model: canary.Model
    training: pd.DataFrame
    """What it was trained on."""
    known: pd.DataFrame
    """Besides, what it was judged by: its successor may learn from those, too."""

    @classmethod
    def load(cls, name: str, store: str | Path | None) -> "_Served":
        if not versions(name, store=store):
            cars = load_auto_mpg()
            return cls(name, store, canary.Model(shipped_model("mpg"), version=1), cars, cars)
        if promotions.serving(name, store=store).version is None:
            raise ValueError(promotions.nothing_promoted(name, store))
        record = promotions.load(name, store=store)
        model = canary.load_verified(name, record.version, store)
        training, testing = (record.model.with_name(file) for file in (TRAINING, TESTING))
        if not training.is_file():
            raise ValueError(
                f"Version {record.version} of {name} does not keep the rows it was trained on: "
                f"register it again with {TRAINING} among its files."
            )
        tables = [labelled_rows.read(file) for file in (training, testing) if file.is_file()]
        return cls(name, store, model, tables[0], pd.concat(tables, ignore_index=True))

    @property
    def columns(self) -> list[str]:
        """Features and label."""
        return [*self.model.schema.names, self.model.schema.target]

    def find_new_rows(self, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Those of the rows that are new, checked, and what there is to say about the others."""
        gaps = _list_gaps(self.training)
        checked = labelled_rows.check(table, self.model.schema, gaps=gaps)
        new = labelled_rows.drop_known(self.known, checked, self.columns)
        old = len(checked) - len(new)
        said = f"{old:,} of {len(checked):,} rows are known already, or there twice." if old else ""
        complete = len(new[self.columns].dropna())
        if complete < 2 * MIN_ROWS:
            raise ValueError(
                f"{complete} new rows without a gap are too few: {MIN_ROWS} to learn from and "
                f"{MIN_ROWS} to judge by are needed. {said}".strip()
            )
        return new.reindex(columns=self.training.columns), [said] if said else []


def _read_table(rows: str | Path | pd.DataFrame) -> pd.DataFrame:
    return rows if isinstance(rows, pd.DataFrame) else labelled_rows.read(rows)


def _list_gaps(training: pd.DataFrame) -> tuple[str, ...]:
    """Columns that may have gaps: those that had some, and so were filled."""
    return tuple(str(name) for name in training if training[name].isna().any())


def _look_for_drift(
    served: _Served, new: pd.DataFrame, notes: list[str], requests: str | Path | None
) -> Outcome:
    # With the label: where the same cars go farther than they did, there is something to learn.
    known = served.training[served.columns].dropna()
    reports = {"new rows": compare(known, new[served.columns].dropna())}
    if requests is not None:
        asked, features = read_examples(requests), served.model.schema.names
        if len(asked) < MIN_REQUESTS:
            few = f"{len(asked)} requests are too few to tell drift by; {MIN_REQUESTS} would do."
            notes = [*notes, few]
        else:
            reports["requests"] = compare(known[features], asked[features])
    gravest = max(
        reports.values(), key=lambda report: (KEEP, WATCH, RETRAIN).index(report.decision)
    )
    return Outcome(
        verdict=gravest.decision,
        reasons=gravest.reasons,
        served=served.model.version,
        notes=notes,
        drift=reports,
    )


def _train_candidate(
    served: _Served, new: pd.DataFrame, notebook: Path | None, on_cell: Step
) -> Comparison:
    """Train on the old rows and most of the new ones, compare on the rest, and register."""
    # A row with a gap, which no service takes, is not judged by.
    gap = new[served.columns].isna().any(axis=1)
    learn, held_out = labelled_rows.split(
        new[~gap], share=HELD_OUT_SHARE, min_rows=MIN_ROWS, seed=SEED
    )
    learn = pd.concat([learn, new[gap]]).sort_index()
    table = pd.concat([served.known, learn], ignore_index=True)
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="course-retrain-") as folder:
        files = train(served.name, table, Path(folder), notebook=notebook, on_cell=on_cell)
        found = canary.compare_models(served.name, served.model, canary.Model(files[0]), held_out)
        assert found.errors is not None  # the rows have labels
        record = register(
            served.name,
            [*files, _write(held_out, Path(folder) / TESTING)],
            training=table,
            target=served.model.schema.target,
            testing=held_out,
            configuration={"notebook": files[-1].name, "folds": FOLDS, "seed": SEED},
            metrics={"served_rmse": found.errors.rmse[0]},
            started=began,
            notes=f"Trained by `course retrain` on {len(served.known):,} known and {len(learn):,} "
            f"new rows, and compared with version {served.model.version}: {found.reasons[0]}",
            store=served.store,
        )
    return replace(found, candidate=record.version)


def _write(table: pd.DataFrame, file: Path) -> Path:
    table.to_csv(file, index=False)
    return file


def _serve_if_better(served: _Served, share: float | None, found: Outcome) -> Outcome:
    """Promote the candidate, or try it, or neither."""
    comparison = found.comparison
    assert comparison is not None
    name, candidate, reason = served.name, comparison.candidate, comparison.reasons[0]
    reasons = [*comparison.reasons, *found.reasons]
    found = replace(found, verdict=NOT_BETTER, candidate=candidate, reasons=reasons)
    if comparison.verdict != canary.PROMOTE:
        return found
    chosen: dict[str, Any] = {"store": served.store, "reason": reason}
    try:
        if share:
            promotions.try_canary(name, candidate, share, beside=found.served, **chosen)
            return replace(found, verdict=ON_TRIAL)
        promotions.promote(name, candidate, instead_of=found.served, **chosen)
        return replace(found, verdict=PROMOTED)
    except promotions.Overtaken as error:
        now = promotions.serving(name, store=served.store).version or found.served
        return replace(found, served=now, reasons=[str(error), *reasons])
