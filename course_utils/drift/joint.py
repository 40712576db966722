"""All columns at once: whether a classifier can tell old rows from new.

What moves only together (a correlation that turns its sign, say) no test of single columns sees.
The classifier learns on one half of the rows and is judged on the other, so that an area under the
ROC curve above 0.5 is evidence and not memory.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score, roc_curve

from course_utils.drift.frames import floats, in_order

CATEGORIES = 50  # the most frequent ones are told apart
RANKED = 20  # columns that are asked how much they betray
RANKED_ROWS = 1_000  # a side
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Joint:
    """How well a classifier tells the two tables apart on rows it was not trained on."""

    auc: float
    deviation: float
    """Standard deviation of ``auc`` (DeLong, DeLong and Clarke-Pearson 1988)."""
    p_value: float
    """Of the Mann–Whitney test, one-sided: are the new rows' scores higher?"""
    roc: pd.DataFrame
    """The curve: ``false_positive_rate``, ``true_positive_rate``."""
    rows: tuple[int, int]
    """Rows a side that it was judged on."""
    ranking: dict[str, float] = field(default_factory=dict)
    """How much AUC is lost where a column is shuffled, the most telling column first; empty where
    the classifier found no difference."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """Two-sided confidence interval of the AUC at ``1 - alpha``."""
        width = float(stats.norm.isf(alpha / 2)) * self.deviation
        return max(0.0, self.auc - width), min(1.0, self.auc + width)


def tell_apart(
    samples: tuple[pd.DataFrame, pd.DataFrame],
    numbers: Sequence[str],
    estimator: ClassifierMixin | None,
    *,
    alpha: float,
    seed: int,
) -> Joint:
    """Train a classifier on half of the rows and judge it on the rest.

    Args:
        samples: reference and current rows, the same columns.
        numbers: the columns that hold numbers; all others are categories.
        estimator: any scikit-learn classifier; by default a random forest of 100 trees.
        alpha: from which p-value on the columns are ranked.
        seed: for the split, the default forest and the shuffling.
    """
    X, groups = _matrix(samples, set(numbers))
    y = np.repeat([0, 1], [len(sample) for sample in samples])
    random = np.random.default_rng([seed, 2])
    train = _half(X, y, random)
    model: Any = _forest(seed) if estimator is None else clone(_checked(estimator))
    model.fit(X[train], y[train])
    X, y = X[~train], y[~train]
    scores = _scores(model, X)
    new, old = scores[y == 1], scores[y == 0]
    p_value = stats.mannwhitneyu(new, old, alternative="greater", method="asymptotic").pvalue
    auc = float(roc_auc_score(y, scores))
    false, true, _ = roc_curve(y, scores)
    return Joint(
        auc,
        _deviation(old, new, auc),
        float(p_value),
        pd.DataFrame({"false_positive_rate": false, "true_positive_rate": true}),
        (len(old), len(new)),
        _ranking(model, X, y, groups, random) if p_value <= alpha else {},
    )


def _half(X: Matrix, y: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows to train on; equal rows together, unless most rows are.

    Otherwise a current row that is a copy of a reference row it was trained on would be held for
    an old one, and the AUC fall below 0.5.
    """
    _, same = np.unique(X, axis=0, return_inverse=True)
    groups = int(same.max()) + 1
    if groups >= len(X) / 3:
        train = (random.permutation(groups) < groups // 2)[same]
        if min(np.bincount(2 * y + train, minlength=4)) >= 5:
            return train
    train = np.zeros(len(y), dtype=bool)
    for side in (0, 1):
        rows = random.permutation(np.flatnonzero(y == side))
        train[rows[: len(rows) // 2]] = True
    return train


def _checked(estimator: Any) -> ClassifierMixin:
    scores = ("predict_proba", "decision_function")
    able = any(hasattr(estimator, name) for name in scores)
    if isinstance(estimator, BaseEstimator) and is_classifier(estimator) and able:
        return estimator
    raise TypeError(
        f"The estimator is {estimator!r}; give a scikit-learn classifier with predict_proba or "
        "decision_function, for example sklearn.linear_model.LogisticRegression()."
    )


def _forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(
        n_estimators=100, min_samples_leaf=5, class_weight="balanced", random_state=seed
    )


def _matrix(
    samples: tuple[pd.DataFrame, pd.DataFrame], numbers: set[str]
) -> tuple[Matrix, dict[str, list[int]]]:
    """The rows as numbers between 0 and 1, and which of its columns came from which.

    Numbers become ranks among all rows, so that neither outliers nor infinite values matter;
    categories are numbered by frequency. Both look at the two tables as one, and so cannot tell
    the classifier which row is whose. Missing values get a column of their own.
    """
    pooled = pd.concat(samples, ignore_index=True)
    columns: list[NDArray[Any]] = []
    groups: dict[str, list[int]] = {}
    for name in pooled.columns:
        values, missing = pooled[name], pooled[name].isna().to_numpy()
        ranks = _ranked(floats(values)) if name in numbers else _by_frequency(values)
        ranks[missing] = 0.5
        groups[name] = [len(columns)]
        columns.append(ranks)
        if missing.any():
            groups[name].append(len(columns))
            columns.append(missing)
    return np.column_stack(columns).astype(np.float32), groups


def _ranked(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return stats.rankdata(values, nan_policy="omit") / len(values)


def _by_frequency(values: pd.Series) -> NDArray[np.float64]:
    # Equally frequent ones by name: in order of appearance, the reference's own would come first.
    order = {name: i for i, name in enumerate(in_order(values.value_counts().to_dict()))}
    codes = values.astype(object).map(order).to_numpy(dtype=np.float64)
    return np.minimum(codes, CATEGORIES) / CATEGORIES


def _scores(model: Any, X: Matrix) -> NDArray[np.float64]:
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)[:, 1]
    return model.decision_function(X)


def _deviation(old: NDArray[np.float64], new: NDArray[np.float64], auc: float) -> float:
    """DeLong's, from how often each row's score beats those of the other side.

    At an AUC of 1 that is 0, however few the rows; it is at least half of what it is for guessing,
    scaled down as a share's deviation is.
    """
    n, m = len(old), len(new)
    beats = _placements(np.sort(old), new) - auc
    beaten = 1 - _placements(np.sort(new), old) - auc
    variance = beats @ beats / max(m - 1, 1) / m + beaten @ beaten / max(n - 1, 1) / n
    share = (auc * min(n, m) + 1) / (min(n, m) + 2)
    return math.sqrt(max(variance, share * (1 - share) * (1 / n + 1 / m) / 12))


def _placements(ascending: NDArray[np.float64], scores: NDArray[np.float64]) -> Any:
    below = np.searchsorted(ascending, scores, side="left")
    return (below + np.searchsorted(ascending, scores, side="right")) / 2 / len(ascending)


def _ranking(
    model: Any,
    X: Matrix,
    y: NDArray[np.int64],
    groups: dict[str, list[int]],
    random: np.random.Generator,
) -> dict[str, float]:
    """AUC lost where a column is shuffled, for the columns that the model leans on most."""
    sides = (random.permutation(np.flatnonzero(y == side)) for side in (0, 1))
    some = np.concatenate([side[:RANKED_ROWS] for side in sides])
    X, y = X[some], y[some]
    whole = roc_auc_score(y, _scores(model, X))
    names = _candidates(model, groups)
    lost = {}
    for name in names:
        shuffled = X.copy()
        shuffled[:, groups[name]] = X[random.permutation(len(X))][:, groups[name]]
        lost[name] = float(whole - roc_auc_score(y, _scores(model, shuffled)))
    order = sorted(lost.items(), key=lambda pair: -pair[1])
    return {name: loss for name, loss in order if loss > 0}


def _candidates(model: Any, groups: dict[str, list[int]]) -> list[str]:
    """The columns that the model leans on most; of a model that does not say, the first ones."""
    for attribute in ("feature_importances_", "coef_"):
        if hasattr(model, attribute):
            leaning = np.abs(np.atleast_2d(getattr(model, attribute))).sum(axis=0)
            return sorted(groups, key=lambda name: -leaning[groups[name]].sum())[:RANKED]
    return list(groups)[: 10 * RANKED]
