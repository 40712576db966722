"""The standard pictures of a record: how well, how wrong, by what, on what."""

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course_utils.common.plots import NEW, OLD, SMALL, Labels, histogram, plain, png
from course_utils.registry.scores import SEED, Examples

POINTS = 2_000  # of a scatter plot
BARS = 15
PANELS = 24  # distributions that are drawn
SUFFIXES = (".png", ".svg")  # of pictures that are brought


def draw(folder: Path, document: dict[str, Any], found: Examples) -> Iterator[dict[str, str]]:
    """Draw the standard charts into ``folder``.

    Args:
        folder: to write PNG files to.
        document: the record so far.
        found: the rows that metrics were computed on.

    Yields:
        Of each chart its ``file``, ``title`` and ``alt``, a description for who does not see it.
    """
    labels = Labels()
    charts: tuple[Callable[..., tuple[Figure, str, str]], ...] = (
        predicted, residuals, ranking, distributions
    )  # fmt: skip
    for chart in charts:
        figure, title, alt = chart(document, found, labels)
        name = f"{chart.__name__}.png"
        (folder / name).write_bytes(png(figure))
        yield {"file": name, "title": title, "alt": alt}


def bring(folder: Path, charts: list[Path]) -> Iterator[dict[str, str]]:
    """Copy somebody's own charts into ``folder``; see `draw`.

    Raises:
        ValueError: one is no picture, or of a name that is taken.
        FileNotFoundError: one is not there.
    """
    for path in charts:
        if path.suffix not in SUFFIXES:
            raise ValueError(f"{path.name} is no chart: save it as {' or '.join(SUFFIXES)}.")
        if (folder / path.name).exists():
            raise ValueError(f"There is a chart {path.name} already: rename yours.")
        shutil.copyfile(path, folder / path.name)
        yield {"file": path.name, "title": path.stem, "alt": f"The chart {path.stem}"}


def predicted(document: dict[str, Any], found: Examples, labels: Labels) -> tuple[Figure, str, str]:
    """What the model says against what is true."""
    figure, ax = _figure()
    rows = np.random.default_rng(SEED).permutation(len(found.X))[:POINTS]
    truth, answers = found.truth[rows], found.predicted[rows]
    ends = [min(truth.min(), answers.min()), max(truth.max(), answers.max())]
    ax.plot(ends, ends, color="#666666", linewidth=1)
    ax.plot(truth, answers, ".", color=NEW, alpha=0.5, markersize=4)
    target = document["model"]["target"]
    ax.set_xlabel(labels(f"true {target}", 40), **labels.style)
    ax.set_ylabel(labels(f"predicted {target}", 40), **labels.style)
    scores = document["metrics"]["computed"]
    alt = (
        f"Scatter plot of {len(rows):,} {document['metrics']['rows']} rows around the diagonal: "
        f"root mean squared error {scores['rmse']:.3g}, mean absolute error {scores['mae']:.3g}."
    )
    return figure, "Predicted against true", alt


def residuals(document: dict[str, Any], found: Examples, labels: Labels) -> tuple[Figure, str, str]:
    """How the errors are distributed."""
    figure, ax = _figure()
    errors = found.predicted - found.truth
    bins: Any = histogram(errors, np.array([]))  # finite all of them, so there are bins
    ax.stairs(np.histogram(errors, bins.edges)[0], bins.edges, color=OLD, fill=True)
    ax.axvline(0, color="#666666", linewidth=1)
    ax.set_xlabel(labels(f"predicted less true {document['model']['target']}", 50), **labels.style)
    ax.set_ylabel("rows")
    low, middle, high = np.quantile(errors, [0.05, 0.5, 0.95])
    alt = (
        f"Histogram of {len(errors):,} errors: the middle one {middle:.3g}, nine in ten between "
        f"{low:.3g} and {high:.3g}."
    )
    return figure, "Errors", alt


def ranking(document: dict[str, Any], found: Examples, labels: Labels) -> tuple[Figure, str, str]:
    """What the model goes by."""
    figure, ax = _figure()
    entries = document["importance"]["features"][:BARS]
    ax.barh(
        range(len(entries)),
        [entry["mean"] for entry in entries],
        xerr=[entry["std"] for entry in entries],
        color=OLD,
        ecolor="#666666",
    )
    names = labels.all([entry["name"] for entry in entries])
    ax.set_yticks(range(len(entries)), names, **labels.style)
    ax.invert_yaxis()
    ax.set_xlabel("rise of the RMSE where the feature is shuffled")
    alt = "Bars: " + ", ".join(f"{entry['name']} {entry['mean']:.3g}" for entry in entries) + "."
    return figure, "Importance of the features", alt


def distributions(
    document: dict[str, Any], found: Examples, labels: Labels
) -> tuple[Figure, str, str]:
    """What the data look like: training filled, testing as an outline, each as shares."""
    columns = dict(list(document["distributions"].items())[:PANELS])
    across = min(4, len(columns))
    down = math.ceil(len(columns) / across)
    figure = Figure(figsize=(2.2 * across, 1.7 * down), layout="constrained")
    for place, (name, column) in enumerate(columns.items(), start=1):
        ax = figure.add_subplot(down, across, place)
        plain(ax)
        for side, colour, fill in (("training", OLD, True), ("testing", NEW, False)):
            if side in column:
                shares = np.array(column[side]["counts"]) / max(sum(column[side]["counts"]), 1)
                ax.stairs(shares, column["edges"], color=colour, fill=fill)
        ax.set_yticks([])
        ax.set_title(labels(name), fontsize=SMALL, **labels.style)
    sides = "training filled" + (", testing as an outline" if document["data"]["testing"] else "")
    alt = f"Histograms, {sides}, of {', '.join(columns)}."
    return figure, "Distributions of the data", alt


def _figure() -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    ax = figure.subplots()
    plain(ax)
    return figure, ax
