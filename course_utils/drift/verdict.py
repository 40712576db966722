"""From tests to a decision: significance and size, both.

A p-value says whether something changed, not whether it matters: at a million rows everything is
significant. A change counts with the size that it surely has, the lower end of its confidence
interval, so that a small sample cannot raise an alarm by its noise.
"""

from dataclasses import dataclass

import numpy as np

from course_utils.drift.columns import ColumnTest
from course_utils.drift.joint import Joint

NO_CHANGE, NEGLIGIBLE, UNSURE = "no change", "negligible", "size unsure"
KEEP, WATCH, RETRAIN = "keep", "watch", "retrain"
GRAVITY = {RETRAIN: 0, WATCH: 1, UNSURE: 2, NEGLIGIBLE: 3, NO_CHANGE: 4}
SENTENCES = {
    UNSURE: "Significant, but how large is unsure until there are more rows: {}.",
    NEGLIGIBLE: "Significant, but too small to act on: {}.",
}


@dataclass(frozen=True)
class Bounds:
    """What is significant, and what is large.

    Args:
        alpha: chance of calling anything at all significant where nothing has changed.
        auc: from this AUC of the classifier on, retrain. A column's effect of ``2 auc - 1``
            guarantees that AUC, and so means the same.
        watch: from this effect on, watch; of the classifier, from the AUC ``(1 + watch) / 2``.
        novel: the same for a change in kind, which a model has no answer to: missing values where
            there were none, a category never seen.
    """

    alpha: float = 0.05
    auc: float = 0.75
    watch: float = 0.1
    novel: float = 0.01

    def __post_init__(self) -> None:
        for name, low, high in (("alpha", 0, 0.5), ("auc", 0.5, 1), ("watch", 0, 1)):
            value = getattr(self, name)
            if not low < value < high:
                label = "auc_bound" if name == "auc" else name
                raise ValueError(f"{label} is {value}; it must lie between {low} and {high}.")
        if not 0 < self.novel <= self.watch:
            raise ValueError(f"novel is {self.novel}; it must lie between 0 and {self.watch}.")

    @property
    def retrain(self) -> float:
        """The effect of a single column from which on to retrain."""
        return 2 * self.auc - 1


@dataclass(frozen=True)
class Judged:
    """One test with what follows from it."""

    p_adjusted: float
    effect_low: float
    verdict: str


def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm stays below alpha (Holm 1979).

    Valid however the tests depend on each other, and never weaker than Bonferroni.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted.tolist()


def judge(tests: list[ColumnTest], joint: Joint | None, bounds: Bounds) -> list[Judged]:
    """Each test's verdict, in order; the classifier's, where there is one, comes last."""
    p_values = [test.p_value for test in tests] + ([joint.p_value] if joint else [])
    if not p_values:
        return []
    alpha = bounds.alpha / len(p_values)  # the sizes hold all at once
    sizes = [(test.effect, test.effect - test.margin(alpha), test.novel) for test in tests]
    if joint:
        low, _ = joint.interval(alpha)
        sizes.append((2 * joint.auc - 1, 2 * low - 1, False))
    return [
        Judged(p, max(0.0, low), _verdict(p, effect, low, novel, bounds))
        for p, (effect, low, novel) in zip(holm(p_values), sizes, strict=True)
    ]


def _verdict(p_adjusted: float, effect: float, low: float, novel: bool, bounds: Bounds) -> str:
    watch = bounds.novel if novel else bounds.watch
    if not p_adjusted <= bounds.alpha:
        return NO_CHANGE
    if low >= bounds.retrain:
        return RETRAIN
    if low >= watch:
        return WATCH
    return UNSURE if effect >= watch else NEGLIGIBLE


def decide(verdicts: list[str], form_changed: bool) -> str:
    """The gravest of the verdicts; a changed form is at least to be watched."""
    if RETRAIN in verdicts:
        return RETRAIN
    return WATCH if WATCH in verdicts or form_changed else KEEP


def reasons(
    tests: list[ColumnTest],
    joint: Joint | None,
    judged: list[Judged],
    bounds: Bounds,
    gone: dict[str, str],
) -> list[str]:
    """Why, in plain words; the gravest first."""
    said = [f"{name}: {what}. Mend the data before the model." for name, what in gone.items()]
    if joint and judged[-1].verdict != NO_CHANGE:
        said.append(_of_joint(joint, judged[-1].verdict, bounds))
    pairs = list(zip(tests, judged, strict=False))
    said += _of_columns(pairs)
    grave = {test.column for test, j in pairs if j.verdict in (RETRAIN, WATCH)}
    for verdict, sentence in SENTENCES.items():
        names = [test.column for test, j in pairs if j.verdict == verdict]
        names = [name for name in dict.fromkeys(names) if name not in grave]
        if names:
            said.append(sentence.format(_listed(names)))
    if not said:
        said.append(f"Nothing has changed that {len(judged)} tests would notice.")
    return said


def _of_joint(joint: Joint, verdict: str, bounds: Bounds) -> str:
    low, high = joint.interval(bounds.alpha)
    said = (
        f"A classifier tells new rows from old ones with an AUC of {joint.auc:.2f} "
        f"({low:.2f} to {high:.2f}; 0.5 is guessing, {bounds.auc:g} the bound)"
    )
    if verdict in (RETRAIN, WATCH) and joint.ranking:
        most = max(joint.ranking.values())
        telling = [name for name, lost in joint.ranking.items() if lost >= most / 10]
        said += f", mostly by {_listed(telling[:3])}"
    ends = {NEGLIGIBLE: ": too little to act on.", UNSURE: ": more rows would tell how well."}
    return said + ends.get(verdict, ".")


def _of_columns(pairs: list[tuple[ColumnTest, Judged]]) -> list[str]:
    """A sentence for each of the five columns that changed most, and the others' names."""
    worst: dict[str, tuple[ColumnTest, Judged]] = {}
    for test, j in sorted(pairs, key=lambda pair: -pair[1].effect_low):
        if j.verdict in (RETRAIN, WATCH):
            worst.setdefault(test.column, (test, j))
    said = [
        f"{name}: {test.note} ({test.test}: at least {j.effect_low:.2f})."
        for name, (test, j) in list(worst.items())[:5]
    ]
    if len(worst) > 5:
        said.append(f"Large changes, too, of {_listed(list(worst)[5:])}.")
    return said


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
