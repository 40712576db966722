"""The picture of a comparison, drawn from real comparisons and looked into."""

import functools
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from course_utils.drift import DriftReport, compare
from course_utils.drift.classifier import ALL_TOGETHER
from course_utils.drift.plots import (
    MAX_BARS,
    MAX_EFFECTS,
    MAX_LABEL_LENGTH,
    Picture,
    choose_bars,
    choose_edges,
    shorten_label,
)
from course_utils.drift.verdict import SEVERITY
from tests.support.drift_tables import continuous, twenty, unchanged


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


def test_the_gravest_columns_stand_on_top_with_size_and_verdict():
    report = many_changes()
    ax = report.plot().axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == MAX_EFFECTS
    assert ax.yaxis_inverted()
    assert {"number_9", ALL_TOGETHER} == set(names[:2])
    assert {"number_3", "number_7", "category_2"} <= set(names[:6])
    gravest = report.columns.drop_duplicates("column")[:MAX_EFFECTS]
    for bars, name in zip(ax.containers, ("effect", "effect_low"), strict=True):
        assert [bar.get_width() for bar in bars] == gravest[name].tolist()
    (right,) = ax.child_axes
    verdicts = [label.get_text().split(": ")[0] for label in right.get_yticklabels()]
    assert verdicts == sorted(verdicts, key=SEVERITY.__getitem__)
    assert verdicts[:2] == ["retrain", "retrain"]


def test_the_roc_curve_tells_auc_and_interval():
    report = many_changes()
    low, high = report.classifier.interval
    title = f"AUC {report.auc:.2f} ({low:.2f} to {high:.2f})"
    (ax,) = (ax for ax in report.plot().axes if title in ax.get_title())
    curve, diagonal = ax.lines
    area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert area == pytest.approx(report.auc, abs=1e-9)
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]


def test_from_one_column_to_two_hundred():
    constant = pd.DataFrame({"same": ["a"] * 30})
    one = compare(*(pd.DataFrame({"x": draw_normal(rows)}) for rows in (60, 80)))
    for report, name in ((compare(constant, constant), "same"), (one, "x")):
        assert [ax.get_title() for ax in report.plot().axes[1:-1]] == [name]
    wide = compare(*unchanged(continuous, 200, 1)).plot()
    assert f"the {MAX_EFFECTS} gravest of 201" in wide.axes[0].get_title()


@pytest.mark.parametrize("name", ["$\\broken{", "two\nlines\tand more", "", "name " * 100])
def test_no_name_breaks_the_picture(name: str):
    random = np.random.default_rng(0)
    words = [name, f"other {name}", "third"]
    frames = (
        pd.DataFrame({name: random.normal(s, 1, 60), f"{name}2": random.choice(words[s:], 60)})
        for s in (0, 1)
    )
    png = compare(*frames).plot()._repr_png_()  # what IPython asks for
    assert Image.open(io.BytesIO(png)).size == (1000, 900)


def test_long_names_are_cut_in_the_middle():
    assert shorten_label("short\nand sweet") == "short and sweet"
    short = shorten_label("beginning " * 9 + "end")
    assert len(short) == MAX_LABEL_LENGTH
    assert short.startswith("beginning")
    assert short.endswith("end")


def test_infinite_values_do_not_squash_the_picture_and_are_counted():
    spoilt = np.append(draw_normal(1000), [-np.inf, np.inf, np.nan])
    figure = compare(pd.DataFrame({"x": spoilt}), pd.DataFrame({"x": draw_normal(900)})).plot()
    ax = figure.axes[1]
    assert "missing in 0.1%" in ax.get_xlabel()
    assert ax.get_xlabel().endswith("2 of 1,902 values lie outside this range")
    old, new = (stairs.get_data() for stairs in ax.patches)
    assert np.ptp(old.edges) < 20
    assert old.values.sum() == pytest.approx(1000 / 1002)  # the missing value is not counted
    counts, _ = np.histogram(draw_normal(900), new.edges)
    assert new.values == pytest.approx(counts / 900)


def test_a_few_values_beside_very_many_equal_ones_are_drawn():
    edges = choose_edges([np.array([0.0] * 985 + [*range(15)]), np.zeros(1000)])
    assert (edges[0], edges[-1]) == pytest.approx((0, 14), abs=1)


def test_the_bulk_of_the_smaller_side_is_drawn():
    """Among the values of both, those of the smaller side would look like outliers."""
    edges = choose_edges([draw_normal(1000), 1000 + draw_normal(20)])
    assert edges[0] < -1
    assert edges[-1] > 1001


@pytest.mark.parametrize("step", [1, 0.1, 25])
def test_values_on_a_grid_get_bins_of_whole_steps(step: float):
    """Otherwise every other bin of evenly spread values would look empty."""
    even = np.repeat(np.arange(70), 10) * step
    inner = np.histogram(even, choose_edges([even, even]))[0][1:-1]
    assert (inner == inner[0]).all()


@pytest.mark.parametrize(
    "values",
    [[0.0], [5.0], [1e16, 1e16 + 2, 1e16 + 4], [-np.inf, 3, np.inf], [-np.inf, np.inf]],
    ids=str,
)
def test_extreme_numbers_are_drawn(values: list[float]):
    column = np.repeat(np.array(values, dtype=float), 30)
    edges = choose_edges([column, column])
    assert (np.diff(edges) > 0).all()
    inside = (edges[0] < column) & (column < edges[-1])
    assert (inside == np.isfinite(column)).all()
    picture = Picture(layout="constrained")
    picture.subplots().stairs(np.histogram(column, edges)[0], edges)
    assert picture._repr_png_()


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
