"""What a model makes of its data: how good it is, what it goes by, what it says to a few rows."""

import numbers
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course_utils.inference import FeatureSchema, Predictor, schema_path

COMPUTED = ("rmse", "mae", "r2")
AT_ONCE = 10_000  # rows that the network is given in one piece
MOST_ROWS = 10_000  # that importance is measured on
REPEATS = 5
GOLDEN = 20  # rows
EXTREMES = 14  # of them, at most, that hold a least or greatest value
SEED = 0


@dataclass(frozen=True)
class Examples:
    """The complete rows of a table, as the model takes them, and what it says to them."""

    features: list[str]
    X: Any
    """float32, a row an example."""
    truth: Any
    predicted: Any


def model_features(files: list[Path], table: pd.DataFrame, target: str) -> list[str]:
    """The features in the model's order: by its ``.schema.json`` if there is one, else the table's.

    Raises:
        ValueError: the schema is for another target.
    """
    for path in files[1:]:
        if path == schema_path(files[0]):
            schema = FeatureSchema.load(path)
            if schema.target != target:
                raise ValueError(f"{path.name} is for {schema.target!r}, not for {target!r}.")
            return schema.names
    return [str(name) for name in table.columns if name != target]


def examples(model: Predictor, table: pd.DataFrame, role: str) -> Examples:
    """The rows without gaps, and the model's predictions.

    Args:
        model: to ask.
        table: what `data.numbers` gave: the features in the model's order, then the target.
        role: of the table, for messages.

    Raises:
        ValueError: the table does not fit the model, or no row is complete.
    """
    *features, target = table.columns
    if model.input_shape != (len(features),) or model.output_shape != (1,):
        raise ValueError(
            f"The model takes {model.input_shape} and answers {model.output_shape}; a record is "
            f"kept of one that takes the {len(features)} features ({', '.join(features)}) and "
            "answers one number."
        )
    with np.errstate(over="ignore"):  # beyond float32 a value is infinite and its row left out
        X = table[features].to_numpy(dtype=np.float32)
    whole = np.isfinite(X).all(axis=1) & np.isfinite(table[target].to_numpy())
    if not whole.any():
        raise ValueError(f"The {role} data have no row without a missing value.")
    X, truth = X[whole], table[target].to_numpy()[whole]
    predicted = _predict(model, X)
    if not np.isfinite(predicted).all():
        raise ValueError(f"The model's answer to some of the {role} data is not a number.")
    return Examples(features, X, truth, predicted)


def check_given(metrics: dict[str, Any]) -> None:
    """See that somebody's own metrics are numbers, and do not pass for those computed here.

    Raises:
        ValueError: one does not.
    """
    for name, value in metrics.items():
        if name in COMPUTED:
            raise ValueError(f"{name} is computed here: give your own metric another name.")
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise ValueError(f"The metric {name} is {str(value)[:40]!r}; it has to be a number.")


def metrics(found: Examples) -> dict[str, float | None]:
    """Root mean squared error, mean absolute error, coefficient of determination.

    R² is None where the truth is always the same.
    """
    error = found.predicted - found.truth
    spread = ((found.truth - found.truth.mean()) ** 2).sum()
    return {
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        "r2": float(1 - (error**2).sum() / spread) if spread else None,
    }


def importance(model: Predictor, found: Examples) -> list[dict[str, Any]]:
    """By how much the RMSE rises where a feature's values are shuffled (Breiman 2001).

    Returns:
        A feature each, the weightiest first: name, mean and standard deviation over the
        repetitions, in the target's unit.
    """
    random = np.random.default_rng(SEED)
    rows = random.permutation(len(found.X))[:MOST_ROWS]
    X, truth = found.X[rows], found.truth[rows]
    before = _rmse(found.predicted[rows], truth)
    ranking = []
    for place, name in enumerate(found.features):
        rises = []
        for _ in range(REPEATS):
            shuffled = X.copy()
            shuffled[:, place] = random.permutation(X[:, place])
            rises.append(_rmse(_predict(model, shuffled), truth) - before)
        ranking.append({"name": name, "mean": float(np.mean(rises)), "std": float(np.std(rises))})
    return sorted(ranking, key=lambda entry: -entry["mean"])


def golden(
    model: Predictor, found: Examples, ranking: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows to ask again later: extremes of the predictions and features, the rest spread evenly."""
    by_answer = np.argsort(found.predicted, kind="stable")
    chosen = [int(by_answer[0]), int(by_answer[-1])]
    for entry in ranking:  # the weightiest first: there may be more features than rows
        values = found.X[:, found.features.index(entry["name"])]
        chosen += [int(values.argmin()), int(values.argmax())]
    chosen = list(dict.fromkeys(chosen))[:EXTREMES]
    others = [row for row in by_answer.tolist() if row not in chosen]
    places = np.linspace(0, len(others) - 1, min(GOLDEN - len(chosen), len(others)))
    chosen += [others[int(place)] for place in places]
    answers = _predict(model, found.X[chosen])  # as one piece, the way `verify` asks
    return [
        {"features": found.X[row].tolist(), "prediction": float(answer)}
        for row, answer in zip(chosen, answers, strict=True)
    ]


def _predict(model: Predictor, X: Any) -> Any:
    pieces = (X[start : start + AT_ONCE] for start in range(0, len(X), AT_ONCE))
    return np.concatenate([model.predict(piece)[:, 0] for piece in pieces]).astype(np.float64)


def _rmse(predicted: Any, truth: Any) -> float:
    return float(np.sqrt(((predicted - truth) ** 2).mean()))
