"""The charts of a version: predictions, errors, importance of the features, distributions."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import PredictionErrorDisplay

from course_utils.registry.scores import SEED


def draw_charts(
    folder: Path,
    truth: np.ndarray,
    predicted: np.ndarray,
    ranking: list[dict[str, Any]],
    tables: dict[str, pd.DataFrame],
) -> list[dict[str, str]]:
    """Draw the charts into ``folder``, as PNG files.

    Args:
        folder: to write to.
        truth: the labels of the rows that metrics were computed on.
        predicted: the model's predictions for them.
        ranking: of the features, by importance.
        tables: training and testing, whose columns are drawn.

    Returns:
        File and title of each chart.
    """
    points = truth, predicted
    charts = []
    for file, title, figure in (
        ("predicted.png", "Predicted against true", _draw_errors(*points, "actual_vs_predicted")),
        ("residuals.png", "Errors", _draw_errors(*points, "residual_vs_predicted")),
        ("ranking.png", "Importance of the features", draw_importance(ranking)),
        ("distributions.png", "Distributions of the data", _draw_distributions(tables)),
    ):
        figure.suptitle(title)
        figure.savefig(folder / file, dpi=100)
        charts.append({"file": file, "title": title})
    return charts


def _draw_errors(truth: np.ndarray, predicted: np.ndarray, kind: str) -> Figure:
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    PredictionErrorDisplay.from_predictions(
        truth,
        predicted,
        kind=kind,
        random_state=SEED,
        ax=figure.subplots(),
        scatter_kwargs={"alpha": 0.5, "s": 12},
    )
    return figure


def draw_importance(ranking: list[dict[str, Any]]) -> Figure:
    """A bar for each feature, as `rank_features` found it."""
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    ax = figure.subplots()
    shown = pd.DataFrame(ranking[::-1])
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
