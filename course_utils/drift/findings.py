"""What a comparison found: a row for each test, the classifier, the decision and its reasons."""

import math
from dataclasses import dataclass, field

import pandas as pd

from course_utils.drift.classifier import DomainClassifier


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
    alpha: float
    """Chance of calling anything at all significant where nothing has changed."""
    classifier: DomainClassifier | None
    """None where no column could be compared."""
    numbers: list[str]
    """The columns that were compared as numbers, not as categories."""
    samples: tuple[pd.DataFrame, pd.DataFrame] = field(repr=False)
    """The rows the classifier saw, and plots are drawn from."""

    @property
    def auc(self) -> float:
        """How well a classifier tells old rows from new: 0.5 is guessing, 1 is always."""
        return self.classifier.auc if self.classifier else math.nan

    @property
    def auc_interval(self) -> tuple[float, float]:
        """Confidence interval of `auc` at ``1 - alpha``."""
        return self.classifier.interval(self.alpha) if self.classifier else (math.nan, math.nan)

    @property
    def auc_p_value(self) -> float:
        """Of the classifier's Mann–Whitney test, not adjusted."""
        return self.classifier.p_value if self.classifier else math.nan

    @property
    def ranking(self) -> pd.DataFrame:
        """The columns that the classifier goes by, ``column`` and ``auc_lost`` without each."""
        ranking = self.classifier.ranking if self.classifier else {}
        names = pd.Series(list(ranking), dtype=object)  # Arrow refuses what a name may hold
        return pd.DataFrame({"column": names, "auc_lost": list(ranking.values())})

    @property
    def significant(self) -> list[str]:
        """Columns with a significant test; ``(all together)`` is the classifier."""
        found = self.columns[self.columns["p_adjusted"] <= self.alpha]
        return list(dict.fromkeys(found["column"]))
