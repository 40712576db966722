"""The picture of a comparison, drawn from real comparisons and looked into."""

import functools
import io
from dataclasses import replace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text
from nbclient import NotebookClient
from PIL import Image

from course_utils.common import plots as common_plots
from course_utils.common.plots import Labels, histogram
from course_utils.drift import DriftReport, compare, distributions
from course_utils.drift.distributions import CATEGORIES, shares
from course_utils.drift.findings import ALL_TOGETHER
from course_utils.drift.plots import COLOURS, COLUMNS, GRAVITY, MARKERS, gravest, png, worst
from tests.support.drift_tables import as_objects, changed, continuous, twenty, unchanged


def texts(figure: Figure) -> list[str]:
    """All that stands in the figure, as one sees it."""
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible()]


def numbers(rows: int = 60, shift: float = 0.0, **columns: object) -> pd.DataFrame:
    random = np.random.default_rng(rows)
    return pd.DataFrame({"x": random.normal(shift, 1, rows)} | columns)


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


def test_the_gravest_columns_stand_on_top_with_their_verdicts():
    figure = many_changes().plot()
    ax = figure.subfigs[0].axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == COLUMNS
    assert ax.yaxis_inverted()
    assert {"number_9", ALL_TOGETHER} == set(names[:2])
    assert {"number_3", "number_7", "category_2"} <= set(names[:6])
    verdicts = [text.get_text().split("\n")[0] for text in ax.texts]
    assert verdicts == sorted(verdicts, key=GRAVITY.__getitem__)
    assert verdicts[:2] == ["retrain", "retrain"]


def test_a_bar_is_solid_as_far_as_the_change_is_sure():
    report = many_changes()
    ax = report.plot().subfigs[0].axes[0]
    ends: dict[float, list[tuple[float | None, float]]] = {}
    for bar in ax.patches:
        ends.setdefault(bar.get_y(), []).append((bar.get_alpha(), bar.get_width()))
    bars = [dict(ends[y]) for y in sorted(ends)]
    rows = gravest(report).head(COLUMNS)
    assert [bar[0.3] for bar in bars] == pytest.approx(rows["effect"].tolist())
    assert [bar[None] for bar in bars] == pytest.approx(rows["effect_low"].tolist())


def test_the_bounds_are_lines():
    frames = numbers(), numbers(shift=1)
    ax = compare(*frames, auc_bound=0.8, watch=0.2, novel=0.05).plot().subfigs[0].axes[0]
    upright = {line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1}
    assert {0.6, 0.2, 0.05} <= {round(float(x), 9) for x in upright}


def test_verdicts_are_told_by_marks_and_words_too():
    ax = many_changes().plot().subfigs[0].axes[0]
    marks = {line.get_marker() for line in ax.lines if len(line.get_xdata()) == 1}
    verdicts = {text.get_text().split("\n")[0] for text in ax.texts}
    assert len(marks) == len(verdicts) >= 3
    assert len(set(MARKERS.values())) == len(set(COLOURS.values())) == len(GRAVITY)


def test_the_worst_columns_are_shown_before_and_after():
    report = many_changes()
    assert worst(report)[0] == "number_9"
    panels = report.plot().subfigs[1].axes
    assert [ax.get_title() for ax in panels] == worst(report)


def test_what_has_changed_only_together_is_shown_together():
    report = compare(*changed("correlation 0.8 to -0.8", 1))
    panels = report.plot().subfigs[1].axes
    assert {panels[0].get_xlabel(), panels[0].get_ylabel()} == {"number_0", "number_1"}
    old, new = (np.corrcoef(line.get_xdata(), line.get_ydata())[0, 1] for line in panels[0].lines)
    assert old > 0.7
    assert new < -0.7


def test_missing_values_are_noted():
    report = compare(numbers(100), numbers(100).mask(np.arange(100)[:, None] < 70))
    assert any("missing in 0.0% of the rows, now in 70.0%" in text for text in texts(report.plot()))


