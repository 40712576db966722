"""Is the version on trial better than the one that is served? Both answer the same requests.

Where the true labels are known, the two errors are compared on the same rows: a paired bootstrap
(Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993) says how sure the difference is.
As with drift, a verdict asks for evidence: what is not sure yet is called so.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.inference import FeatureSchema, Predictor, labelled_rows, schema_path
from course_utils.registry import promotions, registration
from course_utils.registry.verification import verify

PROMOTE, KEEP, WAIT = "promote", "keep", "wait for more"
LEAST = 20  # labelled rows that a verdict needs
MOST = 10_000  # rows that are compared
DRAWS = 2_000  # of the bootstrap
SURE = 0.95
MANY = 0.01  # of the rows: so many that one version refuses and the other takes are no trifle
MATTERS = 0.02  # of the served version's error: a difference surely smaller is none


@dataclass(frozen=True)
class Errors:
    """Two versions' errors on the same labelled rows, in the label's unit."""

    rows: int
    rmse: tuple[float, float]
    """Root of the mean squared error: of the served version, of the candidate."""
    mae: tuple[float, float]
    """Mean absolute error, likewise."""
    interval: tuple[float, float]
    """Where the candidate's RMSE less the served one's lies, with 95 % confidence."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` found."""

    name: str
    served: int
    candidate: int
    verdict: str
    """``promote``, ``keep`` or ``wait for more``."""
    reasons: list[str]
    errors: Errors | None
    """None without labels."""
    differences: dict[str, float]
    """The candidate's predictions less the served version's: quantiles, mean, largest size."""
    refused: tuple[int, int]
    """Rows that the contract of the served version refuses, and that of the candidate."""
    traffic: list[dict[str, Any]] = field(default_factory=list)
    """By version: requests, errors and mean milliseconds of the running service."""

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name,
            "served": self.served,
            "candidate": self.candidate,
            "verdict": self.verdict,
            "reasons": self.reasons,
            "errors": self.errors.__dict__ if self.errors else None,
            "differences": self.differences,
            "refused": self.refused,
            "traffic": self.traffic,
        }


class Model:
    """A network and its contract; ``version`` is its number, if it has one already."""

    def __init__(self, file: Path, version: int = 0):
        self.version = version
        self.schema = FeatureSchema.load(schema_path(file))
        self._network = Predictor.load(file)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """The answers, float64 of shape ``(n,)``."""
        return self._network.predict(rows[self.schema.names])[:, 0].astype(float)

    def refuses(self, rows: pd.DataFrame) -> np.ndarray:
        """Which of the rows the service would not take: a feature is out of its range."""
        taken = np.ones(len(rows), dtype=bool)
        for feature in self.schema.features:
            taken &= feature.accepts_each(rows[feature.name].to_numpy(float))
        return ~taken


