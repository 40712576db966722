"""Train again, compare, and serve the new network where it is surely better (``course retrain``).

Where new rows have drifted from what the served version was trained on (section 13.4), the code
that made it runs again, on old and new rows (`training_code`). A third of the new rows is held
out: neither network has seen those, and on them the candidate has to beat the served version. The
candidate is registered in either case, with the rows and the comparison that led to the decision;
only a better one is served.

No candidate is in the store before it is whole, so this may be stopped at any moment.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.datasets import load_auto_mpg
from course_utils.drift import KEEP, WATCH, DriftReport, compare
from course_utils.inference import labelled_rows, shipped_model
from course_utils.registry import canary, promotions
from course_utils.registry.canary import Comparison
from course_utils.registry.models import Model
from course_utils.registry.registration import register
from course_utils.registry.scores import SEED
from course_utils.registry.store import list_versions
from course_utils.registry.training_code import (
    TRAINING_ROWS,
    NotFitToServe,
    find_code,
    find_companions,
    train,
)

PROMOTED, NOT_BETTER, NOT_FIT = "promoted", "not better", "not fit to serve"
MIN_ROWS = 20  # new rows without a gap: at least so many to learn from, and so many to judge by
HELD_OUT_SHARE = 1 / 3  # of the new rows without a gap
TESTING = "testing.csv"  # among a version's files, beside its training rows
SHIPPED = "mpg"  # the model whose first version is the course's own

OnCell = Callable[[int, int], None]  # called with the cells of a notebook done, and their total


@dataclass(frozen=True)
class Outcome:
    """What `retrain` has done, and why."""

    verdict: str
    """``keep``, ``watch``, ``promoted``, ``not better`` or ``not fit to serve``."""
    reasons: list[str]
    served: int
    """The version that was served at the start; where another was promoted meanwhile, that one."""
    drift: DriftReport
    """How far the new rows have drifted from the training data."""
    notes: list[str]
    """Which rows were left out, and why."""
    candidate: int | None = None
    """The new version, if one was registered."""
    comparison: Comparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return vars(self) | {
            "drift": {"new rows": self.drift.to_dict()},
            "comparison": self.comparison.to_dict() if self.comparison else None,
        }


def retrain(
    name: str,
    rows: str | Path | pd.DataFrame,
    *,
    store: str | Path | None = None,
    force: bool = False,
    on_cell: OnCell = lambda done, total: None,
) -> Outcome:
    """Train a new version where new rows have drifted, and serve it if it is surely better.

    Args:
        name: of the model.
        rows: a CSV file or a table: new rows with their true label.
        store: the folder of versions; by default the learner's. Where it has no version of mpg
            yet, the shipped one becomes version 1.
        force: train even where nothing has drifted.
        on_cell: told how far a notebook is.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: no version is served, it keeps no code that trains it or takes photos, the rows
            cannot be used, or the code failed; no candidate was registered.
    """
    table = rows if isinstance(rows, pd.DataFrame) else labelled_rows.read(rows)
    if name == SHIPPED and not list_versions(name, store=store):
        _register_shipped(store)
    served = _Served.load(name, store)
    new, notes = served.check_new_rows(table)
    # With the label: where the same cars go farther than before, there is something to learn.
    trained_on = served.training[served.columns].dropna()
    drift = compare(trained_on, new[served.columns].dropna())
    found = Outcome(drift.decision, drift.reasons, served.model.version, drift, notes)
    if found.verdict in (KEEP, WATCH) and not force:
        return found
    try:
        comparison = _train_candidate(served, new, on_cell)
    except NotFitToServe as error:
        return replace(found, verdict=NOT_FIT, reasons=[str(error), *found.reasons])
    return _promote_if_better(served, comparison, replace(found, comparison=comparison))


def _register_shipped(store: str | Path | None) -> None:
    """Register and promote the mpg model that the course ships."""
    model = shipped_model(SHIPPED)
    with tempfile.TemporaryDirectory(prefix="course-retrain-") as folder:
        table = load_auto_mpg()
        files = [model, *find_companions(model), _write(table, Path(folder) / TRAINING_ROWS)]
        notes = "The model that the course ships, trained by notebook 02."
        first = register(SHIPPED, files, training=table, notes=notes, store=store)
    promotions.promote(SHIPPED, first.number, store=store, reason="the first version")


@dataclass(frozen=True)
class _Served:
    """The served version and the rows it has seen."""

    name: str
    store: str | Path | None
    model: Model
    code: Path
    """That trains its successor."""
    training: pd.DataFrame
    """What it was trained on."""
    seen: pd.DataFrame
    """All rows it was trained on or judged by; its successor may learn from all of them."""

    @classmethod
    def load(cls, name: str, store: str | Path | None) -> "_Served":
        version = promotions.load(name, promotions.find_served(name, store=store), store=store)
        model = canary.load_verified(version)
        if not model.schema:
            raise ValueError(
                f"{name} takes photos; only models of tables are trained again here. Train it in "
                "your notebook, register it, and compare it with `course models compare`."
            )
        code = find_code(version)
        training, testing = (version.model.with_name(file) for file in (TRAINING_ROWS, TESTING))
        if not training.is_file():
            raise ValueError(
                f"Version {version.number} of {name} does not keep the rows it was trained on: "
                f"register it again with {TRAINING_ROWS} among its files."
            )
        tables = [labelled_rows.read(file) for file in (training, testing) if file.is_file()]
        seen = pd.concat(tables, ignore_index=True)
        return cls(name, store, model, code, tables[0], seen)

    @property
    def columns(self) -> list[str]:
        """The features and the label."""
        return [*self.model.features, self.model.target]

    def check_new_rows(self, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Check the rows; return those that are new, and a note on how many were left out.

        Raises:
            ValueError: a row breaks the schema, or fewer than 2 * MIN_ROWS new ones have no gap.
        """
        # Where the training rows have gaps, the code fills them: new rows may have some, too.
        gaps = tuple(str(name) for name in self.training if self.training[name].isna().any())
        checked = self.model.check(table, gaps=gaps)
        new = labelled_rows.drop_known(self.seen, checked, self.columns)
        old = len(checked) - len(new)
        note = f"{old:,} of {len(checked):,} rows are known already, or there twice." if old else ""
        without_gap = len(new[self.columns].dropna())
        if without_gap < 2 * MIN_ROWS:
            raise ValueError(
                f"{without_gap} new rows without a gap are too few: {MIN_ROWS} to learn from and "
                f"{MIN_ROWS} to judge by are needed. {note}".strip()
            )
        return new.reindex(columns=self.training.columns), [note] if note else []


