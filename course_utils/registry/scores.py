"""Metrics of a model, the importance of its features, and golden rows to predict again."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from course_utils.inference import FeatureSchema, Predictor, schema_path

REPEATS = 5  # of the shuffling of each feature
GOLDEN_ROWS = 20
SEED = 0


@dataclass(frozen=True)
class Examples:
    """The complete rows of a table, as the model takes them, and its predictions for them."""

    role: str
    """Of the table: ``training`` or ``testing``."""
    features: list[str]
    X: Any
    """float32, a row per example."""
    truth: Any
    predicted: Any


def find_features(files: list[Path], table: pd.DataFrame, target: str) -> list[str]:
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


def predict_examples(model: Predictor, table: pd.DataFrame, role: str) -> Examples:
    """The rows without gaps, and the model's predictions.

    Args:
        model: to predict with.
        table: what `content.read_numbers` gave: the features in the model's order, then the target.
        role: of the table.

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
    X = table[features].to_numpy(dtype=np.float32)
    whole = np.isfinite(X).all(axis=1) & np.isfinite(table[target].to_numpy())
    if not whole.any():
        raise ValueError(f"The {role} data have no row without a missing value.")
    X, truth = X[whole], table[target].to_numpy()[whole]
    predicted = _predict(model, X)
    if not np.isfinite(predicted).all():
        raise ValueError(f"The model's answer to some of the {role} data is not a number.")
    return Examples(role, features, X, truth, predicted)


def compute_metrics(found: Examples) -> dict[str, float | None]:
    """Root mean squared error, mean absolute error, coefficient of determination.

    The last is None where the truth is always the same.
    """
    squares = (found.predicted - found.truth) ** 2
    spread = ((found.truth - found.truth.mean()) ** 2).sum()
    return {
        "rmse": np.sqrt(squares.mean()),
        "mae": np.abs(found.predicted - found.truth).mean(),
        "r2": 1 - squares.sum() / spread if spread else None,
    }


def rank_features(model: Predictor, found: Examples) -> dict[str, Any]:
    """The features, the most important first.

    Importance is by how much the RMSE rises where the feature's values are shuffled (Breiman,
    2001).
    """
    from sklearn.inspection import permutation_importance

    rises = permutation_importance(
        SimpleNamespace(fit=len),  # scikit-learn requires a `fit` and does not call it
        found.X,
        found.truth,
        scoring=lambda _, X, truth: -np.sqrt(((_predict(model, X) - truth) ** 2).mean()),
        n_repeats=REPEATS,
        random_state=SEED,
    )
    measured = zip(found.features, rises.importances_mean, rises.importances_std, strict=True)
    features = [{"name": name, "mean": mean, "std": std} for name, mean, std in measured]
    features.sort(key=lambda feature: -feature["mean"])
    return {"rows": found.role, "repeats": REPEATS, "features": features}


def choose_golden(model: Predictor, found: Examples) -> list[dict[str, Any]]:
    """Rows to predict again later, spread evenly from the least prediction to the greatest."""
    places = np.linspace(0, len(found.X) - 1, min(GOLDEN_ROWS, len(found.X))).astype(int)
    X = found.X[np.argsort(found.predicted, kind="stable")[places]]
    predicted = _predict(model, X)  # again: by themselves, as in `verify`
    return [
        {"features": row.tolist(), "prediction": prediction}
        for row, prediction in zip(X, predicted, strict=True)
    ]


def _predict(model: Predictor, X: Any) -> Any:
    return model.predict(X)[:, 0].astype(np.float64)
