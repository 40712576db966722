"""The classifier that tells old from new: its AUC, its honesty, what it betrays."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestClassifier

from course_utils.drift import classifier
from course_utils.drift.classifier import DomainClassifier, tell_apart


def draw_numbers(rows: int, columns: int, seed: object) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(columns)])


def train(old: pd.DataFrame, new: pd.DataFrame, *, seed=0) -> DomainClassifier:
    named = [name for name in old if pd.api.types.is_numeric_dtype(old[name])]
    return tell_apart((old, new), named, seed=seed)[0]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch):
    """A forest that keeps what it is shown."""

    class Recorder(RandomForestClassifier):
        learnt: ClassVar[list] = []
        asked: ClassVar[list] = []

        def fit(self, X, y):
            self.learnt.append((X, y))
            return super().fit(X, y)

        def predict_proba(self, X):
            self.asked.append(X)
            return super().predict_proba(X)

    monkeypatch.setattr(classifier, "RandomForestClassifier", Recorder)
    return Recorder


def test_it_is_judged_on_rows_it_was_not_trained_on(recorder):
    """Nor on copies of them, such as a row that is in both tables."""
    old, new = draw_numbers(300, 3, 0), draw_numbers(200, 3, 1)
    new[:60] = old[:60]
    found = train(old, new)
    ((learnt, y),), (asked,) = recorder.learnt, recorder.asked
    assert len(asked) == sum(found.rows)
    assert len(learnt) + len(asked) == 500
    assert not {row.tobytes() for row in learnt} & {row.tobytes() for row in asked}
    assert found.rows == (300 - (y == 0).sum(), 200 - (y == 1).sum())
    assert all(0.4 < share < 0.6 for share in (found.rows[0] / 300, found.rows[1] / 200))


def test_nothing_in_the_table_shows_which_row_is_whose(recorder):
    """The rows' numbers stay the same when the two tables are swapped."""
    old = draw_numbers(200, 2, 0).assign(c=[f"{i // 2}" for i in range(200)])
    new = draw_numbers(200, 2, 1).assign(c=[f"{i // 2 + 50}" for i in range(200)])
    old.loc[::7, "x0"] = np.nan
    train(old, new)
    train(new, old)
    once, again = (
        sorted(np.nan_to_num(np.vstack([recorder.learnt[i][0], recorder.asked[i]])).tolist())
        for i in (0, 1)
    )
    assert once == again


def test_interval_holds_the_true_auc():
    """On one fixed score, drawn again and again."""
    random, runs = np.random.default_rng(6), 400
    true, missed = stats.norm.cdf(1 / np.sqrt(2)), 0
    for _ in range(runs):
        old, new = random.normal(size=100), random.normal(1, 1, 100)
        area = stats.mannwhitneyu(new, old).statistic / 1e4
        low, high = DomainClassifier(
            area, classifier._compute_auc_deviation(old, new, area), 0.0, pd.DataFrame(), (100, 100)
        ).interval
        missed += not low <= true <= high
    assert missed <= stats.binom.isf(0.001, runs, 0.06)


def test_only_the_order_of_numbers_counts():
    """Neither scale nor outliers nor infinite values make a difference."""
    old, new = draw_numbers(400, 4, 0), draw_numbers(400, 4, 1)
    new["x2"] += 1
    plain = train(old, new)
    bent = [frame.apply(lambda column: np.exp(7 * column)) for frame in (old, new)]
    assert train(*bent).auc == plain.auc
    top = max(old["x0"].max(), new["x0"].max())
    endless = [frame.assign(x0=frame["x0"].replace(top, np.inf)) for frame in (old, new)]
    assert train(*endless).auc == plain.auc
