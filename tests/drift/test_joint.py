"""The classifier that tells old from new: its AUC, its honesty, what it betrays."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.utils.validation import check_is_fitted

from course_utils.drift import joint
from course_utils.drift.frames import CELLS, rows_to_see
from course_utils.drift.joint import Joint, tell_apart
from tests.support.drift_tables import changed


def numbers(rows: int, columns: int, seed: object) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(columns)])


def told(old: pd.DataFrame, new: pd.DataFrame, estimator=None, *, alpha=0.05, seed=0) -> Joint:
    named = [name for name in old if pd.api.types.is_numeric_dtype(old[name])]
    return tell_apart((old, new), named, estimator, alpha=alpha, seed=seed)


def shifted(rows=400, columns=4, by=1.0, name="x2") -> tuple[pd.DataFrame, pd.DataFrame]:
    old, new = numbers(rows, columns, 0), numbers(rows, columns, 1)
    new[name] += by
    return old, new


class Recorder(LogisticRegression):
    """Remembers what it was shown."""

    learnt: ClassVar[list] = []
    asked: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None):
        self.learnt.append((X, y))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self.asked.append(X)
        return super().predict_proba(X)


@pytest.fixture
def recorder():
    Recorder.learnt, Recorder.asked = [], []
    return Recorder()


def test_it_is_judged_on_rows_it_was_not_trained_on(recorder):
    old, new = numbers(300, 3, 0), numbers(200, 3, 1)
    found = told(old, new, recorder, alpha=1e-9)
    ((learnt, y),), (asked,) = recorder.learnt, recorder.asked
    assert len(asked) == sum(found.rows)
    assert len(learnt) + len(asked) == 500
    assert not {row.tobytes() for row in learnt} & {row.tobytes() for row in asked}
    assert found.rows == (300 - (y == 0).sum(), 200 - (y == 1).sum())
    assert all(0.4 < share < 0.6 for share in (found.rows[0] / 300, found.rows[1] / 200))


def test_equal_rows_are_not_on_both_sides_of_the_split(recorder):
    old, new = numbers(300, 3, 0), numbers(200, 3, 1)
    new = pd.concat([new, old[:150]], ignore_index=True)
    told(old, new, recorder, alpha=1e-9)
    learnt, asked = recorder.learnt[0][0], recorder.asked[0]
    assert not {row.tobytes() for row in learnt} & {row.tobytes() for row in asked}


def test_few_different_rows_are_split_all_the_same(recorder):
    random = np.random.default_rng(0)
    old, new = (pd.DataFrame({"c": random.choice(list("ab"), 60)}) for _ in range(2))
    assert told(old, new, recorder).rows == (30, 30)


def test_one_row_again_and_again_is_split_all_the_same(recorder):
    old, new = numbers(25, 2, 0), numbers(25, 2, 1)
    new[:] = new.iloc[0].to_numpy()
    assert told(old, new, recorder).rows == (13, 13)


def test_nothing_in_the_table_shows_which_row_is_whose(recorder):
    """The rows' numbers stay the same when the two tables are swapped."""
    old = numbers(200, 2, 0).assign(c=[f"{i // 2}" for i in range(200)])
    new = numbers(200, 2, 1).assign(c=[f"{i // 2 + 50}" for i in range(200)])
    old.loc[::7, "x0"] = np.nan
    told(old, new, recorder, alpha=1e-9)
    told(new, old, recorder, alpha=1e-9)
    once, again = (
        sorted(map(tuple, np.vstack([recorder.learnt[i][0], recorder.asked[i]]).tolist()))
        for i in (0, 1)
    )
    assert once == again


def test_auc_is_the_area_under_its_curve():
    for by in (0.0, 0.3, 1.0):
        found = told(*shifted(by=by))
        curve = found.roc
        area = auc(curve["false_positive_rate"], curve["true_positive_rate"])
        assert found.auc == pytest.approx(area)
    assert curve.iloc[0].tolist() == [0, 0]
    assert curve.iloc[-1].tolist() == [1, 1]


def test_auc_is_about_what_theory_says():
    """Of two normal distributions a shift of d apart: Φ(d / √2)."""
    old, new = shifted(4000, 3, 1.2)
    found = told(old, new, LogisticRegression())
    low, high = found.interval(0.001)
    assert low < stats.norm.cdf(1.2 / np.sqrt(2)) < high
    assert high - low < 0.06


