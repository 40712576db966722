"""The picture of a comparison, drawn from real comparisons and looked into."""

import functools
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from course_utils.drift import DriftReport, compare
from course_utils.drift.classifier import ALL_TOGETHER
from course_utils.drift.histograms import count_in_bins
from course_utils.drift.plots import (
    MAX_BARS,
    MAX_EFFECTS,
    choose_bars,
    draw_numbers,
    render_png,
    shorten_label,
)
from course_utils.drift.verdict import SEVERITY
from tests.support.drift_tables import continuous, twenty, unchanged


def list_texts(figure: Figure) -> list[str]:
    """All that stands in the figure, as one sees it."""
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible()]


def draw_normal(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=rows)


@functools.cache
def many_changes() -> DriftReport:
    """One column of each kind of change among twenty."""
    random = np.random.default_rng(0)
    old, new = twenty(random, 1000), twenty(random, 900)
    new["number_9"] += 3
    new["number_3"] *= 1.8
    new["number_7"] = new["number_7"].mask(random.random(900) < 0.15)
    new["category_2"] = new["category_2"].mask(random.random(900) < 0.05, "new")
    return compare(old, new)


def test_a_notebook_shows_it() -> None:
    assert many_changes().plot()._repr_png_().startswith(b"\x89PNG")  # what IPython asks for


def test_the_gravest_columns_stand_on_top_with_their_verdicts():
    figure = many_changes().plot()
    ax = figure.subfigs[0].axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == MAX_EFFECTS
    assert ax.yaxis_inverted()
    assert {"number_9", ALL_TOGETHER} == set(names[:2])
    assert {"number_3", "number_7", "category_2"} <= set(names[:6])
    verdicts = [text.get_text().split("\n")[0] for text in ax.texts]
    assert verdicts == sorted(verdicts, key=SEVERITY.__getitem__)
    assert verdicts[:2] == ["retrain", "retrain"]


def test_the_roc_curve_tells_auc_and_interval():
    report = many_changes()
    upper, lower = report.plot().subfigs[2].axes
    low, high = report.classifier.interval
    assert f"AUC {report.auc:.2f} ({low:.2f} to {high:.2f})" in upper.get_title()
    curve, diagonal = upper.lines
    area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert area == pytest.approx(report.auc, abs=1e-9)
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert lower.get_yticklabels()[0].get_text() == "number_9"


def test_from_one_column_to_two_hundred():
    constant = pd.DataFrame({"same": ["a"] * 30})
    assert "same" in list_texts(compare(constant, constant).plot())
    one = compare(*(pd.DataFrame({"x": draw_normal(rows)}) for rows in (60, 80))).plot()
    assert [ax.get_title() for ax in one.subfigs[1].axes] == ["x"]
    wide = compare(*unchanged(continuous, 200, 1)).plot()
    assert any(f"the {MAX_EFFECTS} gravest of 201" in text for text in list_texts(wide))


@pytest.mark.parametrize("name", ["$\\broken{", "two\nlines\tand more", "", "name " * 100])
def test_no_name_breaks_the_picture(name: str):
    random = np.random.default_rng(0)
    words = [name, f"other {name}", "third"]
    frames = (
        pd.DataFrame({name: random.normal(s, 1, 60), f"{name}2": random.choice(words[s:], 60)})
        for s in (0, 1)
    )
    report = compare(*frames)
    assert Image.open(io.BytesIO(render_png(report.plot()))).size[0] == 1500


def test_long_names_are_cut_in_the_middle():
    assert shorten_label("short\nand sweet") == "short and sweet"
    short = shorten_label("beginning " * 9 + "end")
    assert len(short) == 26
    assert short.startswith("beginning")
    assert short.endswith("end")


def test_outliers_do_not_squash_the_picture():
    spoilt = np.append(draw_normal(1000), [1e12, -np.inf, np.inf, np.nan])
    found = count_in_bins(spoilt, draw_normal(900))
    assert found is not None
    assert np.ptp(found.edges) < 20
    assert found.outside == pytest.approx(3 / 1903)  # the missing value is not counted
    assert found.densities[0] @ np.diff(found.edges) == pytest.approx(1000 / 1003)
    density, _ = np.histogram(draw_normal(900), found.edges, density=True)
    assert found.densities[1] == pytest.approx(density)


@pytest.mark.parametrize("step", [1, 0.1, 25])
def test_values_on_a_grid_get_bins_of_whole_steps(step: float):
    """Otherwise every other bin of evenly spread values would look empty."""
    even = np.repeat(np.arange(70), 10) * step
    found = count_in_bins(even, even)
    assert found is not None
    inner = found.densities[0][1:-1]
    assert inner == pytest.approx(inner[0])


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [5.0],
        [1e16, 1e16 + 2, 1e16 + 4],
        [-np.inf, 3, np.inf],
    ],
    ids=str,
)
def test_extreme_numbers_are_drawn(values: list[float]):
    column = np.repeat(np.array(values, dtype=float), 30)
    found = count_in_bins(column, column)
    assert found is not None
    assert (np.diff(found.edges) > 0).all()
    figure = Figure(layout="constrained")
    draw_numbers(figure.subplots(), column, column)
    render_png(figure)


def test_the_most_frequent_categories_and_the_rest():
    old = pd.Series(
        np.repeat([f"c{i}" for i in range(12)], [40, 20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    )
    bars = choose_bars(old, pd.concat([old, pd.Series(["new"] * 3)]))
    assert len(bars) == MAX_BARS + 1
    assert bars.index[0] == "new"  # rare, but what has changed
    assert bars.loc["c0"].tolist() == pytest.approx([40 / 115, 40 / 118])
    assert bars.index[-1] == "(5 others)"
    assert bars.sum().tolist() == pytest.approx([1, 1])
