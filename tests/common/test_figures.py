"""A figure shown in a notebook has a title, letters that can be read, and words for its picture."""

import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output

from course_utils.common import show_figure


def show(
    alt: str, title: str = "Heavier cars go less far", ylabel: str = "miles per gallon"
) -> tuple[RichOutput, plt.Figure]:
    """What a cell shows, and the figure."""
    figure, axes = plt.subplots()
    axes.plot([1, 2], label="cars")
    axes.set(title=title, xlabel="weight (pounds)", ylabel=ylabel)
    axes.legend(fontsize=6)
    InteractiveShell.instance()
    with capture_output() as captured:
        show_figure(figure, alt)
    return captured.outputs[0], figure


def test_the_picture_comes_with_its_alternative() -> None:
    output, figure = show("A line that rises from 1 to 2.")
    assert output.data["image/png"].startswith(b"\x89PNG")
    assert output.data["text/plain"] == "A line that rises from 1 to 2."
    assert output.metadata == {"image/png": {"alt": "A line that rises from 1 to 2."}}
    assert not plt.fignum_exists(figure.number)


def test_small_letters_are_enlarged_and_large_ones_stay() -> None:
    _, figure = show("A line.")
    axes = figure.axes[0]
    assert axes.get_legend().get_texts()[0].get_fontsize() == 11
    assert {label.get_fontsize() for label in axes.get_xticklabels()} == {11}
    assert axes.title.get_fontsize() == 12


@pytest.mark.parametrize(
    ("title", "alt", "message"),
    [("", "A line.", "has no title"), ("Heavier cars go less far", " ", "Describe the figure")],
)
def test_what_is_missing_is_said(title: str, alt: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        show(alt, title)


def test_numbers_on_an_axis_need_a_label_and_names_do_not() -> None:
    with pytest.raises(ValueError, match="The y axis has numbers but no label"):
        show("A line.", ylabel="")
    figure, axes = plt.subplots()
    axes.barh(["by hand", "course"], [3, 1])
    axes.set(title="The course's is faster", xlabel="time (seconds)")
    with capture_output() as captured:
        show_figure(figure, "Two bars.")
    assert len(captured.outputs) == 1
