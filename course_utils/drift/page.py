"""A comparison as one HTML file: no script, no font, no picture from elsewhere.

Jinja escapes everything that comes from the data, and the page's own policy forbids scripts and
requests besides.
"""

import base64
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from course_utils.common.plots import png
from course_utils.drift import verdict
from course_utils.drift.findings import Findings
from course_utils.drift.plots import choose_gravest, choose_worst, plot_report

MAX_ROWS = 500  # of a table; more nobody reads, and a browser has to
MAX_LINES = 50  # of a list
DPI = 144  # sharp on paper and on fine screens
HEADLINES = {
    verdict.KEEP: "Keep the model",
    verdict.WATCH: "Keep the model and watch the data",
    verdict.RETRAIN: "Retrain the model",
}
# What HTML does not allow, and halves of characters, which UTF-8 cannot write.
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def render_page(report: Findings) -> str:
    """The report as a whole HTML document, ready for UTF-8."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    significant = report.columns["p_adjusted"] <= report.alpha
    text = environment.get_template("report.html.jinja").render(
        report=report,
        headline=HEADLINES[report.decision],
        verdict=verdict,
        picture=None if report.columns.empty else _draw_picture(report),
        significant=list(report.columns[significant].itertuples()),
        calm=list(report.columns[~significant].itertuples()),
        ranking=list(report.ranking.itertuples()),
        most_rows=MAX_ROWS,
        most_lines=MAX_LINES,
    )
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _draw_picture(report: Findings) -> dict[str, Any]:
    figure = plot_report(report)
    rows = choose_gravest(report)
    width, height = figure.get_size_inches() * DPI
    return {
        "png": base64.b64encode(png(figure, DPI)).decode(),
        "width": int(width),
        "height": int(height),  # as matplotlib cuts it
        "changed": list(rows[(rows["verdict"] != verdict.NO_CHANGE) & ~rows["joint"]].itertuples()),
        "worst": choose_worst(report),
    }
