"""What a comparison found: a row for each test, the classifier, the decision and its reasons."""

from dataclasses import dataclass, field

import pandas as pd

from course_utils.drift.classifier import DomainClassifier
from course_utils.drift.column_test import ALPHA


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