def test_what_is_left_of_a_column_is_drawn_for_what_it_is():
    """Where all is missing on one side, no test tells numbers from categories."""
    old = numbers(50, word=["a", "b"] * 25)
    panels = compare(old, pd.DataFrame({"x": [None] * 50, "word": [None] * 50})).plot().subfigs[1]
    by_title = {ax.get_title(): ax for ax in panels.axes}
    assert by_title["x"].get_ylabel() == "density"
    assert [t.get_text() for t in by_title["word"].get_yticklabels()] == ["a", "b"]


def test_the_roc_curve_tells_auc_and_interval():
    report = many_changes()
    upper, lower = report.plot().subfigs[2].axes
    low, high = report.auc_interval
    assert f"AUC {report.auc:.2f} ({low:.2f} to {high:.2f})" in upper.get_title()
    curve, diagonal = upper.lines
    area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert area == pytest.approx(report.auc, abs=1e-9)
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert lower.get_yticklabels()[0].get_text() == "number_9"


def test_nothing_is_said_to_betray_where_nothing_is_significant():
    report = compare(*unchanged(continuous, 3, 0))
    assert ALL_TOGETHER not in report.significant
    assert report.ranking.empty
    assert len(report.plot().subfigs[2].axes) == 1


def test_from_no_column_to_two_hundred():
    none = compare(pd.DataFrame({"x": range(30)}), pd.DataFrame({"x": ["a", "b"] * 15}))
    assert any("Nothing could be compared" in text for text in texts(none.plot()))
    constant = pd.DataFrame({"same": ["a"] * 30})
    assert any("No column could be" in text for text in texts(compare(constant, constant).plot()))
    one = compare(numbers(), numbers(80)).plot()
    assert [ax.get_title() for ax in one.subfigs[1].axes] == ["x"]
    wide = compare(*unchanged(continuous, 200, 1)).plot()
    assert any(f"the {COLUMNS} gravest of 201" in text for text in texts(wide))


def test_without_the_classifier_there_are_two_parts():
    report = many_changes()
    assert len(replace(report, joint=None).plot().subfigs) == 2


NAMES = [
    "$x^2$ costs $",
    "$\\broken{",
    "年龄与收入",
    "🙂 face",
    "two\nlines\tand a tab",
    "\x00\x07 control",
    "half a pair \ud800",
    "",
    "العمر",
    "name " * 100,
    ALL_TOGETHER,
    "_private",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_no_name_breaks_the_picture(name: str):
    """Warnings are errors here, a glyph that no font has among them."""
    random = np.random.default_rng(0)
    words = [name, f"other {name}", "third"]
    frames = (
        as_objects({name: random.normal(s, 1, 60), f"{name}2": random.choice(words[s:], 60)})
        for s in (0, 1)
    )
    report = compare(*frames)
    assert Image.open(io.BytesIO(png(report.plot()))).size[0] == 1500


def test_a_dollar_is_a_dollar():
    frame = numbers().rename(columns={"x": "$x^2$"})
    assert "$x^2$" in texts(compare(frame, frame + 3).plot())
    labels = [t for t in compare(frame, frame + 3).plot().findobj(Text) if "$" in t.get_text()]
    assert labels
    assert not any(label.get_parse_math() for label in labels)


def test_long_names_are_cut_amid_and_stay_apart():
    labels = Labels()
    long = [f"a long beginning that all have in common {i} and a long end" for i in range(9)]
    short = labels.all([*long, "x"])
    assert len(set(short)) == 10
    assert max(map(len, short)) <= 26
    assert labels("short") == "short"
    assert labels("beginning " * 9 + "end").startswith("beginning")
    assert labels("beginning " * 9 + "end").endswith("end")


def test_characters_come_from_any_font_that_has_them(monkeypatch: pytest.MonkeyPatch):
    """A font that comes with matplotlib stands for one of the world's scripts."""
    file = font_manager.findfont("STIXNonUnicode", fallback_to_default=False)
    only = sorted(set(font_manager.get_font(file).get_charmap()) - Labels().known)
    letter = chr(only[0])
    assert Labels()(letter) == "□"
    monkeypatch.setattr(common_plots, "FALLBACKS", ("STIXNonUnicode", "not installed"))
    assert Labels()(letter) == letter
    frame = numbers().rename(columns={"x": letter})
    png(compare(frame, frame + 3).plot())  # and is drawn without a warning


def normal(rows: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(rows).normal(mean, 1, rows)


def test_densities_are_those_of_numpy_where_nothing_is_cut():
    found = histogram(normal(500), normal(400, 0.5))
    assert found is not None
    assert found.outside == 0
    expected, _ = np.histogram(normal(500), found.edges, density=True)
    assert found.densities[0] == pytest.approx(expected)
    assert found.densities[1] @ np.diff(found.edges) == pytest.approx(1)


def test_outliers_do_not_squash_the_picture():
    spoilt = np.append(normal(1000), [1e12, -np.inf, np.inf, np.nan])
    found = histogram(spoilt, normal(900))
    assert found is not None
    assert np.ptp(found.edges) < 20
    assert found.outside == pytest.approx(3 / 1903)  # the missing value is not counted
    assert found.densities[0] @ np.diff(found.edges) == pytest.approx(1000 / 1003)


def test_a_few_rows_far_away_are_not_cut_where_they_are_all_of_one_side():
    found = histogram(normal(5000), normal(20, 1000.0))
    assert found is not None
    assert found.edges[-1] > 1000
    assert found.densities[1] @ np.diff(found.edges) == pytest.approx(1)


@pytest.mark.parametrize("step", [1, 0.1, 25])
def test_values_on_a_grid_get_bins_of_whole_steps(step: float):
    """Otherwise every other bin of evenly spread values would look empty."""
    even = np.repeat(np.arange(70), 10) * step
    found = histogram(even, even)
    assert found is not None
    inner = found.densities[0][1:-1]
    assert inner == pytest.approx(inner[0])


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [5.0],
        [1e16, 1e16 + 2, 1e16 + 4],
        [5e-324, 1e-323],
        [-1.7e308, 0, 1.7e308],
        [0, 1e-300, 1],
        [-np.inf, 3, np.inf],
    ],
    ids=str,
)
def test_extreme_numbers_are_drawn(values: list[float]):
    column = np.repeat(np.array(values, dtype=float), 30)
    found = histogram(column, column)
    assert found is not None
    assert (np.diff(found.edges) > 0).all()
    figure = Figure(layout="constrained")
    distributions.draw_numbers(figure.subplots(), column, column)
    png(figure)