def _train_candidate(served: _Served, new: pd.DataFrame, on_cell: OnCell) -> Comparison:
    """Train on the old rows and most of the new ones, compare on the rest, and register."""
    # Rows with a gap are only learned from: no service accepts such a row.
    gap = new[served.columns].isna().any(axis=1)
    complete = new[~gap]
    order = np.random.default_rng(SEED).permutation(len(complete))
    held = max(MIN_ROWS, round(HELD_OUT_SHARE * len(complete)))
    held_out = complete.iloc[np.sort(order[:held])]
    learn = new.drop(held_out.index)
    table = pd.concat([served.seen, learn], ignore_index=True)
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="course-retrain-") as folder:
        files = train(served.name, served.code, table, Path(folder), on_cell=on_cell)
        model, *_, code = files
        found = canary.compare_models(served.name, served.model, Model(model), held_out)
        candidate = register(
            served.name,
            [*files, _write(held_out, Path(folder) / TESTING)],
            training=table,
            testing=held_out,
            configuration={"code": code.name, "seed": SEED},
            metrics={f"served {key}": pair[0] for key, pair in found.errors.scores.items()},
            started=began,
            notes=f"Trained by `course retrain` on {len(served.seen):,} known and {len(learn):,} "
            f"new rows, and compared with version {served.model.version}: {found.reasons[0]}",
            store=served.store,
        )
    return replace(found, candidate=candidate.number)


def _write(table: pd.DataFrame, file: Path) -> Path:
    table.to_csv(file, index=False)
    return file


def _promote_if_better(served: _Served, comparison: Comparison, found: Outcome) -> Outcome:
    """Promote a better candidate, unless another version has been promoted meanwhile."""
    name, candidate, reason = served.name, comparison.candidate, comparison.reasons[0]
    reasons = [*comparison.reasons, *found.reasons]
    found = replace(found, verdict=NOT_BETTER, candidate=candidate, reasons=reasons)
    if comparison.verdict != canary.PROMOTE:
        return found
    now = promotions.find_served(name, store=served.store)
    if now != found.served:
        overtaken = f"Meanwhile version {now} is served, not {found.served}: compare with that one."
        return replace(found, served=now, reasons=[overtaken, *reasons])
    promotions.promote(name, candidate, store=served.store, reason=reason)
    return replace(found, verdict=PROMOTED)
