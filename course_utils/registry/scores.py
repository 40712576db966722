"""A registered model: its predictions for a table, and the scores that follow from them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from course_utils.inference import FeatureSchema, Predictor, schema_path

REPEATS = 5  # of the shuffling of each feature
GOLDEN_ROWS = 20
SEED = 0


class Model:
    """A network that answers one number, and its contract: the schema beside it."""

    def __init__(self, file: Path, version: int = 0):
        """``version`` is its number, if it has one already.

        Raises:
            FileNotFoundError: there is no such file, or no schema beside it.
            ValueError: one of the two cannot be read, or the network does not fit its schema.
        """
        self.version = version
        self.schema = FeatureSchema.load(schema_path(file))
        self.columns = [*self.schema.names, self.schema.target]
        self._network = Predictor.load(file)
        self.schema.check_network(self._network, file)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """The answers, float64 of shape ``(n,)``."""
        return self._network.predict(rows[self.schema.names])[:, 0].astype(float)

    def refuses(self, rows: pd.DataFrame) -> np.ndarray:
        """Which of the rows the service would not take: a feature is out of its range."""
        taken = np.ones(len(rows), dtype=bool)
        for feature in self.schema.features:
            taken &= feature.accepts_each(rows[feature.name].to_numpy(float))
        return ~taken


def predict_complete_rows(
    model: Model, table: pd.DataFrame, role: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows without gaps, and the model's predictions for them.

    Args:
        model: to predict with.
        table: what `content.read_numbers` gave of the model's columns.
        role: of the table, ``training`` or ``testing``.

    Raises:
        ValueError: no row is complete, or a prediction is not a number.
    """
    rows = table[np.isfinite(table).all(axis=1)]
    if rows.empty:
        raise ValueError(f"The {role} data have no row without a missing value.")
    predicted = model.predict(rows)
    if not np.isfinite(predicted).all():
        raise ValueError(f"The model's answer to some of the {role} data is not a number.")
    return rows, predicted


def compute_metrics(truth: Any, predicted: np.ndarray) -> dict[str, float | None]:
    """Root mean squared error, mean absolute error, coefficient of determination.

    The last is None where the truth is always the same.
    """
    squares = (predicted - truth) ** 2
    spread = ((truth - truth.mean()) ** 2).sum()
    return {
        "rmse": np.sqrt(squares.mean()),
        "mae": np.abs(predicted - truth).mean(),
        "r2": 1 - squares.sum() / spread if spread else None,
    }


def rank_features(model: Model, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The features, the most important first.

    Importance is by how much the RMSE rises where the feature's values are shuffled (Breiman,
    2001).
    """
    from sklearn.inspection import permutation_importance

    def score(_: Any, X: pd.DataFrame, truth: np.ndarray) -> float:
        return -np.sqrt(((model.predict(X) - truth) ** 2).mean())

    rises = permutation_importance(
        SimpleNamespace(fit=len),  # scikit-learn requires a `fit` and does not call it
        rows[model.schema.names],
        rows[model.schema.target],
        scoring=score,
        n_repeats=REPEATS,
        random_state=SEED,
    )
    measured = zip(model.schema.names, rises.importances_mean, rises.importances_std, strict=True)
    features = [{"name": name, "mean": mean, "std": std} for name, mean, std in measured]
    return sorted(features, key=lambda feature: -feature["mean"])


def choose_golden(model: Model, rows: pd.DataFrame, predicted: np.ndarray) -> list[dict[str, Any]]:
    """Rows to predict again later, spread evenly from the least prediction to the greatest."""
    places = np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows))).astype(int)
    golden = rows.iloc[np.argsort(predicted, kind="stable")[places]]
    return [
        {"features": row.tolist(), "prediction": prediction}
        for row, prediction in zip(
            golden[model.schema.names].to_numpy(),
            model.predict(golden),  # again: by themselves, as in `verify`
            strict=True,
        )
    ]
