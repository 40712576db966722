"""The picture of a comparison: how much has changed, how, and how well old and new are told apart.

It is made without pyplot: nothing is left open, no notebook shows it twice, and a service may draw
many.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from course_utils.common.plots import NEW, OLD, SMALL, Labels, histogram, plain, png
from course_utils.drift import verdict
from course_utils.drift.category_tests import Shares
from course_utils.drift.classifier import CLASSIFIER
from course_utils.drift.findings import Findings
from course_utils.drift.tables import Floats, to_floats

MAX_EFFECTS = 15  # columns whose effects are drawn
MAX_DISTRIBUTIONS = 3  # columns whose distributions are
MAX_BARS = 8  # categories of a column; the others make one
MAX_RANKED = 6  # columns that say what the classifier goes by

# Okabe and Ito's colours, which no common colour blindness mixes up.
COLOURS = dict(
    zip(verdict.SEVERITY, ("#d55e00", "#e69f00", "#56b4e9", "#009e73", "#999999"), strict=True)
)
MARKERS = dict(zip(verdict.SEVERITY, "XDos|", strict=True))


class Picture(Figure):
    """A figure that a notebook shows as the last expression of a cell, pyplot or not."""

    def _repr_png_(self) -> bytes:
        return png(self)


def plot_report(report: Findings) -> Figure:
    """Effects of the columns, the worst ones before and after, the classifier's ROC curve.

    Returns:
        A figure of its own, unknown to pyplot: as the last expression of a cell it is shown once;
        elsewhere, ``savefig`` writes it.
    """
    labels = Labels()
    rows, names = choose_gravest(report), choose_worst(report)
    ranked = len(report.ranking) > 0
    heights = [2.4 + 0.3 * min(len(rows), MAX_EFFECTS), 0.6 + 1.9 * len(names)]
    figure = Picture(figsize=(15, max(*heights, 6.4 if ranked else 4.4)), layout="constrained")
    old, new = report.rows
    figure.suptitle(
        f"{report.decision.capitalize()}: {old:,} reference rows, {new:,} current rows",
        fontsize=14,
    )
    if rows.empty:
        reason = "Nothing could be compared; the report's reasons say why."
        figure.text(0.5, 0.5, reason, ha="center", fontsize=12)
        return figure
    parts: Any = figure.subfigures(1, 3, width_ratios=[1.15, 1, 0.85], wspace=0.03)
    _draw_effects(parts[0], rows, labels)
    _draw_before_and_after(parts[1], report, names, labels)
    if ranked:
        upper, lower = parts[2].subplots(2, height_ratios=[2, 1])
        _draw_roc(upper, report)
        _draw_ranking(lower, report.ranking.head(MAX_RANKED), labels)
    else:
        _draw_roc(parts[2].subplots(), report)
    return figure


def choose_gravest(report: Findings) -> pd.DataFrame:
    """Of each column, and of the classifier, the gravest row of ``report.columns``, in order."""
    table = report.columns.assign(joint=_is_classifier(report.columns))
    return table.drop_duplicates(["column", "joint"]).reset_index(drop=True)


def choose_worst(report: Findings) -> list[str]:
    """The columns to look at: the changed ones, then those that the classifier goes by."""
    rows = report.columns[~_is_classifier(report.columns)]
    changed = rows.loc[rows["verdict"] != verdict.NO_CHANGE, "column"]
    names = dict.fromkeys([*changed, *report.ranking["column"], *rows["column"]])
    return list(names)[:MAX_DISTRIBUTIONS]


def _is_classifier(table: pd.DataFrame) -> pd.Series:
    return table["test"] == CLASSIFIER  # not by the name, which a column may have


def _draw_effects(part: SubFigure, rows: pd.DataFrame, labels: Labels) -> None:
    """One bar a column: solid what it surely has changed, pale what it seems to have."""
    ax, shown = part.subplots(), rows.head(MAX_EFFECTS)
    for y, row in enumerate(shown.itertuples()):
        colour = COLOURS[row.verdict]
        ax.barh(y, row.effect, height=0.62, color=colour, alpha=0.3)
        ax.barh(y, row.effect_low, height=0.62, color=colour)
        ax.plot(row.effect, y, MARKERS[row.verdict], color=colour, mec="black", mew=0.8)
        at: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
        ax.text(1.02, y, f"{row.verdict}\n{row.test}", linespacing=1.1, fontsize=SMALL, **at)
    plain(ax)
    names = labels.all(shown["column"].tolist())
    ax.set_yticks(range(len(shown)), names, **labels.style, fontsize=9)
    ax.set_ylim(max(len(shown), 6) - 0.4, -0.6)
    ax.set_xlim(0, max(verdict.RETRAIN_EFFECT, shown["effect"].max()) * 1.06)
    few = f", the {MAX_EFFECTS} gravest of {len(rows)}" if len(rows) > MAX_EFFECTS else ""
    ax.set_title(f"How much each column has changed{few}", fontsize=11)
    ax.set_xlabel("effect: 0 none, 1 complete", fontsize=9)
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
    part.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)


def _draw_before_and_after(
    part: SubFigure, report: Findings, names: list[str], labels: Labels
) -> None:
    """The columns one below the other."""
    if not names:
        part.text(0.5, 0.5, "No column could be compared by itself.", ha="center", fontsize=10)
        return
    tests = report.columns[~_is_classifier(report.columns)]
    axes = np.atleast_1d(part.subplots(len(names)))
    for ax, name in zip(axes, names, strict=True):
        old, new = (sample[name] for sample in report.samples)
        if name in report.numbers:
            draw_numbers(ax, to_floats(old), to_floats(new))
        else:
            draw_categories(ax, old, new, labels)
        ax.set_title(labels(name, 48), fontsize=10, **labels.style)
        of_gaps = (tests["column"] == name) & tests["test"].str.endswith(" values")
        ax.set_xlabel("\n".join([*tests.loc[of_gaps, "note"], ax.get_xlabel()]), fontsize=SMALL)
    handles = [
        Patch(color=OLD, label="reference"),
        Patch(ec=NEW, fill=False, lw=1.6, label="current"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9, frameon=False)


def draw_numbers(ax: Axes, old: Floats, new: Floats) -> None:
    """Two histograms, the reference filled and the current values as an outline."""
    found = histogram(old, new)
    plain(ax)
    ax.set_yticks([])
    if found is None:
        ax.set_xticks([])
        ax.set_xlabel("no finite values", fontsize=SMALL)
        return
    ax.stairs(found.densities[0], found.edges, fill=True, color=OLD)
    ax.stairs(found.densities[1], found.edges, color=NEW, lw=1.6)
    ax.set_ylabel("density", fontsize=SMALL)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    if found.outside:
        share = "less than 0.1%" if found.outside < 0.001 else f"{found.outside:.1%}"
        ax.set_xlabel(f"{share} of the values lie outside this range", fontsize=SMALL)


def draw_categories(ax: Axes, old: pd.Series, new: pd.Series, labels: Labels) -> None:
    """Two bars a category: its share of either side."""
    names, *sides = (list(side) for side in zip(*choose_bars(old, new), strict=True))
    at = np.arange(len(names))
    ax.barh(at - 0.2, sides[0], height=0.38, color=OLD)
    ax.barh(at + 0.2, sides[1], height=0.34, fill=False, ec=NEW, lw=1.6)
    plain(ax)
    ax.set_yticks(at, labels.all(names, 18), **labels.style)
    ax.set_ylim(max(len(names), 4) - 0.5, -0.5)
    ax.xaxis.set_major_formatter(PercentFormatter(1))


def choose_bars(old: pd.Series, new: pd.Series) -> list[tuple[str, float, float]]:
    """The most frequent categories with their shares, the most changed among them; then the rest.

    Missing values are left out.
    """
    both = Shares.count(*(side.value_counts().to_dict() for side in (old, new)))
    counts = np.array([both.reference, both.current], dtype=float)
    counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1)
    order = np.argsort(-counts.sum(axis=0), kind="stable").tolist()
    top = order[:MAX_BARS]
    if counts.any(axis=1).all() and both.most_changed() not in top:
        top[-1] = both.most_changed()
    bars: list[tuple[str, float, float]] = [(both.names[i], *counts[:, i].tolist()) for i in top]
    rest = [i for i in order if i not in top]
    if rest:
        bars.append((f"({len(rest)} others)", *counts[:, rest].sum(axis=1).tolist()))
    return bars


def _draw_roc(ax: Axes, report: Findings) -> None:
    """The classifier's ROC curve."""
    assert report.classifier
    low, high = report.auc_interval
    roc = report.classifier.roc
    false, true = roc["false_positive_rate"], roc["true_positive_rate"]
    ax.plot(false, true, color=NEW, lw=1.8, label="classifier")
    ax.plot([0, 1], [0, 1], color="black", lw=1, ls="--", label="guessing")
    ax.fill_between(false, false, true, color=NEW, alpha=0.1)
    ax.set_title(
        f"Old or new? AUC {report.auc:.2f} ({low:.2f} to {high:.2f})\n"
        f"retrain from {verdict.AUC_BOUND:g}; guessing is 0.5",
        fontsize=11,
    )
    plain(ax)
    old, new = report.classifier.rows
    label = f"reference rows called new\n({old:,} + {new:,} rows it was not trained on)"
    ax.set_xlabel(label, fontsize=9)
    ax.set_ylabel("current rows called new", fontsize=9)
    ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.legend(loc="lower right", fontsize=SMALL, frameon=False)


def _draw_ranking(ax: Axes, ranking: pd.DataFrame, labels: Labels) -> None:
    """What the classifier goes by."""
    ax.barh(range(len(ranking)), ranking["auc_lost"], color=NEW, height=0.6)
    plain(ax)
    ax.set_yticks(range(len(ranking)), labels.all(ranking["column"], 18), **labels.style)
    ax.set_ylim(max(len(ranking), 4) - 0.5, -0.5)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_title("What it goes by", fontsize=11)
    ax.set_xlabel("AUC lost where the column is shuffled", fontsize=9)
