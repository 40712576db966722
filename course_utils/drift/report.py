"""A comparison for people, as text, picture and page, and for machines, as JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.drift.findings import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class DriftReport(Findings):
    """What has changed between two tables, whether to act on it, and ways to show it."""

    def __str__(self) -> str:
        old, new = self.rows
        lines = [f"{self.decision} ({old:,} reference rows, {new:,} current rows)"]
        lines += [f"  - {reason}" for reason in self.reasons]
        return "\n".join(lines + [f"  ! {warning}" for warning in self.warnings])

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON; what is not a number is None."""
        table = self.columns.astype(object).where(self.columns.notna(), None)
        return {
            "decision": self.decision,
            "reasons": self.reasons,
            "warnings": self.warnings,
            "rows": {"reference": self.rows[0], "current": self.rows[1]},
            "bounds": {
                "alpha": self.bounds.alpha,
                "auc": self.bounds.auc,
                "watch": self.bounds.watch,
                "novel": self.bounds.novel,
            },
            "auc": self.auc if self.joint else None,
            "auc_interval": list(self.auc_interval) if self.joint else None,
            "auc_p_value": self.auc_p_value if self.joint else None,
            "ranking": self.ranking.to_dict("records"),
            "columns": table.to_dict("records"),
        }

    def to_json(self) -> str:
        """`to_dict` as strict JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def plot(self) -> "Figure":
        """The effects of the columns, the most changed ones before and after, the ROC curve."""
        from course_utils.drift.plots import plot

        return plot(self)

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one file that needs nothing else, nor a network."""
        from course_utils.drift.page import page

        path = Path(path)
        path.write_text(page(self), encoding="utf-8")
        return path
