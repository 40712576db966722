"""The charts of a version: predictions and errors, or confusions; importance; distributions."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay

from course_utils.registry.scores import SEED

MAX_WRITTEN_CLASSES = 20  # whose counts and names can still be read in a chart


def draw_charts(
    folder: Path,
    found: dict[str, Any],
    truth: np.ndarray,
    decided: np.ndarray,
    tables: dict[str, pd.DataFrame],
) -> list[dict[str, str]]:
    """Draw the charts into ``folder``, as PNG files.

    Args:
        folder: to write to.
        found: of ``record.json`` the ``importance`` of the features and the ``confusions`` of a
            classifier, those that there are.
        truth: the labels of the rows that metrics were computed on.
        decided: the model's answers to them.
        tables: training and testing, whose columns are drawn.

    Returns:
        File and title of each chart.
    """
    drawn: list[tuple[str, str, Figure]] = []
    if "confusions" in found:
        drawn.append(("confusions.png", "Confusions", draw_confusions(**found["confusions"])))
    else:
        for kind, file, title in (
            ("actual_vs_predicted", "predicted.png", "Predicted against true"),
            ("residual_vs_predicted", "residuals.png", "Errors"),
        ):
            drawn.append((file, title, _draw_errors(truth, decided, kind)))
    if "importance" in found:  # the model takes numbers
        ranking = draw_importance(found["importance"]["features"], "confusions" in found)
        drawn.append(("ranking.png", "Importance of the features", ranking))
        distributions = _draw_distributions(tables)
        drawn.append(("distributions.png", "Distributions of the data", distributions))
    for file, title, figure in drawn:
        figure.suptitle(title)
        figure.savefig(folder / file, dpi=100)
    return [{"file": file, "title": title} for file, title, _ in drawn]


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


def draw_confusions(labels: list[str], counts: list[list[int]]) -> Figure:
    """The confusion matrix: a row for each true class, a column for each predicted one."""
    side = min(max(4.0, 0.5 * len(labels)), 10.0)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    written = len(labels) <= MAX_WRITTEN_CLASSES
    ConfusionMatrixDisplay(np.array(counts), display_labels=labels if written else None).plot(
        include_values=written, ax=figure.subplots(), cmap="Blues", xticks_rotation=90
    )
    return figure


def draw_importance(ranking: list[dict[str, Any]], is_classifier: bool = False) -> Figure:
    """A bar for each feature, as `rank_features` found it."""
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    ax = figure.subplots()
    shown = pd.DataFrame(ranking[::-1])
    ax.barh(shown["name"], shown["mean"], xerr=shown["std"])
    measure = "share of wrong answers" if is_classifier else "RMSE"
    ax.set_xlabel(f"rise of the {measure} where the feature is shuffled")
    return figure


def _draw_distributions(tables: dict[str, pd.DataFrame]) -> Figure:
    """A box per table: the middle half of the values, and how far the others reach."""
    names = tables["training"].select_dtypes("number").columns
    across = min(4, len(names))
    down = math.ceil(len(names) / across)
    figure = Figure(figsize=(max(4.4, 2.2 * across), max(3, 1.7 * down)), layout="constrained")
    for place, name in enumerate(names, start=1):
        ax = figure.add_subplot(down, across, place)
        ax.set_title(name, fontsize="small")
        ax.boxplot([table[name].dropna() for table in tables.values()])
        ax.set_xticklabels(list(tables))
    return figure
