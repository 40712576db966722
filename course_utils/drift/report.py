"""A comparison for people, as text, picture and page, and for machines, as a dict.

The page is one HTML file: no script, no font, no picture from elsewhere. Jinja escapes everything
that comes from the data, and the page's own policy forbids scripts and requests besides.
"""

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from course_utils.drift import verdict
from course_utils.drift.column_test import ALPHA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE_DPI = 144  # sharp on paper and on fine screens


class DriftReport(verdict.Findings):
    """What has changed between two tables, whether to act on it, and ways to show it."""

    def __str__(self) -> str:
        old, new = self.rows
        lines = [f"{self.decision} ({old:,} reference rows, {new:,} current rows)"]
        lines += [f"  - {reason}" for reason in self.reasons]
        return "\n".join(lines + [f"  ! {warning}" for warning in self.warnings])

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        old, new = self.rows
        bounds = {"alpha": ALPHA, "auc": verdict.AUC_BOUND}
        bounds |= {"watch": verdict.WATCH_EFFECT, "novel": verdict.NOVEL_EFFECT}
        return {
            "decision": self.decision,
            "reasons": self.reasons,
            "warnings": self.warnings,
            "rows": {"reference": old, "current": new},
            "bounds": bounds,
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
        from course_utils.drift.plots import choose_gravest, choose_worst, plot_report

        templates = FileSystemLoader(Path(__file__).parent)
        environment = Environment(loader=templates, autoescape=True, undefined=StrictUndefined)
        gravest = choose_gravest(self)
        significant = self.columns["p_adjusted"] <= ALPHA
        text = environment.get_template("report.html.jinja").render(
            report=self,
            verdict=verdict,
            alpha=ALPHA,
            png=base64.b64encode(plot_report(self)._repr_png_(PAGE_DPI)).decode(),
            changed=gravest[gravest["verdict"] != verdict.NO_CHANGE],
            worst=choose_worst(self),
            significant=self.columns[significant],
            calm=self.columns[~significant],
        )
        path = Path(path)
        path.write_text(text, encoding="utf-8", errors="replace")
        return path
