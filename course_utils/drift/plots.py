"""The picture of a comparison: how much has changed, how, and how well old and new are told apart.

It is made without pyplot: nothing is left open, and no notebook shows it twice.
"""

import io

import numpy as np
import pandas as pd
from matplotlib import rc_context, rcParams, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from course_utils.drift import verdict
from course_utils.drift.classifier import CLASSIFIER
from course_utils.drift.tables import SIDES, Floats, to_floats

MAX_EFFECTS = 10  # columns whose effects are drawn
MAX_BARS = 8  # categories of a column; the others make one
MAX_BINS = 40
MAX_LABEL_LENGTH = 22  # characters of a label of an axis
MAX_TITLE_LENGTH = 44
MIN_RELATIVE_WIDTH = 1e-9  # of a bin, to the values; narrower ones float64 can hardly tell apart
REFERENCE_COLOUR, CURRENT_COLOUR = "#9fb7cf", "#cc5a1e"  # on white and on black
DARK = dict.fromkeys(["figure.facecolor", "axes.facecolor", "savefig.facecolor"], "#1a2123")

# Okabe and Ito's colours, which no common colour blindness mixes up.
COLOURS = dict(
    zip(verdict.SEVERITY, ("#d55e00", "#e69f00", "#56b4e9", "#009e73", "#999999"), strict=True)
)


class Picture(Figure):
    """A figure that a notebook shows as the last expression of a cell, pyplot or not."""

    def _repr_png_(self, dpi: float = 100) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=dpi)
        return file.getvalue()


def plot_report(report: verdict.Findings, *, dark: bool = False) -> Picture:
    """Effects of the columns, the worst one before and after, the classifier's ROC curve.

    Args:
        report: what is drawn.
        dark: for a dark page.

    Returns:
        A figure of its own, unknown to pyplot: as the last expression of a cell it is shown once;
        elsewhere, ``savefig`` writes it.
    """
    old, new = report.rows
    with style.context(["dark_background", DARK] if dark else []), rc_context({"font.size": 12}):
        figure = Picture(figsize=(10, 9), layout="constrained")
        title = f"{report.decision.capitalize()}: {old:,} reference rows, {new:,} current rows"
        figure.suptitle(title, size="x-large")
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=(5, 4)).flat
        _draw_effects(upper.subplots(), choose_gravest(report))
        upper.legend(loc="outside lower center", ncols=3)
        column, roc = lower.subplots(1, 2)
        _draw_column(column, report, choose_worst(report))
        _draw_roc(roc, report)
    return figure


def choose_gravest(report: verdict.Findings) -> pd.DataFrame:
    """Of each column, and of the classifier, the gravest row of ``report.columns``, in order."""
    return report.columns.drop_duplicates("column", ignore_index=True)


def choose_worst(report: verdict.Findings) -> str:
    """The column to look at: the most changed one, or the one that the classifier goes by."""
    rows = report.columns[report.columns["test"] != CLASSIFIER]
    changed = rows.loc[rows["verdict"] != verdict.NO_CHANGE, "column"]
    return next(iter([*changed, *report.ranking["column"], *report.samples[0]]))


def shorten_label(text: str, length: int = MAX_LABEL_LENGTH) -> str:
    """Text from the data in one line, cut in the middle; a ``$`` begins no formula."""
    text, half = " ".join(text.split()), length // 2
    if len(text) > length:
        text = f"{text[:half]}…{text[1 - half :]}"
    return text.replace("$", r"\$")


def _draw_effects(ax: Axes, rows: pd.DataFrame) -> None:
    """One bar a column: solid what it surely has changed, pale what it seems to have."""
    shown, at = rows.head(MAX_EFFECTS), range(min(len(rows), MAX_EFFECTS))
    colours = shown["verdict"].map(COLOURS).tolist()
    ax.barh(at, shown["effect"], color=colours, alpha=0.3)
    ax.barh(at, shown["effect_low"], color=colours)
    ax.fill_between([], [], color="grey", alpha=0.3, label="effect")
    ax.fill_between([], [], color="grey", label="lower confidence limit")
    for bound, dashes, label in (
        (verdict.RETRAIN_EFFECT, "-", f"retrain from {verdict.RETRAIN_EFFECT:.3g}"),
        (verdict.WATCH_EFFECT, "--", f"watch from {verdict.WATCH_EFFECT:.3g}"),
        (verdict.NOVEL_EFFECT, ":", f"watch from {verdict.NOVEL_EFFECT:.3g} for new values"),
    ):
        ax.axvline(bound, color=rcParams["text.color"], lw=1.1, ls=dashes, label=label)
    ax.set_yticks(at, shown["column"].map(shorten_label))
    ax.invert_yaxis()
    ax.secondary_yaxis("right").set_yticks(at, shown["verdict"] + ": " + shown["test"])
    few = f": the {MAX_EFFECTS} gravest of {len(rows)}" if len(rows) > MAX_EFFECTS else ""
    ax.set_title(f"Effects of the columns{few}")
    ax.set(xlabel="effect: 0 none, 1 complete", xlim=(0, 1))