def test_nothing_finite_is_said():
    assert histogram(np.array([np.inf, np.nan]), np.array([np.nan])) is None
    figure = Figure()
    distributions.draw_numbers(figure.subplots(), np.array([np.inf]), np.array([]))
    assert "no finite values" in texts(figure)


def test_the_most_frequent_categories_and_the_rest():
    old = pd.Series(
        np.repeat([f"c{i}" for i in range(12)], [40, 20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    )
    bars = list(shares(old, pd.concat([old, pd.Series(["new"] * 3)])))
    assert len(bars) == CATEGORIES + 1
    assert bars[0] == ("c0", 40 / 115, 40 / 118)
    assert ("new", 0.0, 3 / 118) in bars  # rare, but what has changed
    assert bars[-1][0] == "(5 others)"
    assert sum(bar[1] for bar in bars) == pytest.approx(1)
    assert sum(bar[2] for bar in bars) == pytest.approx(1)


def test_figures_do_not_pile_up():
    """pyplot warns of a leak from the 21st figure on."""
    before = plt.get_fignums()
    report = compare(numbers(), numbers(shift=2))
    for _ in range(25):
        report.plot()
    assert plt.get_fignums() == before


CELL = """
import pandas as pd
from course_utils.drift import compare
column = pd.DataFrame({"x": range(0, 90, 3)}).sample(frac=1, random_state=0)
report = compare(column, column * 2, keep=["x"])
"""


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:Proactor event loop")  # Jupyter's on Windows
@pytest.mark.parametrize("first", ["", "import matplotlib.pyplot as plt; _ = plt.plot([1])\n"])
def test_a_notebook_shows_it_once(first: str):
    cells = [nbformat.v4.new_code_cell(code) for code in (first, CELL, "report.plot()", "1 + 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    pictures = [
        [output for output in cell.outputs if "image/png" in output.get("data", {})]
        for cell in notebook.cells
    ]
    assert list(map(len, pictures)) == [int(bool(first)), 0, 1, 0]
