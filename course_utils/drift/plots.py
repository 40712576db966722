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
from matplotlib.ticker import MaxNLocator

from course_utils.common.plots import NEW, OLD, SMALL, Labels, plain, png
from course_utils.drift.distributions import draw_categories, draw_numbers, draw_pair
from course_utils.drift.findings import Findings
from course_utils.drift.frames import floats
from course_utils.drift.joint import Joint
from course_utils.drift.verdict import GRAVITY, NO_CHANGE, Bounds

COLUMNS = 15  # whose effects are drawn
WORST = 3  # of which the distributions are
RANKED = 6  # that say what the classifier goes by

# Okabe and Ito's colours, which no common colour blindness mixes up.
COLOURS = dict(zip(GRAVITY, ("#d55e00", "#e69f00", "#56b4e9", "#009e73", "#999999"), strict=True))
MARKERS = dict(zip(GRAVITY, "XDos|", strict=True))


class Picture(Figure):
    """A figure that a notebook shows as the last expression of a cell, pyplot or not."""

    def _repr_png_(self) -> bytes:
        return png(self)


def plot(report: Findings) -> Figure:
    """Effects of the columns, the worst ones before and after, the classifier's ROC curve.

    Returns:
        A figure of its own, unknown to pyplot: as the last expression of a cell it is shown once;
        elsewhere, ``savefig`` writes it.
    """
    labels = Labels()
    rows, names = gravest(report), worst(report)
    joint, ranking = report.joint, clues(report)
    heights = [2.4 + 0.3 * min(len(rows), COLUMNS), 0.6 + 1.9 * len(names), 6.4 if ranking else 4.4]
    figure = Picture(figsize=(15, max(heights)), layout="constrained")
    old, new = report.rows
    figure.suptitle(
        f"{report.decision.capitalize()}: {old:,} reference rows, {new:,} current rows",
        fontsize=14,
    )
    if rows.empty:
        reason = "Nothing could be compared; the report's reasons say why."
        figure.text(0.5, 0.5, reason, ha="center", fontsize=12)
        return figure
    ratios = [1.15, 1, 0.85] if joint else [1.15, 1]
    parts: Any = figure.subfigures(1, len(ratios), width_ratios=ratios, wspace=0.03)
    _effects(parts[0], rows, report.bounds, labels)
    _before_and_after(parts[1], report, names, labels)
    if joint:
        _told_apart(parts[2], joint, ranking, report.bounds, labels)
    return figure


def gravest(report: Findings) -> pd.DataFrame:
    """Of each column, and of the classifier, the gravest row of ``report.columns``, in order."""
    table = report.columns.assign(
        gravity=report.columns["verdict"].map(GRAVITY),
        joint=report.columns["test"] == "classifier",  # not by the name, which a column may have
    )
    table = table.sort_values(
        ["gravity", "effect_low", "effect"], ascending=[True, False, False], kind="stable"
    )
    return table.drop_duplicates(["column", "joint"]).reset_index(drop=True)


def clues(report: Findings) -> dict[str, float]:
    """What the classifier goes by (`Joint.ranking`)."""
    return report.joint.ranking if report.joint else {}


def worst(report: Findings) -> list[str]:
    """The columns to look at: the changed ones, then those that betray most to the classifier."""
    rows = gravest(report)
    rows = rows[~rows["joint"].astype(bool)]
    changed = rows.loc[rows["verdict"] != NO_CHANGE, "column"]
    return list(dict.fromkeys([*changed, *clues(report), *rows["column"]]))[:WORST]


