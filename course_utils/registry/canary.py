"""Is the version on trial better than the one that is served? Both predict the same labelled rows.

The two errors are compared on the same rows: a paired bootstrap (Efron and Tibshirani, *An
Introduction to the Bootstrap*, 1993) says how sure the difference is. As with drift, a verdict asks
for evidence: what is not sure yet is called so.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.registry import promotions
from course_utils.registry.models import Model
from course_utils.registry.scores import SEED
from course_utils.registry.store import ModelVersion
from course_utils.registry.verification import verify

PROMOTE, KEEP, WAIT = "promote", "keep", "wait for more"
MIN_LABELLED_ROWS = 20  # that a verdict needs
MAX_ROWS = 10_000  # that are compared
RESAMPLES = 2_000  # of the bootstrap
RESAMPLES_AT_ONCE = 100  # that the bootstrap holds in memory
CONFIDENCE = 0.95
MIN_REFUSED_SHARE = 0.01  # of the rows, from which on it matters that the candidate refuses more
MIN_DIFFERENCE = 0.02  # of the served version's error; a smaller difference does not matter


@dataclass(frozen=True)
class Errors:
    """Two versions' errors on the same labelled rows."""

    rows: int
    metric: str
    """Which of the scores decides: ``rmse``, or of classifiers ``error rate``."""
    scores: dict[str, tuple[float, float]]
    """By name: of the served version, of the candidate. Smaller is better.

    ``rmse`` and ``mae`` (root of the mean squared error, mean absolute error) are in the label's
    unit, ``error rate`` is the share of wrong answers.
    """
    interval: tuple[float, float]
    """Where the candidate's score less the served one's lies, with 95 % confidence."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` found."""

    name: str
    served: int
    candidate: int
    verdict: str
    """``promote``, ``keep`` or ``wait for more``."""
    reasons: list[str]
    errors: Errors
    refused: tuple[int, int]
    """Rows that the contract of the served version refuses, and that of the candidate."""

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def compare(
    name: str,
    rows: pd.DataFrame,
    *,
    store: str | Path | None = None,
    candidate: int | None = None,
) -> Comparison:
    """Compare the served version with the canary on the same rows.

    Args:
        name: of the model.
        rows: features and true label, of photos ``file`` and ``label``; the first 10,000 are used.
        store: the folder of versions; by default the learner's.
        candidate: a version; by default the canary.

    Raises:
        FileNotFoundError: no such version.
        ValueError: nothing is served, there is no canary, or the rows are not what the model takes.
    """
    number = promotions.find_served(name, store=store)
    candidate = candidate or promotions.read_serving(name, store=store).canary
    if candidate is None:
        raise ValueError(f"{name} has no canary to compare: see `course models --help`.")
    served, other = (
        load_verified(promotions.load(name, version, store=store))
        for version in (number, candidate)
    )
    return compare_models(name, served, other, rows.iloc[:MAX_ROWS])


def load_verified(version: ModelVersion) -> Model:
    """Load a version's model, once it was found to be as it was registered.

    Raises:
        FileNotFoundError: it has neither schema nor class names, which once was allowed.
        ValueError: it has been changed, or does not fit its schema.
    """
    verify(version)
    return Model(version.model, version.number)


def compare_models(name: str, served: Model, candidate: Model, rows: pd.DataFrame) -> Comparison:
    """`compare` for two models at hand."""
    for model in (served, candidate):  # they need not take the same features
        rows = model.check(rows)
    if len(rows) < 2:
        raise ValueError(f"To compare the versions takes at least two rows; there are {len(rows)}.")
    refused = int(served.refuses(rows).sum()), int(candidate.refuses(rows).sum())
    decided = [model.decide(model.predict(rows)) for model in (served, candidate)]
    errors = compute_errors(served.read_truth(rows), *decided)
    verdict, reasons = decide(errors, refused)
    return Comparison(
        name=name,
        served=served.version,
        candidate=candidate.version,
        verdict=verdict,
        reasons=reasons,
        errors=errors,
        refused=refused,
    )


def compute_errors(truth: np.ndarray, served: np.ndarray, candidate: np.ndarray) -> Errors:
    """Errors of both and the interval of their difference.

    Args:
        truth: labels, numbers or names of classes, shape ``(n,)``, at least two.
        served: predictions of the served version.
        candidate: predictions of the other.
    """
    from scipy.stats import bootstrap

    if is_classifier := truth.dtype == object:
        apart = np.stack([served != truth, candidate != truth]).astype(float)
    else:
        apart = np.stack([served - truth, candidate - truth])

    def score(values: np.ndarray, axis: int = -1) -> np.ndarray:
        means: np.ndarray = (values**2).mean(axis=axis)
        return means if is_classifier else np.sqrt(means)

    found = bootstrap(
        apart,
        lambda old, new, axis: score(new, axis) - score(old, axis),
        # The same rows of both: what is hard for one is hard for the other, and cancels.
        paired=True,
        method="percentile",
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=RESAMPLES_AT_ONCE,
        random_state=np.random.default_rng(SEED),
    )
    low, high = found.confidence_interval
    metric = "error rate" if is_classifier else "rmse"
    pairs = {metric: score(apart)}
    if not is_classifier:
        pairs["mae"] = np.abs(apart).mean(axis=1)
    return Errors(
        rows=len(truth),
        metric=metric,
        scores={name: (float(pair[0]), float(pair[1])) for name, pair in pairs.items()},
        interval=(float(low), float(high)),
    )


def decide(errors: Errors, refused: tuple[int, int]) -> tuple[str, list[str]]:
    """The verdict and why; first what decides.

    Args:
        errors: of both.
        refused: how many rows the contract of each refuses.
    """
    contract, (old, new) = [], refused
    if old or new:
        contract = [
            f"Of {errors.rows:,} rows the served version refuses {old:,}, which lie outside "
            f"what it was trained on, and the candidate {new:,}."
        ]
    if new - old >= MIN_REFUSED_SHARE * errors.rows:
        return KEEP, contract
    verdict, said = _decide_by_errors(errors)
    return verdict, [said, *contract]


def _decide_by_errors(errors: Errors) -> tuple[str, str]:
    (old, new), (low, high) = errors.scores[errors.metric], errors.interval
    name, digits = ("RMSE", 2) if errors.metric == "rmse" else (errors.metric, 3)
    said = (
        f"On {errors.rows:,} labelled rows the candidate's {name} is {new:.{digits}f}, the served "
        f"version's {old:.{digits}f}: a difference of {new - old:+.{digits}f} "
        f"({low:+.{digits}f} to {high:+.{digits}f})"
    )
    if errors.rows < MIN_LABELLED_ROWS:
        return WAIT, f"{said}; a verdict takes {MIN_LABELLED_ROWS} rows."
    if high < 0:
        return PROMOTE, f"{said}, so it is surely better."
    if low > 0:
        return KEEP, f"{said}, so it is surely worse."
    if max(-low, high) <= MIN_DIFFERENCE * old:
        return KEEP, f"{said}, too little to matter."
    return WAIT, f"{said}, so which one is better is unsure until there are more."
