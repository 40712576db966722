"""The charts of a version: predictions, errors, importance of the features, distributions."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import PredictionErrorDisplay

from course_utils.registry.scores import SEED, Examples


def draw_charts(
    folder: Path, found: Examples, importance: dict[str, Any], tables: dict[str, pd.DataFrame]
) -> list[dict[str, str]]:
    """Draw the charts into ``folder``, as PNG files.

    Args:
        folder: to write to.
        found: the rows that metrics were computed on.
        importance: of the features.
        tables: training and testing, whose columns are drawn.

    Returns:
        File and title of each chart.
    """
    charts = []
    for file, title, figure in (
        ("predicted.png", "Predicted against true", _draw_errors(found, "actual_vs_predicted")),
        ("residuals.png", "Errors", _draw_errors(found, "residual_vs_predicted")),
        ("ranking.png", "Importance of the features", draw_importance(importance)),
        ("distributions.png", "Distributions of the data", _draw_distributions(tables)),
    ):
        figure.suptitle(title)
        figure.savefig(folder / file, dpi=100)
        charts.append({"file": file, "title": title})
    return charts


def _draw_errors(found: Examples, kind: str) -> Figure:
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    PredictionErrorDisplay.from_predictions(
        found.truth,
        found.predicted,
        kind=kind,
        random_state=SEED,
        ax=figure.subplots(),
        scatter_kwargs={"alpha": 0.5, "s": 12},
    )
    return figure


def draw_importance(importance: dict[str, Any]) -> Figure:
    """A bar for each feature, as `rank_features` found it."""
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    ax = figure.subplots()
    shown = pd.DataFrame(importance["features"][::-1])
    ax.barh(shown["name"], shown["mean"], xerr=shown["std"])
    ax.set_xlabel("rise of the RMSE where the feature is shuffled")
    return figure


def _draw_distributions(tables: dict[str, pd.DataFrame]) -> Figure:
    """A box per table: the middle half of the values, and how far the others reach."""
    names = list(tables["training"])
    across = min(4, len(names))
    down = math.ceil(len(names) / across)
    figure = Figure(figsize=(2.2 * across, 1.7 * down), layout="constrained")
    for place, name in enumerate(names, start=1):
        ax = figure.add_subplot(down, across, place)
        ax.boxplot([table[name][np.isfinite(table[name])] for table in tables.values()])
        ax.set_xticklabels(list(tables))
        ax.set_title(name, fontsize="small")
    return figure
