"""How good a registered model is: its metrics, its confusions, what it relies on."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from course_utils.registry.models import Model

REPEATS = 5  # of the shuffling of each feature
SEED = 0


def predict_complete_rows(
    model: Model, table: pd.DataFrame, role: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows without gaps, and the model's answers to them, of shape ``(n, outputs)``.

    Args:
        model: to predict with.
        table: what `content.read_table` gave.
        role: of the table, ``training`` or ``testing``.

    Raises:
        ValueError: no row is complete, or an answer is not a number or no probability.
    """
    rows = table.dropna()
    if rows.empty:
        raise ValueError(f"The {role} data have no row without a missing value.")
    answers = model.predict(rows)
    if not np.isfinite(answers).all():
        raise ValueError(f"The model's answer to some of the {role} data is not a number.")
    return rows, answers


def compute_metrics(model: Model, truth: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """How well a model predicts.

    Args:
        model: that answered.
        truth: as `Model.read_truth` gives it, shape ``(n,)``.
        answers: as `Model.predict` gives them, shape ``(n, outputs)``.

    Returns:
        Of a regressor ``rmse`` and ``mae`` in the target's unit, and ``r2``, the coefficient of
        determination, which is None where the truth is always the same. Of a classifier
        ``accuracy``, ``balanced_accuracy`` (the mean over the classes) and ``log_loss``.
    """
    decided = model.decide(answers)
    if not model.labels:
        squares = (decided - truth) ** 2
        scatter = ((truth - truth.mean()) ** 2).sum()
        return {
            "rmse": np.sqrt(squares.mean()),
            "mae": np.abs(decided - truth).mean(),
            "r2": 1 - squares.sum() / scatter if scatter else None,
        }
    places = [model.labels.index(name) for name in truth]
    likelihood = answers[np.arange(len(truth)), places]
    right = pd.Series(decided == truth)
    return {
        "accuracy": right.mean(),
        "balanced_accuracy": right.groupby(truth).mean().mean(),
        "log_loss": -np.log(np.clip(likelihood, 1e-12, 1)).mean(),
    }


def count_confusions(truth: np.ndarray, decided: np.ndarray, labels: list[str]) -> dict[str, Any]:
    """How often each class was taken for each.

    Returns:
        ``labels``, the classes that were there or were predicted, in the model's order, and
        ``counts``, a row for each true class and a column for each predicted one.
    """
    from sklearn.metrics import confusion_matrix

    seen = {*truth, *decided}
    names = [name for name in labels if name in seen]
    return {"labels": names, "counts": confusion_matrix(truth, decided, labels=names).tolist()}


def rank_features(model: Model, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The features, the most important first.

    Importance is by how much the RMSE rises where the feature's values are shuffled (Breiman,
    2001); of a classifier, by how much the share of wrong answers does.
    """
    from sklearn.inspection import permutation_importance

    def score(_: Any, X: pd.DataFrame, truth: np.ndarray) -> float:
        decided = model.decide(model.predict(X))
        if model.labels:
            return float((decided == truth).mean())
        return -float(np.sqrt(((decided - truth) ** 2).mean()))

    rises = permutation_importance(
        SimpleNamespace(fit=len),  # scikit-learn requires a `fit` and does not call it
        rows[model.features],
        model.read_truth(rows),
        scoring=score,
        n_repeats=REPEATS,
        random_state=SEED,
    )
    measured = zip(model.features, rises.importances_mean, rises.importances_std, strict=True)
    features = [{"name": name, "mean": mean, "std": std} for name, mean, std in measured]
    return sorted(features, key=lambda feature: -feature["mean"])
