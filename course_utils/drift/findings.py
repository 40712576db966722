"""What a comparison found: a row for each test, the classifier, the decision and its reasons."""

import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from course_utils.drift.columns import ColumnTest
from course_utils.drift.joint import Joint
from course_utils.drift.verdict import GRAVITY, Bounds, Judged


@dataclass(frozen=True)
class Findings:
    """What has changed between two tables, and whether to act on it."""

    columns: pd.DataFrame
    """One row a test, the gravest first: ``column``, ``test``, ``statistic``, ``p_value``,
    ``p_adjusted`` (Holm, over all rows and the classifier), ``effect`` and ``effect_low`` (0 to 1;
    the observed size, and the size it surely has), ``shift`` (of the mean, in standard deviations
    of the reference), ``verdict`` and ``note``."""
    decision: str
    """``keep``, ``watch`` or ``retrain``."""
    reasons: list[str]
    """Why, in plain words."""
    warnings: list[str]
    """What was left out of the comparison, and why; which categories have come or gone."""
    rows: tuple[int, int]
    """Rows of the reference and of the current table."""
    bounds: Bounds
    joint: Joint | None
    """The classifier; none where no column could be compared."""
    samples: tuple[pd.DataFrame, pd.DataFrame] = field(repr=False)
    """The rows the classifier saw, and plots are drawn from."""

    @property
    def auc(self) -> float:
        """How well a classifier tells old rows from new: 0.5 is guessing, 1 is always."""
        return self.joint.auc if self.joint else math.nan

    @property
    def auc_interval(self) -> tuple[float, float]:
        """Confidence interval of `auc` at ``1 - alpha``."""
        return self.joint.interval(self.bounds.alpha) if self.joint else (math.nan, math.nan)

    @property
    def auc_p_value(self) -> float:
        """Of the classifier's Mann–Whitney test, not adjusted."""
        return self.joint.p_value if self.joint else math.nan

    @property
    def ranking(self) -> pd.DataFrame:
        """The columns by what they betray: ``column`` and ``auc_lost`` where it is shuffled."""
        ranking = self.joint.ranking if self.joint else {}
        return pd.DataFrame({"column": list(ranking), "auc_lost": list(ranking.values())})

    @property
    def significant(self) -> list[str]:
        """Columns with a significant test; ``(all together)`` is the classifier."""
        found = self.columns[self.columns["p_adjusted"] <= self.bounds.alpha]
        return list(dict.fromkeys(found["column"]))


ALL_TOGETHER = "(all together)"


def table(
    tests: list[ColumnTest], joint: Joint | None, judged: list[Judged], alpha: float
) -> pd.DataFrame:
    """The report's `columns`."""
    rows = [_row(test, j) for test, j in zip(tests, judged, strict=False)]
    if joint:
        j, low_high = judged[-1], joint.interval(alpha)
        rows.append(
            {
                "column": ALL_TOGETHER,
                "test": "classifier",
                "statistic": joint.auc,
                "p_value": joint.p_value,
                "p_adjusted": j.p_adjusted,
                "effect": max(0.0, 2 * joint.auc - 1),
                "effect_low": j.effect_low,
                "shift": math.nan,
                "verdict": j.verdict,
                "note": f"AUC {joint.auc:.3f} ({low_high[0]:.3f} to {low_high[1]:.3f})",
            }
        )
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    frame["gravity"] = frame["verdict"].map(GRAVITY)
    frame = frame.sort_values(
        ["gravity", "effect_low", "effect"], ascending=[True, False, False], kind="stable"
    )
    return frame.drop(columns="gravity").reset_index(drop=True)


_COLUMNS = (
    *("column", "test", "statistic", "p_value", "p_adjusted", "effect", "effect_low"),
    *("shift", "verdict", "note"),
)


def _row(test: ColumnTest, judged: Judged) -> dict[str, Any]:
    return {
        "column": test.column,
        "test": test.test,
        "statistic": test.statistic,
        "p_value": test.p_value,
        "p_adjusted": judged.p_adjusted,
        "effect": test.effect,
        "effect_low": judged.effect_low,
        "shift": math.nan if test.shift is None else test.shift,
        "verdict": judged.verdict,
        "note": test.note,
    }