def _effects(part: SubFigure, rows: pd.DataFrame, bounds: Bounds, labels: Labels) -> None:
    """One bar a column: solid what it surely has changed, pale what it seems to have."""
    ax, shown = part.subplots(), rows.head(COLUMNS)
    for y, row in enumerate(shown.itertuples()):
        colour = COLOURS[row.verdict]
        ax.barh(y, row.effect, height=0.62, color=colour, alpha=0.3)
        ax.barh(y, row.effect_low, height=0.62, color=colour)
        ax.plot(row.effect, y, MARKERS[row.verdict], color=colour, mec="black", mew=0.8)
        at: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
        ax.text(1.02, y, f"{row.verdict}\n{row.test}", linespacing=1.1, fontsize=SMALL, **at)
    plain(ax)
    ax.set_yticks(
        range(len(shown)), labels.all(shown["column"].tolist()), **labels.style, fontsize=9
    )
    ax.set_ylim(max(len(shown), 6) - 0.4, -0.6)
    ax.set_xlim(0, max(bounds.retrain, bounds.watch, shown["effect"].max()) * 1.06)
    few = f", the {COLUMNS} gravest of {len(rows)}" if len(rows) > COLUMNS else ""
    ax.set_title(f"How much each column has changed{few}", fontsize=11)
    ax.set_xlabel("effect: 0 none, 1 complete", fontsize=9)
    lines = [
        (bounds.retrain, "-", f"retrain from {bounds.retrain:.3g}"),
        (bounds.watch, "--", f"watch from {bounds.watch:.3g}"),
        (bounds.novel, ":", f"watch from {bounds.novel:.3g} if never seen before"),
    ]
    handles: list[Any] = [
        ax.axvline(at, color="black", lw=1.1, ls=style, zorder=2.5, label=label)
        for at, style, label in lines
    ]
    grey = COLOURS[NO_CHANGE]
    handles += [
        Line2D([], [], marker="o", ls="", color=grey, mec="black", label="change observed"),
        Patch(color=grey, label="of which is sure"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)


def _before_and_after(part: SubFigure, report: Findings, names: list[str], labels: Labels) -> None:
    """The columns one below the other; two of them together where only that has changed."""
    if not names:
        part.text(0.5, 0.5, "No column could be compared by itself.", ha="center", fontsize=10)
        return
    tests = report.columns[report.columns["test"] != "classifier"]
    numbers = set(tests.loc[tests["test"] == "Kolmogorov–Smirnov", "column"])
    axes = list(np.atleast_1d(part.subplots(len(names))))
    only_together = clues(report) and (tests["verdict"] == NO_CHANGE).all()
    if only_together and len(names) > 1 and numbers >= set(names[:2]):
        draw_pair(axes[0], report.samples, names[:2], labels)
        axes.pop(0).set_title("What has changed only together", fontsize=10)
    for ax, name in zip(axes, names, strict=False):
        said = tests[tests["column"] == name].set_index("test")["note"].to_dict()
        old, new = (sample[name] for sample in report.samples)
        if name in numbers or (set(said) <= {"missing values"} and _numeric(old, new)):
            draw_numbers(ax, floats(old), floats(new))
        else:
            draw_categories(ax, old, new, labels)
        ax.set_title(labels(name, 48), fontsize=10, **labels.style)
        notes = [said[test] for test in ("missing values", "infinite values") if test in said]
        ax.set_xlabel("\n".join(filter(None, [*notes, ax.get_xlabel()])), fontsize=SMALL)
    handles = [
        Patch(color=OLD, label="reference"),
        Patch(ec=NEW, fill=False, lw=1.6, label="current"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9, frameon=False)


def _numeric(*sides: pd.Series) -> bool:
    """Whether a column without a test of its values, all missing on one side, holds numbers."""
    kinds = {pd.api.types.infer_dtype(side, skipna=True) for side in sides}
    return bool(kinds & {"integer", "floating", "decimal", "mixed-integer-float"})


def _told_apart(
    part: SubFigure, joint: Joint, ranking: dict[str, float], bounds: Bounds, labels: Labels
) -> None:
    """The classifier's ROC curve and, where it sees a difference, what it goes by."""
    if ranking:
        upper, lower = part.subplots(2, height_ratios=[2, 1])
        _roc(upper, joint, bounds)
        _ranking(lower, ranking, labels)
    else:
        _roc(part.subplots(), joint, bounds)


def _roc(ax: Axes, joint: Joint, bounds: Bounds) -> None:
    low, high = joint.interval(bounds.alpha)
    false, true = joint.roc["false_positive_rate"], joint.roc["true_positive_rate"]
    ax.plot(false, true, color=NEW, lw=1.8, label="classifier")
    ax.plot([0, 1], [0, 1], color="black", lw=1, ls="--", label="guessing")
    ax.fill_between(false, false, true, color=NEW, alpha=0.1)
    ax.set_title(
        f"Old or new? AUC {joint.auc:.2f} ({low:.2f} to {high:.2f})\n"
        f"retrain from {bounds.auc:g}; guessing is 0.5",
        fontsize=11,
    )
    plain(ax)
    old, new = joint.rows
    said = f"reference rows called new\n({old:,} + {new:,} rows it was not trained on)"
    ax.set_xlabel(said, fontsize=9)
    ax.set_ylabel("current rows called new", fontsize=9)
    ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.legend(loc="lower right", fontsize=SMALL, frameon=False)


def _ranking(ax: Axes, ranking: dict[str, float], labels: Labels) -> None:
    names = list(ranking)[:RANKED]
    ax.barh(range(len(names)), [max(0.0, ranking[name]) for name in names], color=NEW, height=0.6)
    plain(ax)
    ax.set_yticks(range(len(names)), labels.all(names, 18), **labels.style)
    ax.set_ylim(max(len(names), 4) - 0.5, -0.5)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_title("What it goes by", fontsize=11)
    ax.set_xlabel("AUC lost where the column is shuffled", fontsize=9)
