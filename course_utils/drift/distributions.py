"""One column before and after, drawn: histograms of numbers, shares of categories."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from course_utils.common.plots import NEW, OLD, SMALL, Floats, Labels, histogram, plain, reach
from course_utils.drift.frames import floats
from course_utils.drift.shares import Shares

CATEGORIES = 8  # of a column; the others make one
POINTS = 400  # of either side in a scatter plot


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
    names, *sides = (list(side) for side in zip(*shares(old, new), strict=True))
    at = np.arange(len(names))
    ax.barh(at - 0.2, sides[0], height=0.38, color=OLD)
    ax.barh(at + 0.2, sides[1], height=0.34, fill=False, ec=NEW, lw=1.6)
    plain(ax)
    ax.set_yticks(at, labels.all(names, 18), **labels.style)
    ax.set_ylim(max(len(names), 4) - 0.5, -0.5)
    ax.xaxis.set_major_formatter(PercentFormatter(1))


def shares(old: pd.Series, new: pd.Series) -> Iterator[tuple[str, float, float]]:
    """The most frequent categories with their shares, the most changed among them; then the rest.

    Missing values are left out.
    """
    sides = [side.value_counts(dropna=True).to_dict() for side in (old, new)]
    both = Shares.count(*sides)
    counts = np.array([both.reference, both.current], dtype=float)
    counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1)
    order = np.argsort(-counts.sum(axis=0), kind="stable").tolist()
    top = order[:CATEGORIES]
    if counts.any(axis=1).all() and both.most_changed() not in top:
        top[-1] = both.most_changed()
    for i in top:
        yield both.names[i], float(counts[0, i]), float(counts[1, i])
    rest = [i for i in order if i not in top]
    if rest:
        yield f"({len(rest)} others)", *counts[:, rest].sum(axis=1).tolist()


def draw_pair(
    ax: Axes, samples: tuple[pd.DataFrame, pd.DataFrame], names: list[str], labels: Labels
) -> None:
    """Two columns of numbers against each other, the first rows of either side."""
    old, new = (np.column_stack([floats(side[name]) for name in names]) for side in samples)
    finite = [side[np.isfinite(side).all(axis=1)].clip(-1e300, 1e300) for side in (old, new)]
    for side, colour, marker in zip(finite, (OLD, NEW), "ox", strict=True):
        ax.plot(*side[:POINTS].T, color=colour, marker=marker, ls="", ms=3.5, mew=0.8)
    plain(ax)
    for set_limits, i in ((ax.set_xlim, 0), (ax.set_ylim, 1)):
        low, high = reach([side[:, i] for side in finite if len(side)] or [np.zeros(1)])
        set_limits(low - (high - low) / 20 - 1e-9, high + (high - low) / 20 + 1e-9)
    ax.set_xlabel(labels(names[0], 48), fontsize=SMALL, **labels.style)
    ax.set_ylabel(labels(names[1], 22), fontsize=SMALL, **labels.style)