@pytest.mark.thorough
@pytest.mark.parametrize("ties", [False, True])
def test_deviation_is_what_the_bootstrap_finds(ties):
    random = np.random.default_rng(5)
    old, new = random.normal(size=150), random.normal(1, 1.5, 90)
    if ties:
        old, new = old.round(), new.round()

    def area(old, new):
        return roc_auc_score(np.repeat([0, 1], [len(old), len(new)]), np.append(old, new))

    again = [area(random.choice(old, 150), random.choice(new, 90)) for _ in range(600)]
    found = joint._deviation(old, new, area(old, new))
    assert found == pytest.approx(np.std(again), rel=0.12)


def test_interval_narrows_with_alpha_and_stays_on_the_scale():
    found = Joint(0.9, 0.06, 0.0, pd.DataFrame(), (20, 20))
    assert found.interval(0.05) == pytest.approx((0.9 - 1.96 * 0.06, 1), abs=1e-4)
    assert found.interval(0.5)[0] > found.interval(0.01)[0]
    assert Joint(0.05, 0.06, 1.0, pd.DataFrame(), (20, 20)).interval(0.05)[0] == 0


def test_twenty_rows_told_apart_without_fail_do_not_prove_an_auc_of_one():
    old, new = shifted(20, 1, 50.0, "x0")
    found = told(old, new, LogisticRegression())
    assert found.auc == 1
    assert found.interval(0.05)[0] < 0.97


def test_interval_holds_the_true_auc():
    """On one fixed score, drawn again and again."""
    random, runs = np.random.default_rng(6), 400
    true, missed = stats.norm.cdf(1 / np.sqrt(2)), 0
    for _ in range(runs):
        old, new = random.normal(size=100), random.normal(1, 1, 100)
        area = stats.mannwhitneyu(new, old).statistic / 1e4
        low, high = Joint(
            area, joint._deviation(old, new, area), 0.0, pd.DataFrame(), (100, 100)
        ).interval(0.05)
        missed += not low <= true <= high
    assert missed <= stats.binom.isf(0.001, runs, 0.06)


def zipf(random: np.random.Generator, rows: int) -> pd.DataFrame:
    return pd.DataFrame({"c": random.zipf(1.5, rows).astype(str)})


def unique(random: np.random.Generator, rows: int) -> pd.DataFrame:
    return pd.DataFrame({"c": random.permutation(10**6)[:rows].astype(str)})


def gaps(random: np.random.Generator, rows: int) -> pd.DataFrame:
    frame = pd.DataFrame(random.normal(size=(rows, 3)), columns=list("abc"))
    return frame.mask(random.random((rows, 3)) < 0.3)


@pytest.mark.thorough
@pytest.mark.parametrize("draw", [zipf, unique, gaps])
def test_without_a_change_it_guesses(draw):
    """Equally frequent categories in their order of appearance once told the tables apart."""
    runs = 12
    aucs, p_values = [], []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        found = told(draw(random, 300), draw(random, 240), seed=seed)
        aucs.append(found.auc)
        p_values.append(found.p_value)
    assert abs(np.mean(aucs) - 0.5) < 4 * np.std(aucs) / np.sqrt(runs) + 0.002
    assert max(aucs) < 0.63
    assert sum(p <= 0.05 for p in p_values) <= stats.binom.isf(0.001, runs, 0.05)


def test_copies_of_reference_rows_are_no_change():
    aucs = []
    for seed in range(8):
        old = numbers(400, 4, seed)
        aucs.append(told(old, old.sample(250, random_state=seed), seed=seed).auc)
    assert 0.46 < np.mean(aucs) < 0.54


def test_the_very_same_table_is_no_change():
    old = numbers(400, 4, 0)
    found = told(old, old.copy())
    assert found.auc == pytest.approx(0.5, abs=0.01)
    assert found.p_value > 0.3


def test_a_turned_correlation_is_found_and_its_columns_stand_first():
    old, new = changed("correlation 0.8 to -0.8", 1)
    found = told(old, new)
    assert found.auc > 0.75
    assert found.p_value < 1e-9
    assert set(list(found.ranking)[:2]) == {"number_0", "number_1"}
    assert list(found.ranking.values()) == sorted(found.ranking.values(), reverse=True)
    assert min(list(found.ranking.values())[:2]) > 10 * list(found.ranking.values())[2]