def compare(
    name: str,
    rows: pd.DataFrame,
    *,
    store: str | Path | None = None,
    candidate: int | None = None,
    url: str | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare the served version with the canary on the same rows.

    Args:
        name: of the model.
        rows: requests, such as `inference.read_examples` gives; with the label among the
            columns where it is known. The first 10,000 are used.
        store: the folder of records; by default the learner's.
        candidate: a version; by default the canary.
        url: of the running service, to compare errors and latency, too.
        seed: of the bootstrap.

    Raises:
        FileNotFoundError: no such version.
        OSError: the service does not answer.
        ValueError: nothing is served, there is no canary, or the rows are not what the model takes.
    """
    serving = promotions.serving(name, store=store)
    candidate = candidate or serving.canary
    if serving.version is None or candidate is None:
        what = "canary" if serving.version else "promoted version"
        raise ValueError(f"{name} has no {what} to compare: see `course models --help`.")
    served, other = (verified(name, n, store) for n in (serving.version, candidate))
    found = judge(name, served, other, rows.iloc[:MOST], seed=seed)
    return with_traffic(found, traffic(url, name)) if url else found


def verified(name: str, version: int, store: str | Path | None) -> Model:
    """A version of the store, once it was found to be as it was registered.

    Raises:
        FileNotFoundError: no such version.
        ValueError: it has been changed.
    """
    record = registration.load(name, version, store=store)
    verify(record)
    return Model(record.model, version)


def judge(
    name: str, served: Model, candidate: Model, rows: pd.DataFrame, *, seed: int = 0
) -> Comparison:
    """`compare` for two models at hand."""
    names = served.schema.names
    if set(candidate.schema.names) != set(names):
        raise ValueError("The two versions take different features: they have no rows in common.")
    target = served.schema.target
    if target in rows:
        rows = labelled_rows.check(rows, served.schema)
    elif missing := [feature for feature in names if feature not in rows]:
        raise ValueError(f"The rows lack {', '.join(missing)}.")
    if rows.empty:
        raise ValueError("There are no rows to compare the versions on.")
    answers = served.predict(rows), candidate.predict(rows)
    refused = np.stack([served.refuses(rows), candidate.refuses(rows)])
    errors = None
    if target in rows:
        errors = errors_of(rows[target].to_numpy(dtype=float), *answers, seed=seed)
    verdict, reasons = decide(errors, refused)
    return Comparison(
        name=name,
        served=served.version,
        candidate=candidate.version,
        verdict=verdict,
        reasons=reasons,
        errors=errors,
        differences=_differences(answers[1] - answers[0]),
        refused=(int(refused[0].sum()), int(refused[1].sum())),
    )


def errors_of(
    truth: np.ndarray, served: np.ndarray, candidate: np.ndarray, *, seed: int = 0
) -> Errors:
    """Errors of both and the interval of their difference.

    Args:
        truth: labels, shape ``(n,)``.
        served: predictions of the served version.
        candidate: predictions of the other.
        seed: of the bootstrap.
    """
    apart = np.stack([served - truth, candidate - truth])
    squares = apart**2
    rng, n = np.random.default_rng(seed), len(truth)
    draws: list[np.ndarray] = []
    for size in _pieces(DRAWS, max(1, 1_000_000 // n)):
        # The same rows of both: what is hard for one is hard for the other, and cancels.
        old, new = np.sqrt(squares[:, rng.integers(0, n, (size, n))].mean(axis=2))
        draws.append(new - old)
    low, high = np.quantile(np.concatenate(draws), [(1 - SURE) / 2, (1 + SURE) / 2])
    rmse, mae = np.sqrt(squares.mean(axis=1)), np.abs(apart).mean(axis=1)
    return Errors(
        rows=n,
        rmse=(float(rmse[0]), float(rmse[1])),
        mae=(float(mae[0]), float(mae[1])),
        interval=(float(low), float(high)),
    )


def _pieces(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def decide(errors: Errors | None, refused: np.ndarray) -> tuple[str, list[str]]:
    """The verdict and why; first what decides.

    Args:
        errors: of both, where labels are known.
        refused: which rows the contract of each refuses, boolean of shape ``(2, n)``.
    """
    old, new = (int(count) for count in refused.sum(axis=1))
    contract = []
    if old or new:
        contract = [
            f"Of {refused.shape[1]:,} rows the served version refuses {old:,}, which lie outside "
            f"what it was trained on, and the candidate {new:,}."
        ]
    if _surely_more(refused[::-1]):
        return KEEP, contract
    if errors is None:
        missing = "Without true labels nobody can say which version is right: give rows with them."
        return WAIT, [missing, *contract]
    verdict, said = _of_errors(errors)
    if verdict == WAIT and errors.rows >= LEAST and _surely_more(refused):
        return PROMOTE, [*contract, said]
    return verdict, [said, *contract]


def _of_errors(errors: Errors) -> tuple[str, str]:
    (old, new), (low, high) = errors.rmse, errors.interval
    said = (
        f"On {errors.rows:,} labelled rows the candidate's RMSE is {new:.2f}, the served version's "
        f"{old:.2f}: a difference of {new - old:+.2f} ({low:+.2f} to {high:+.2f})"
    )
    if errors.rows < LEAST:
        return WAIT, f"{said}; a verdict takes {LEAST} rows."
    if high < 0:
        return PROMOTE, f"{said}, so it is surely better."
    if low > 0:
        return KEEP, f"{said}, so it is surely worse."
    if max(-low, high) <= MATTERS * old:
        return KEEP, f"{said}, too little to matter."
    return WAIT, f"{said}, so which one is better is unsure until there are more."


def _surely_more(refused: np.ndarray) -> bool:
    """Whether the first refuses more rows than the second, surely and not just a few.

    McNemar's test, exact: only rows that one of the two refuses tell them apart.
    """
    from scipy.stats import binomtest

    first, second = int((refused[0] & ~refused[1]).sum()), int((refused[1] & ~refused[0]).sum())
    if first - second < MANY * refused.shape[1] or first <= second:
        return False
    return bool(binomtest(first, first + second, alternative="greater").pvalue < 1 - SURE)


def _differences(apart: np.ndarray) -> dict[str, float]:
    shares = {"5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95}
    found = {name: float(np.quantile(apart, share)) for name, share in shares.items()}
    return found | {"mean": float(apart.mean()), "largest": float(np.abs(apart).max())}


def traffic(url: str, name: str) -> list[dict[str, Any]]:
    """What the metrics of a running service say of each version's answers to requests.

    Raises:
        OSError: it does not answer.
        ValueError: it has no metrics by version.
    """
    import requests
    from prometheus_client.parser import text_string_to_metric_families

    answer = requests.get(f"{url.rstrip('/')}/metrics", timeout=10)
    answer.raise_for_status()
    counts: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = sample.labels
            if labels.get("service") != name or labels.get("method") != "POST":
                continue
            if (version := labels.get("version")) is None:
                raise ValueError(f"The service at {url} does not count by version.")
            mine = counts.setdefault(version, {"requests": 0, "errors": 0, "seconds": 0})
            if sample.name.endswith("_count"):
                mine["requests"] += sample.value
                mine["errors"] += sample.value if labels["status"] >= "500" else 0
            elif sample.name.endswith("_sum"):
                mine["seconds"] += sample.value
    return [
        {
            "version": int(version),
            "requests": int(mine["requests"]),
            "errors": int(mine["errors"]),
            "mean_ms": 1000 * mine["seconds"] / mine["requests"],
        }
        for version, mine in sorted(counts.items(), key=lambda pair: int(pair[0]))
    ]


def with_traffic(found: Comparison, seen: list[dict[str, Any]]) -> Comparison:
    """A comparison that heeds the service's errors: a candidate that fails more often is kept out.

    Fails more often means significantly so, by Fisher's exact test at 0.05.
    """
    from scipy.stats import fisher_exact

    by_version = {entry["version"]: entry for entry in seen}
    pair = [by_version.get(version) for version in (found.candidate, found.served)]
    found = replace(found, traffic=seen)
    if not all(pair):
        return found
    table = [[e["errors"], e["requests"] - e["errors"]] for e in pair if e]
    if fisher_exact(table, alternative="greater").pvalue >= 0.05:
        return found
    (failed, fine), _ = table
    said = f"The candidate failed in {failed:,} of {failed + fine:,} requests"
    reasons = [f"{said}, surely more often than the served version.", *found.reasons]
    return replace(found, verdict=KEEP, reasons=reasons)
