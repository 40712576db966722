"""A comparison as one HTML file: no script, no font, no picture from elsewhere.

Everything that comes from the data is escaped, and the page's own policy forbids scripts and
requests besides.
"""

import base64
import math
from collections.abc import Iterable, Iterator
from html import escape
from string import Template

import pandas as pd

from course_utils.common.html_report import FORBIDDEN, STYLE
from course_utils.common.plots import png
from course_utils.drift.findings import Findings
from course_utils.drift.plots import clues, gravest, plot, worst
from course_utils.drift.verdict import KEEP, NO_CHANGE, RETRAIN, WATCH

MOST_ROWS = 500  # of a table; more nobody reads, and a browser has to
MOST_LINES = 50  # of a list
DPI = 144  # sharp on paper and on fine screens
HEADLINES = {
    KEEP: "Keep the model",
    WATCH: "Keep the model and watch the data",
    RETRAIN: "Retrain the model",
}

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drift: $headline</title>
<style>$style</style>
</head>
<body>
<main>
<h1 class="$decision">$headline</h1>
<p>$rows</p>
<h2>Why</h2>
$reasons
$warnings
$picture
$tests
$ranking
<h2>What the words mean</h2>
<dl>
$meanings
</dl>
</main>
</body>
</html>
""")


FIGURE = Template("""<h2>At a glance</h2>
<figure>
<div class="scroll" tabindex="0" role="region" aria-label="The picture">
<img src="data:image/png;base64,$png" width="$width" height="$height" alt="$alt">
</div>
<figcaption>Effects: the solid part of a bar is sure, the pale part observed. Distributions: the
reference filled, the current rows as an outline, from $old and $new rows.</figcaption>
</figure>""")


def page(report: Findings) -> str:
    """The report as a whole HTML document, ready for UTF-8."""
    old, new = report.rows
    text = PAGE.substitute(
        style=STYLE,
        decision=report.decision,
        headline=HEADLINES[report.decision],
        rows=f"{old:,} reference rows, which the model was trained on, and {new:,} current rows.",
        reasons=_list(report.reasons),
        warnings=_section("Left out of the comparison", _list(report.warnings)),
        picture=_picture(report),
        tests=_section("The tests", _tests(report)),
        ranking=_section("What the classifier goes by", _ranking(report)),
        meanings="\n".join(
            f"<dt>{escape(word)}</dt>\n<dd>{escape(meaning)}</dd>"
            for word, meaning in meanings(report)
        ),
    )
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _picture(report: Findings) -> str:
    if report.columns.empty:
        return ""
    figure = plot(report)
    width, height = figure.get_size_inches() * DPI
    old, new = (f"{len(sample):,}" for sample in report.samples)
    return FIGURE.substitute(
        png=base64.b64encode(png(figure, DPI)).decode(),
        width=int(width),
        height=int(height),  # as matplotlib cuts it
        alt=escape(describe(report)),
        old=old,
        new=new,
    )


def describe(report: Findings) -> str:
    """What the picture shows, for those who do not see it."""
    rows = gravest(report)
    changed = rows[(rows["verdict"] != NO_CHANGE) & ~rows["joint"].astype(bool)]
    said = [f"Three charts. Effects by column: {len(changed)} changed significantly"]
    said += [f"{row.column} {row.effect:.2f} ({row.verdict})" for row in changed[:5].itertuples()]
    text = "; ".join(said) + "."
    if worst(report):
        text += f" Distributions before and after: {', '.join(worst(report))}."
    if report.joint:
        low, high = report.auc_interval
        text += f" ROC curve of the classifier: AUC {report.auc:.2f} ({low:.2f} to {high:.2f})."
    return text


def meanings(report: Findings) -> Iterator[tuple[str, str]]:
    """The words of the page and the bounds that were used, in plain words."""
    b = report.bounds
    yield (
        "Effect, from 0 to 1",
        "How large a change is: the share of the rows that would have to move, or how surely one "
        "value outranks another. It is there whether or not the change is significant.",
    )
    yield (
        "At least",
        "The part of the effect that is sure: the lower end of its confidence interval. A small "
        "sample is unsure of everything and so raises no alarm by its noise.",
    )
    yield (
        f"Significant: adjusted p at most {b.alpha:g}",
        "Where nothing has changed, all tests together call anything at all significant in at "
        f"most {100 * b.alpha:.3g}% of the comparisons (p-values adjusted after Holm).",
    )
    yield (
        f"Watch: at least {b.watch:g}",
        f"Large enough to keep an eye on. For what the reference never had, a category or missing "
        f"values, {b.novel:g} is enough: the model has not learnt what to do with it.",
    )
    yield (
        f"Retrain: at least {b.retrain:.3g}, or an AUC of {b.auc:g}",
        "A classifier tells old rows from new so well that the model meets another world than it "
        "was trained on.",
    )
    yield "Size unsure", "Surely changed, perhaps by enough to act on; more rows would tell."
    yield "Negligible", "Surely changed, but too little to act on."


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>\n{content}" if content else ""


def _list(lines: list[str]) -> str:
    if not lines:
        return ""
    shown = [f"<li>{escape(line)}</li>" for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"<li>{len(lines) - MOST_LINES:,} more; the report in Python has them.</li>")
    return "\n".join(["<ul>", *shown, "</ul>"])


def _tests(report: Findings) -> str:
    tests = report.columns
    if tests.empty:
        return ""
    calm = tests["p_adjusted"] > report.bounds.alpha
    parts = [f"<p>{(~calm).sum():,} of {len(tests):,} tests found a significant change.</p>"]
    if not calm.all():
        parts.append(_test_table(tests[~calm], "Significant tests"))
    if calm.any():
        parts.append(f"<details>\n<summary>{calm.sum():,} that found nothing significant</summary>")
        parts += [_test_table(tests[calm], "Tests that found nothing significant"), "</details>"]
    return "\n".join(parts)


def _test_table(tests: pd.DataFrame, title: str) -> str:
    numbers = ["Effect", "At least", "Adjusted p", "p", "Shift in σ", "Statistic"]
    rows = [
        [
            f'<th scope="row"><bdi>{escape(row.column)}</bdi></th>',
            f'<td class="word {row.verdict}">{row.verdict}</td>',
            f'<td class="note">{escape(row.note)}</td>',
            *(_number(f"{value:.3f}") for value in (row.effect, row.effect_low)),
            *(_number(_p_value(value)) for value in (row.p_adjusted, row.p_value)),
            _number("" if math.isnan(row.shift) else f"{row.shift:+.3g}"),
            _number(f"{row.statistic:.4g}"),
            f'<td class="word">{escape(row.test)}</td>',
        ]
        for row in tests[:MOST_ROWS].itertuples()
    ]
    heads = ["Column", "Verdict", "What has changed", *numbers, "Test"]
    return _table(title, heads, set(numbers), rows, len(tests))


def _ranking(report: Findings) -> str:
    rows = [
        [f'<th scope="row"><bdi>{escape(name)}</bdi></th>', _number(f"{lost:.4f}")]
        for name, lost in clues(report).items()
    ]
    head = "AUC lost where the column is shuffled"
    table = _table("Ranking of the columns", ["Column", head], {head}, rows, len(rows))
    return f'<div class="few">\n{table}\n</div>' if rows else ""


def _table(
    title: str, heads: list[str], numbers: set[str], rows: Iterable[list[str]], total: int
) -> str:
    """A table in a box that scrolls by itself, by keyboard too."""
    head = "".join(
        f'<th scope="col"{" class=number" if head in numbers else ""}>{head}</th>' for head in heads
    )
    lines = [
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">',
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>",
        *(f"<tr>{''.join(cells)}</tr>" for cells in rows),
        "</tbody>\n</table>\n</div>",
    ]
    if total > MOST_ROWS:
        lines.append(f"<p>The first {MOST_ROWS} of {total:,}; the report in Python has all.</p>")
    return "\n".join(lines)


def _number(text: str) -> str:
    return f'<td class="number">{text}</td>'


def _p_value(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-99 else "&lt; 1e-99"
