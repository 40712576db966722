"""From tests to a decision: significance and size, both.

A p-value says whether something changed, not whether it matters: at a million rows everything is
significant. A change counts with the size that it surely has, the lower end of its confidence
interval, so that a small sample cannot raise an alarm by its noise.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from course_utils.drift.classifier import CLASSIFIER, DomainClassifier
from course_utils.drift.column_test import ALPHA, ColumnTest, list_names

KEEP, WATCH, RETRAIN = "keep", "watch", "retrain"
NO_CHANGE, NEGLIGIBLE, UNSURE = "no change", "negligible", "size unsure"
SEVERITY = {RETRAIN: 0, WATCH: 1, UNSURE: 2, NEGLIGIBLE: 3, NO_CHANGE: 4}

AUC_BOUND = 0.75
"""From this AUC of the classifier on, retrain: the chapter's."""
RETRAIN_EFFECT = 2 * AUC_BOUND - 1
"""From this effect of a single column on, retrain: it guarantees that AUC."""
WATCH_EFFECT = 0.1
"""From this effect on, watch."""
NOVEL_EFFECT = 0.01
"""The same for a change in kind, which a model has no answer to: missing values where there were
none, a category never seen."""

MAX_REASONS = 5  # columns with a sentence of their own
COLUMNS = (
    *("column", "test", "statistic", "p_value", "p_adjusted", "effect", "effect_low"),
    *("verdict", "note"),
)
SENTENCES = {
    UNSURE: "Significant, but how large is unsure until there are more rows: {}.",
    NEGLIGIBLE: "Significant, but too small to act on: {}.",
}


@dataclass(frozen=True)
class Findings:
    """What has changed between two tables, and whether to act on it."""

    columns: pd.DataFrame
    """One row a test, the gravest first: ``column``, ``test``, ``statistic``, ``p_value``,
    ``p_adjusted`` (Holm, over all rows and the classifier), ``effect`` and ``effect_low`` (0 to 1;
    the observed size, and the size it surely has), ``verdict`` and ``note``."""
    decision: str
    """``keep``, ``watch`` or ``retrain``."""
    reasons: list[str]
    """Why, in plain words."""
    warnings: list[str]
    """What was left out of the comparison, and why; which categories have come or gone."""
    rows: tuple[int, int]
    """Rows of the reference and of the current table."""
    classifier: DomainClassifier
    ranking: pd.DataFrame
    """The columns that the classifier goes by, the most telling first: ``column``, and
    ``auc_lost`` where it is shuffled. Empty where the classifier found no difference."""
    numbers: list[str]
    """The columns that were compared as numbers, not as categories."""
    samples: tuple[pd.DataFrame, pd.DataFrame] = field(repr=False)
    """The rows the classifier saw, and plots are drawn from."""

    @property
    def auc(self) -> float:
        """How well a classifier tells old rows from new: 0.5 is guessing, 1 is always."""
        return self.classifier.auc

    @property
    def significant(self) -> list[str]:
        """Columns with a significant test; ``(all together)`` is the classifier."""
        found = self.columns[self.columns["p_adjusted"] <= ALPHA]
        return list(dict.fromkeys(found["column"]))


def adjust_p_values(p_values: list[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm stays below 5 % (Holm 1979).

    Valid however the tests depend on each other, and never weaker than Bonferroni.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted.tolist()


def judge(tests: list[ColumnTest]) -> pd.DataFrame:
    """A row for each test, in order, with its verdict (see `Findings.columns`)."""
    rows = []
    adjusted = adjust_p_values([test.p_value for test in tests])
    for test, p_adjusted in zip(tests, adjusted, strict=True):
        low = max(0.0, test.effect - test.margin(ALPHA / len(tests)))  # the sizes hold all at once
        verdict = _choose_verdict(test, low) if p_adjusted <= ALPHA else NO_CHANGE
        found = {"p_adjusted": p_adjusted, "effect_low": low, "verdict": verdict}
        rows.append(vars(test) | found)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _choose_verdict(test: ColumnTest, low: float) -> str:
    watch = NOVEL_EFFECT if test.novel else WATCH_EFFECT
    if low >= RETRAIN_EFFECT:
        return RETRAIN
    if low >= watch:
        return WATCH
    return UNSURE if test.effect >= watch else NEGLIGIBLE


def sort_by_severity(judged: pd.DataFrame) -> pd.DataFrame:
    """The gravest rows first."""
    keys = judged.assign(severity=judged["verdict"].map(SEVERITY)).sort_values(
        ["severity", "effect_low", "effect"], ascending=[True, False, False], kind="stable"
    )
    return judged.loc[keys.index].reset_index(drop=True)


def decide(judged: pd.DataFrame, form_changed: bool) -> str:
    """The gravest of the verdicts; a changed form is at least to be watched."""
    verdicts = set(judged["verdict"])
    if RETRAIN in verdicts:
        return RETRAIN
    return WATCH if WATCH in verdicts or form_changed else KEEP


def explain(
    judged: pd.DataFrame,
    classifier: DomainClassifier,
    ranking: pd.DataFrame,
    changed: dict[str, str],
) -> list[str]:
    """Why, in plain words; the gravest first.

    Args:
        judged: all tests, in the order of the columns.
        classifier: the one that has told old rows from new.
        ranking: the columns it goes by (see `Findings.ranking`).
        changed: columns whose form has changed, with what has.
    """
    reasons = [f"{name}: {what}. Mend the data before the model." for name, what in changed.items()]
    of_classifier = judged["test"] == CLASSIFIER
    (verdict,) = judged.loc[of_classifier, "verdict"]
    if verdict != NO_CHANGE:
        reasons.append(_explain_classifier(classifier, ranking, verdict))
    columns = judged[~of_classifier]
    large = columns[columns["verdict"].isin([RETRAIN, WATCH])]
    worst = sort_by_severity(large).drop_duplicates("column")
    for row in worst.head(MAX_REASONS).itertuples():
        reasons.append(f"{row.column}: {row.note} ({row.test}: at least {row.effect_low:.2f}).")
    if len(worst) > MAX_REASONS:
        reasons.append(f"Large changes, too, of {list_names(worst['column'][MAX_REASONS:])}.")
    small = columns[~columns["column"].isin(large["column"])]
    for verdict, sentence in SENTENCES.items():
        names = small.loc[small["verdict"] == verdict, "column"].drop_duplicates()
        if len(names):
            reasons.append(sentence.format(list_names(names)))
    return reasons or [f"Nothing has changed that {len(judged)} tests would notice."]


def _explain_classifier(classifier: DomainClassifier, ranking: pd.DataFrame, verdict: str) -> str:
    low, high = classifier.interval
    reason = (
        f"A classifier tells new rows from old ones with an AUC of {classifier.auc:.2f} "
        f"({low:.2f} to {high:.2f}; 0.5 is guessing, {AUC_BOUND:g} the bound)"
    )
    if verdict in (RETRAIN, WATCH) and len(ranking):
        telling = ranking["auc_lost"] >= ranking["auc_lost"].max() / 10
        reason += f", mostly by {', '.join(ranking.loc[telling, 'column'][:3])}"
    ends = {NEGLIGIBLE: ": too little to act on.", UNSURE: ": more rows would tell how well."}
    return reason + ends.get(verdict, ".")
