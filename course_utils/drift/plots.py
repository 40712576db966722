"""The picture of a comparison: how much has changed, how, and how well old and new are told apart.

It is made without pyplot: nothing is left open, and no notebook shows it twice. One thread may draw
at a time, since matplotlib's settings are changed meanwhile.
"""

import io
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from course_utils.drift import verdict
from course_utils.drift.classifier import CLASSIFIER
from course_utils.drift.findings import Findings
from course_utils.drift.histograms import count_in_bins
from course_utils.drift.tables import SIDES, Floats, to_floats

MAX_EFFECTS = 15  # columns whose effects are drawn
MAX_DISTRIBUTIONS = 3  # columns whose distributions are
MAX_BARS = 8  # categories of a column; the others make one
MAX_RANKED = 6  # columns that say what the classifier goes by
LABEL_POINTS = 8.5  # size of all small text
REFERENCE_COLOUR, CURRENT_COLOUR = "#9fb7cf", "#8c2d04"

# Okabe and Ito's colours, which no common colour blindness mixes up.
COLOURS = dict(
    zip(verdict.SEVERITY, ("#d55e00", "#e69f00", "#56b4e9", "#009e73", "#999999"), strict=True)
)
MARKERS = dict(zip(verdict.SEVERITY, "XDos|", strict=True))
STYLE: Any = {
    **{"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False},
    **{"figure.titlesize": 14, "axes.titlesize": 11, "axes.labelsize": 9},
    **{"legend.fontsize": LABEL_POINTS, "font.size": LABEL_POINTS},
}


class Picture(Figure):
    """A figure that a notebook shows as the last expression of a cell, pyplot or not."""

    def _repr_png_(self) -> bytes:
        return render_png(self)


def render_png(figure: Figure, dpi: float = 100) -> bytes:
    """The figure as the content of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def plot_report(report: Findings) -> Figure:
    """Effects of the columns, the worst ones before and after, the classifier's ROC curve.

    Returns:
        A figure of its own, unknown to pyplot: as the last expression of a cell it is shown once;
        elsewhere, ``savefig`` writes it.
    """
    with rc_context(STYLE):
        figure = _draw_report(report)
    for ax in figure.axes:
        ax.tick_params(labelsize=LABEL_POINTS)
    return figure


def _draw_report(report: Findings) -> Figure:
    rows, names = choose_gravest(report), choose_worst(report)
    ranked = len(report.ranking) > 0
    heights = [2.4 + 0.3 * min(len(rows), MAX_EFFECTS), 0.6 + 1.9 * len(names)]
    figure = Picture(figsize=(15, max(*heights, 6.4 if ranked else 4.4)), layout="constrained")
    old, new = report.rows
    title = f"{report.decision.capitalize()}: {old:,} reference rows, {new:,} current rows"
    figure.suptitle(title)
    parts: Any = figure.subfigures(1, 3, width_ratios=[1.15, 1, 0.85], wspace=0.03)
    _draw_effects(parts[0], rows)
    _draw_before_and_after(parts[1], report, names)
    if ranked:
        upper, lower = parts[2].subplots(2, height_ratios=[2, 1])
        _draw_roc(upper, report)
        _draw_ranking(lower, report.ranking.head(MAX_RANKED))
    else:
        _draw_roc(parts[2].subplots(), report)
    return figure


def choose_gravest(report: Findings) -> pd.DataFrame:
    """Of each column, and of the classifier, the gravest row of ``report.columns``, in order."""
    return report.columns.drop_duplicates("column", ignore_index=True)


def choose_worst(report: Findings) -> list[str]:
    """The columns to look at: the changed ones, then those that the classifier goes by."""
    rows = report.columns[report.columns["test"] != CLASSIFIER]
    changed = rows.loc[rows["verdict"] != verdict.NO_CHANGE, "column"]
    names = dict.fromkeys([*changed, *report.ranking["column"], *report.samples[0]])
    return list(names)[:MAX_DISTRIBUTIONS]


def shorten_label(text: str, length: int = 26) -> str:
    """Text from the data in one line, at most ``length`` characters, cut in the middle."""
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    return f"{text[: length // 2]}…{text[len(text) - (length - 1) // 2 :]}"


def _label_rows(ax: Axes, names: list[str], least: int, length: int) -> None:
    """Write a name beside each of the rows, which begin at the top; a ``$`` is a dollar."""
    labels = [shorten_label(name, length) for name in names]
    ax.set_yticks(range(len(names)), labels, parse_math=False)
    ax.set_ylim(max(len(names), least) - 0.5, -0.5)


def _draw_effects(part: SubFigure, rows: pd.DataFrame) -> None:
    """One bar a column: solid what it surely has changed, pale what it seems to have."""
    ax, shown = part.subplots(), rows.head(MAX_EFFECTS)
    for y, row in enumerate(shown.itertuples()):
        colour = COLOURS[row.verdict]
        ax.barh(y, row.effect, height=0.62, color=colour, alpha=0.3)
        ax.barh(y, row.effect_low, height=0.62, color=colour)
        ax.plot(row.effect, y, MARKERS[row.verdict], color=colour, mec="black", mew=0.8)
        at: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
        ax.text(1.02, y, f"{row.verdict}\n{row.test}", linespacing=1.1, **at)
    _label_rows(ax, shown["column"].tolist(), least=6, length=26)
    ax.set_xlim(0, max(verdict.RETRAIN_EFFECT, shown["effect"].max()) * 1.06)
    few = f", the {MAX_EFFECTS} gravest of {len(rows)}" if len(rows) > MAX_EFFECTS else ""
    ax.set_title(f"How much each column has changed{few}")
    ax.set_xlabel("effect: 0 none, 1 complete")
    lines = [
        (verdict.RETRAIN_EFFECT, "-", f"retrain from {verdict.RETRAIN_EFFECT:.3g}"),
        (verdict.WATCH_EFFECT, "--", f"watch from {verdict.WATCH_EFFECT:.3g}"),
        (verdict.NOVEL_EFFECT, ":", f"watch from {verdict.NOVEL_EFFECT:.3g} if never seen before"),
    ]
    handles: list[Any] = [
        ax.axvline(at, color="black", lw=1.1, ls=style, zorder=2.5, label=label)
        for at, style, label in lines
    ]
    grey = COLOURS[verdict.NO_CHANGE]
    handles += [
        Line2D([], [], marker="o", ls="", color=grey, mec="black", label="change observed"),
        Patch(color=grey, label="of which is sure"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=2)


def _draw_before_and_after(part: SubFigure, report: Findings, names: list[str]) -> None:
    """The columns one below the other."""
    missing = report.columns[report.columns["test"] == "missing values"]
    axes = np.atleast_1d(part.subplots(len(names)))
    for ax, name in zip(axes, names, strict=True):
        old, new = (sample[name] for sample in report.samples)
        if name in report.numbers:
            draw_numbers(ax, to_floats(old), to_floats(new))
        else:
            draw_categories(ax, old, new)
        ax.set_title(shorten_label(name, 48), parse_math=False)
        notes = [*missing.loc[missing["column"] == name, "note"], ax.get_xlabel()]
        ax.set_xlabel("\n".join(notes))
    handles = [
        Patch(color=REFERENCE_COLOUR, label="reference"),
        Patch(ec=CURRENT_COLOUR, fill=False, lw=1.6, label="current"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=2)


def draw_numbers(ax: Axes, old: Floats, new: Floats) -> None:
    """Two histograms, the reference filled and the current values as an outline."""
    found = count_in_bins(old, new)
    ax.set_yticks([])
    if found is None:
        ax.set_xticks([])
        ax.set_xlabel("no finite values")
        return
    ax.stairs(found.densities[0], found.edges, fill=True, color=REFERENCE_COLOUR)
    ax.stairs(found.densities[1], found.edges, color=CURRENT_COLOUR, lw=1.6)
    ax.set_ylabel("density")
    ax.xaxis.set_major_locator(MaxNLocator(6))
    if found.outside:
        share = "less than 0.1%" if found.outside < 0.001 else f"{found.outside:.1%}"
        ax.set_xlabel(f"{share} of the values lie outside this range")


def draw_categories(ax: Axes, old: pd.Series, new: pd.Series) -> None:
    """Two bars a category: its share of either side."""
    bars = choose_bars(old, new)
    at = np.arange(len(bars))
    ax.barh(at - 0.2, bars["reference"], height=0.38, color=REFERENCE_COLOUR)
    ax.barh(at + 0.2, bars["current"], height=0.34, fill=False, ec=CURRENT_COLOUR, lw=1.6)
    _label_rows(ax, bars.index.tolist(), least=4, length=18)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(PercentFormatter(1))


def choose_bars(old: pd.Series, new: pd.Series) -> pd.DataFrame:
    """Shares of the most changed category, of the most frequent ones, and of all others.

    Missing values are left out.
    """
    sides = [side.dropna().astype(str).value_counts(normalize=True) for side in (old, new)]
    shares = pd.concat(sides, axis=1, keys=SIDES).fillna(0.0)
    changed = (shares["current"] - shares["reference"]).abs().nlargest(1).index
    frequent = shares.sum(axis=1).nlargest(MAX_BARS).index
    chosen = list(dict.fromkeys([*changed, *frequent]))[:MAX_BARS]
    bars, rest = shares.loc[chosen], shares.drop(chosen)
    if len(rest):
        bars.loc[f"({len(rest)} others)"] = rest.sum()
    return bars


def _draw_roc(ax: Axes, report: Findings) -> None:
    """The classifier's ROC curve."""
    low, high = report.classifier.interval
    roc = report.classifier.roc
    false, true = roc["false_positive_rate"], roc["true_positive_rate"]
    ax.plot(false, true, color=CURRENT_COLOUR, lw=1.8, label="classifier")
    ax.plot([0, 1], [0, 1], color="black", lw=1, ls="--", label="guessing")
    ax.fill_between(false, false, true, color=CURRENT_COLOUR, alpha=0.1)
    ax.set_title(
        f"Old or new? AUC {report.auc:.2f} ({low:.2f} to {high:.2f})\n"
        f"retrain from {verdict.AUC_BOUND:g}; guessing is 0.5"
    )
    old, new = report.classifier.rows
    label = f"reference rows called new\n({old:,} + {new:,} rows it was not trained on)"
    ax.set_xlabel(label)
    ax.set_ylabel("current rows called new")
    ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.legend(loc="lower right")


def _draw_ranking(ax: Axes, ranking: pd.DataFrame) -> None:
    """What the classifier goes by."""
    ax.barh(range(len(ranking)), ranking["auc_lost"], color=CURRENT_COLOUR, height=0.6)
    _label_rows(ax, ranking["column"].tolist(), least=4, length=18)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_title("What it goes by")
    ax.set_xlabel("AUC lost where the column is shuffled")
