"""A comparison for people, as text, picture and page, and for machines, as a dict."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.drift.column_test import ALPHA
from course_utils.drift.findings import Findings
from course_utils.drift.verdict import AUC_BOUND, NOVEL_EFFECT, WATCH_EFFECT

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
        """All of it, ready for JSON."""
        old, new = self.rows
        bounds = {"auc": AUC_BOUND, "watch": WATCH_EFFECT, "novel": NOVEL_EFFECT}
        return {
            "decision": self.decision,
            "reasons": self.reasons,
            "warnings": self.warnings,
            "rows": {"reference": old, "current": new},
            "bounds": {"alpha": ALPHA} | bounds,
            "auc": self.auc,
            "auc_interval": self.classifier.interval,
            "auc_p_value": self.classifier.p_value,
            "ranking": self.ranking.to_dict("records"),
            "columns": self.columns.to_dict("records"),
        }

    def plot(self) -> "Figure":
        """The effects of the columns, the most changed ones before and after, the ROC curve."""
        from course_utils.drift.plots import plot_report

        return plot_report(self)

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one file that needs nothing else, nor a network."""
        from course_utils.drift.page import render_page

        path = Path(path)
        path.write_text(render_page(self), encoding="utf-8", errors="replace")
        return path
