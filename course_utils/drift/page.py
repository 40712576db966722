"""A comparison as one HTML file: no script, no font, no picture from elsewhere.

Jinja escapes everything that comes from the data, and the page's own policy forbids scripts and
requests besides.
"""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from course_utils.drift import verdict
from course_utils.drift.column_test import ALPHA
from course_utils.drift.findings import Findings
from course_utils.drift.plots import choose_gravest, choose_worst, plot_report, render_png

DPI = 144  # sharp on paper and on fine screens
HEADLINES = {
    verdict.KEEP: "Keep the model",
    verdict.WATCH: "Keep the model and watch the data",
    verdict.RETRAIN: "Retrain the model",
}


def render_page(report: Findings) -> str:
    """The report as a whole HTML document."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    significant = report.columns["p_adjusted"] <= ALPHA
    figure, rows = plot_report(report), choose_gravest(report)
    width, height = figure.get_size_inches() * DPI
    return environment.get_template("report.html.jinja").render(
        report=report,
        headline=HEADLINES[report.decision],
        verdict=verdict,
        alpha=ALPHA,
        png=base64.b64encode(render_png(figure, DPI)).decode(),
        width=int(width),
        height=int(height),  # as matplotlib cuts it
        changed=list(rows[rows["verdict"] != verdict.NO_CHANGE].itertuples()),
        worst=choose_worst(report),
        significant=list(report.columns[significant].itertuples()),
        calm=list(report.columns[~significant].itertuples()),
        ranking=list(report.ranking.itertuples()),
    )
