"""A comparison for people, as text, picture and page, and for machines, as a dict.

The page is one HTML file: no script, no font, no picture from elsewhere. Jinja escapes everything
that comes from the data, and the page's own policy forbids requests, and all scripts but its own.
"""

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from course_utils.drift import verdict
from course_utils.drift.column_test import ALPHA
from course_utils.environment import PACKAGE_FOLDER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = PACKAGE_FOLDER / "webapp" / "src" / "shared" / "look.css"  # of all pages of the course
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

    def to_html(self, path: str | Path, *, model: str = "", period: str = "") -> Path:
        """Write the report as one file that needs nothing else, nor a network.

        Args:
            path: of the file.
            model: the name of the model that is in question, for the page.
            period: from when to when its current rows are, for the page.
        """
        from course_utils.drift.plots import choose_gravest, choose_worst, plot_report

        folder = Path(__file__).parent
        environment = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined
        )
        gravest = choose_gravest(self)
        script = (folder / "report.js").read_text("utf-8")
        groups = list(self.columns.groupby("column", sort=False))
        pictures = (plot_report(self, dark=dark)._repr_png_(PAGE_DPI) for dark in (False, True))
        png, dark_png = (base64.b64encode(picture).decode() for picture in pictures)
        text = environment.get_template("report.html.jinja").render(
            report=self,
            verdict=verdict,
            alpha=ALPHA,
            model=model,
            period=period,
            style=Markup(STYLE.read_text("utf-8")),
            script=Markup(script),
            script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            png=png,
            dark_png=dark_png,
            changed=gravest[gravest["verdict"] != verdict.NO_CHANGE],
            worst=choose_worst(self),
            significant=int((self.columns["p_adjusted"] <= ALPHA).sum()),
            groups=groups,
            calm=len(groups) - len(self.significant),
        )
        path = Path(path)
        path.write_text(text, encoding="utf-8", errors="replace")
        return path