def _draw_column(ax: Axes, report: verdict.Findings, name: str) -> None:
    """A column before and after: the reference filled, the current values as an outline."""
    old, new = (sample[name].dropna() for sample in report.samples)
    missing = (report.columns["column"] == name) & (report.columns["test"] == "missing values")
    notes = report.columns.loc[missing, "note"].tolist()
    if name in report.numbers:
        sides = [to_floats(old), to_floats(new)]
        edges = choose_edges(sides)
        counts = [np.histogram(side, edges)[0] for side in sides]
        shares = [count / max(len(side), 1) for count, side in zip(counts, sides, strict=True)]
        ax.stairs(shares[0], edges, fill=True, color=REFERENCE_COLOUR, label=SIDES[0])
        ax.stairs(shares[1], edges, color=CURRENT_COLOUR, lw=1.6, label=SIDES[1])
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ax.set(ylabel="share of the rows", ylim=(0, 1.3 * max(np.max(shares), 0.01)))
        values = len(old) + len(new)
        if outside := values - np.sum(counts):
            notes.append(f"{outside:,} of {values:,} values lie outside this range")
    else:
        bars = choose_bars(old, new)
        at = range(len(bars))
        ax.barh(at, bars[SIDES[0]], color=REFERENCE_COLOUR, label=SIDES[0])
        ax.barh(at, bars[SIDES[1]], fill=False, ec=CURRENT_COLOUR, lw=1.6, label=SIDES[1])
        ax.set_yticks(at, bars.index.map(shorten_label))
        ax.invert_yaxis()
        ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.locator_params(axis="x", nbins=5)
    ax.legend(loc="upper center" if name in report.numbers else "lower right", ncols=2)
    ax.set_title(shorten_label(name, MAX_TITLE_LENGTH))
    ax.set_xlabel("\n".join(notes))


def choose_edges(sides: list[Floats]) -> Floats:
    """Edges of common bins; where the values lie on a grid, each bin holds as many of its points.

    Otherwise every other bin of evenly spread values would look empty.
    """
    finite = [side[np.isfinite(side)] for side in sides if np.isfinite(side).any()]
    if not finite:
        return np.array([0.0, 1.0])
    values = np.concatenate(finite)
    low, high = float(values.min()), float(values.max())
    bins = int(np.clip(2 * len(values) ** (1 / 3), 8, MAX_BINS))  # Rice's rule
    width, least = (high - low) / bins, MIN_RELATIVE_WIDTH * max(abs(low), abs(high))
    if width <= least:  # Values that are all but equal fill the bin in the middle.
        margin = max(0.5, bins * least)
        return np.linspace(low - margin, high + margin, bins + 1)
    step = np.diff(np.unique(values)).min(initial=high - low)
    if high - low > 10 * MAX_BINS * step:
        return np.linspace(low, high, bins + 1)
    width = step * np.ceil(width / step)
    return np.arange(low - step / 2, high + width, width)


def choose_bars(old: pd.Series, new: pd.Series) -> pd.DataFrame:
    """Shares of the most changed category, of the most frequent ones, and of all others."""
    sides = [side.astype(str).value_counts(normalize=True) for side in (old, new)]
    shares = pd.concat(sides, axis=1, keys=SIDES).fillna(0.0)
    changed = (shares["current"] - shares["reference"]).abs().nlargest(1).index
    frequent = shares.sum(axis=1).nlargest(MAX_BARS).index
    chosen = list(dict.fromkeys([*changed, *frequent]))[:MAX_BARS]
    bars, rest = shares.loc[chosen], shares.drop(chosen)
    if len(rest):
        bars.loc[f"({len(rest)} others)"] = rest.sum()
    return bars


def _draw_roc(ax: Axes, report: verdict.Findings) -> None:
    """The classifier's ROC curve."""
    low, high = report.classifier.interval
    old, new = report.classifier.rows
    roc = report.classifier.roc
    ax.plot(*roc.to_numpy().T, color=CURRENT_COLOUR, label="classifier")
    ax.plot([0, 1], [0, 1], color=rcParams["text.color"], ls="--", label="guessing")
    ax.set_title(
        f"Old or new? AUC {report.auc:.2f} ({low:.2f} to {high:.2f})\n"
        f"retrain from {verdict.AUC_BOUND:g}; guessing is 0.5",
        size="medium",
    )
    ax.set_xlabel(f"false positive rate\n({old:,} + {new:,} rows it was not trained on)")
    ax.set_ylabel("true positive rate")
    ax.set_aspect("equal")
    ax.legend(loc="lower right")
