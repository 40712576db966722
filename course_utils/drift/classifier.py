"""All columns at once: whether a classifier can tell old rows from new.

What moves only together (a correlation that turns its sign, say) no test of single columns sees.
The classifier learns on one half of the rows and is judged on the other, so that an area under the
ROC curve above 0.5 is evidence and not memory.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score, roc_curve

from course_utils.drift.column_test import ALPHA, ColumnTest, make_normal_margin
from course_utils.drift.tables import Floats, sort_by_frequency, to_floats

ALL_TOGETHER = "(all together)"
CLASSIFIER = "classifier"
MAX_CATEGORIES = 50  # the most frequent ones are told apart
MAX_RANKED_COLUMNS = 20  # columns whose permutation importance is computed
MAX_RANKED_ROWS = 1_000  # a side, for the same
Matrix = NDArray[np.float32]
NOTHING_RANKED = pd.DataFrame({"column": [], "auc_lost": []})


@dataclass(frozen=True)
class DomainClassifier:
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

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided confidence interval of the AUC at 95 %."""
        width = make_normal_margin(self.deviation)(ALPHA)
        return max(0.0, self.auc - width), min(1.0, self.auc + width)

    def as_test(self) -> ColumnTest:
        """The same as one more test beside those of the columns."""
        low, high = self.interval
        effect, note = max(0.0, 2 * self.auc - 1), f"AUC {self.auc:.3f} ({low:.3f} to {high:.3f})"
        margin = make_normal_margin(2 * self.deviation)
        return ColumnTest(ALL_TOGETHER, CLASSIFIER, self.auc, self.p_value, effect, margin, note)


def tell_apart(
    samples: tuple[pd.DataFrame, pd.DataFrame], numbers: Sequence[str], *, seed: int
) -> tuple[DomainClassifier, Callable[[], pd.DataFrame]]:
    """Train a random forest on half of the rows and judge it on the rest.

    Args:
        samples: reference and current rows, the same columns.
        numbers: the columns that hold numbers; all others are categories.
        seed: for the split, the forest and the shuffling.

    Returns:
        What it achieves, and a function that ranks the columns it goes by. Ranking takes longer
        than all the rest, so it is left to the caller, who knows whether there is a difference.
    """
    X = _encode(samples, set(numbers))
    y = np.repeat([0, 1], [len(sample) for sample in samples])
    random = np.random.default_rng([seed, 2])
    train = _choose_half(X, y, random)
    forest = RandomForestClassifier(
        n_estimators=100, min_samples_leaf=5, class_weight="balanced", random_state=seed
    )
    forest.fit(X[train], y[train])
    X, y = X[~train], y[~train]
    scores = forest.predict_proba(X)[:, 1]
    old, new = scores[y == 0], scores[y == 1]
    p_value = stats.mannwhitneyu(new, old, alternative="greater", method="asymptotic").pvalue
    auc = float(roc_auc_score(y, scores))
    false, true, _ = roc_curve(y, scores)
    classifier = DomainClassifier(
        auc,
        _compute_auc_deviation(old, new, auc),
        float(p_value),
        pd.DataFrame({"false_positive_rate": false, "true_positive_rate": true}),
        (len(old), len(new)),
    )
    return classifier, partial(_rank_columns, forest, X, y, samples[0].columns, random)


def _encode(samples: tuple[pd.DataFrame, pd.DataFrame], numbers: set[str]) -> Matrix:
    """The rows as numbers between 0 and 1, missing values as NaN.

    Numbers become ranks among all rows, so that neither outliers nor infinite values matter;
    categories are numbered by frequency. Both look at the two tables as one, and so cannot tell
    the classifier which row is whose.
    """
    pooled = pd.concat(samples, ignore_index=True)
    columns = [
        stats.rankdata(to_floats(pooled[name]), nan_policy="omit") / len(pooled)
        if name in numbers
        else _encode_categories(pooled[name])
        for name in pooled
    ]
    return np.column_stack(columns).astype(np.float32)


def _encode_categories(values: pd.Series) -> Floats:
    # Equally frequent ones by name: in order of appearance, the reference's own would come first.
    order = {name: i for i, name in enumerate(sort_by_frequency(values.value_counts().to_dict()))}
    # By a function: of a dict pandas makes an index, which intervals that overlap cannot be.
    codes = values.astype(object).map(lambda name: order.get(name, np.nan)).to_numpy(np.float64)
    return np.minimum(codes, MAX_CATEGORIES) / MAX_CATEGORIES


def _choose_half(X: Matrix, y: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows to train on; equal rows together, unless most rows are.

    Otherwise a current row that is a copy of a reference row it was trained on would be held for
    an old one, and the AUC fall below 0.5.
    """
    _, same = np.unique(np.nan_to_num(X, nan=-1), axis=0, return_inverse=True)
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


def _compute_auc_deviation(old: Floats, new: Floats, auc: float) -> float:
    """DeLong's, from how often each row's score beats those of the other side.

    At an AUC of 1 that is 0, however few the rows; it is at least half of what it is for guessing,
    scaled down as a share's deviation is.
    """
    n, m = len(old), len(new)
    beats = _count_beaten(np.sort(old), new) - auc
    beaten = 1 - _count_beaten(np.sort(new), old) - auc
    variance = beats @ beats / max(m - 1, 1) / m + beaten @ beaten / max(n - 1, 1) / n
    share = (auc * min(n, m) + 1) / (min(n, m) + 2)
    least = share * (1 - share) * (1 / n + 1 / m) / 12
    return math.sqrt(max(float(variance), least))


def _count_beaten(ascending: Floats, scores: Floats) -> Floats:
    """Of each score, the share of the others that lie below it; equal ones count half."""
    below = np.searchsorted(ascending, scores, side="left")
    return (below + np.searchsorted(ascending, scores, side="right")) / 2 / len(ascending)


def _rank_columns(
    forest: RandomForestClassifier,
    X: Matrix,
    y: NDArray[np.int64],
    names: pd.Index,
    random: np.random.Generator,
) -> pd.DataFrame:
    """AUC lost where a column is shuffled, for the columns that the forest uses most."""
    sides = (random.permutation(np.flatnonzero(y == side)) for side in (0, 1))
    some = np.concatenate([side[:MAX_RANKED_ROWS] for side in sides])
    X, y = X[some], y[some]
    whole = roc_auc_score(y, forest.predict_proba(X)[:, 1])
    used = np.argsort(-forest.feature_importances_, kind="stable")[:MAX_RANKED_COLUMNS]
    lost = []
    for at in used:
        shuffled = X.copy()
        shuffled[:, at] = X[random.permutation(len(X)), at]
        lost.append(float(whole - roc_auc_score(y, forest.predict_proba(shuffled)[:, 1])))
    ranking = pd.DataFrame({"column": names[used], "auc_lost": lost})
    ranking = ranking.sort_values("auc_lost", ascending=False, kind="stable", ignore_index=True)
    return ranking[ranking["auc_lost"] > 0]