def test_gaps_that_depend_on_another_column_are_found():
    """As many missing values as before, but now where y is high."""
    random = np.random.default_rng(0)
    old, new = numbers(800, 3, 0), numbers(800, 3, 1)
    old["x0"] = old["x0"].mask(random.random(800) < 0.5)
    new["x0"] = new["x0"].mask(new["x1"] > 0)
    found = told(old, new)
    assert found.p_value < 1e-6
    assert set(list(found.ranking)[:2]) == {"x0", "x1"}


def test_nothing_is_ranked_where_nothing_is_found():
    assert told(numbers(200, 3, 0), numbers(200, 3, 2)).ranking == {}


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), LinearSVC(), KNeighborsClassifier(30)],
    ids=["probabilities", "decision function only", "neighbours"],
)
def test_any_classifier_will_do(estimator):
    found = told(*shifted(), estimator)
    assert found.auc > 0.65
    assert found.p_value < 1e-6
    assert next(iter(found.ranking)) == "x2"
    with pytest.raises(NotFittedError):  # the caller's own one is left alone
        check_is_fitted(estimator)


def test_the_culprit_is_ranked_first_whatever_the_classifier_and_the_number_of_columns():
    """Not every classifier says which columns it leans on."""
    old, new = shifted(columns=40, by=1.5, name="x35")
    assert next(iter(told(old, new, LogisticRegression()).ranking)) == "x35"


def test_the_ranking_sees_the_whole_of_the_tables():
    """Rows come in the order of the table; a change need not be in the first of them."""
    old, new = numbers(5000, 4, 0), numbers(5000, 4, 1)
    new.loc[2500:, "x2"] += 3
    found = told(old, new, LogisticRegression())
    assert found.auc > 0.65
    assert next(iter(found.ranking)) == "x2"
    assert next(iter(found.ranking.values())) > 0.1


def test_the_same_seed_gives_the_same_answer():
    once, again, other = (told(*shifted(by=0.5), seed=seed) for seed in (3, 3, 4))
    assert (once.auc, once.p_value, once.ranking) == (again.auc, again.p_value, again.ranking)
    pd.testing.assert_frame_equal(once.roc, again.roc)
    assert once.auc != other.auc


def test_only_the_order_of_numbers_counts():
    """Neither scale nor outliers nor infinite values make a difference."""
    old, new = shifted()
    plain = told(old, new)
    bent = [frame.apply(lambda column: np.exp(7 * column)) for frame in (old, new)]
    assert told(*bent).auc == plain.auc
    top = max(old["x0"].max(), new["x0"].max())
    endless = [frame.assign(x0=frame["x0"].replace(top, np.inf)) for frame in (old, new)]
    assert told(*endless).auc == plain.auc


def test_a_category_beyond_the_most_frequent_is_told_apart_as_a_rare_one():
    random = np.random.default_rng(0)
    old = pd.DataFrame({"c": random.integers(0, 60, 900).astype(str)})
    new = pd.DataFrame({"c": np.where(random.random(900) < 0.5, "0", old["c"].to_numpy())})
    assert told(old, new).auc > 0.65


def test_categories_of_any_kind_will_do():
    cells = [(1, 2), frozenset("a"), 3.5, None, True]
    old = pd.DataFrame({"c": pd.Series([cells[i % 5] for i in range(200)], dtype=object)})
    new = pd.DataFrame({"c": pd.Series([cells[i % 2] for i in range(200)], dtype=object)})
    assert told(old, new).auc > 0.7
    texts = [frame["c"].astype(str).to_frame() for frame in (old, new)]
    assert told(texts[0].astype("string"), texts[1].astype("category")).auc > 0.7


def test_rows_are_bounded_by_the_size_of_the_table():
    assert rows_to_see(20, 10_000) == 10_000
    assert rows_to_see(20, 500) == 500
    assert rows_to_see(10_000, 10_000) == CELLS // 20_000
    assert rows_to_see(10**9, 10_000) == rows_to_see(20, 0) == rows_to_see(0, 3) == 40
