"""A notebook's figures: legible from the last row, and in words for who cannot see them."""

import io

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryFormatter
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, NullFormatter

MIN_LETTERS_PT = 11.0
DPI = 100


def show_figure(figure: Figure, alt: str) -> None:
    """Show a figure below the cell, with its text alternative, and close it.

    Letters smaller than eleven points are enlarged. The text goes where screen readers and
    converters of notebooks look for it (``alt`` of the picture), and is the output's plain text.

    Args:
        figure: of matplotlib. It has a title of its own or of one of its axes. Where an axis has
            numbers, the figure says what they count, with the unit.
        alt: what a reader who cannot see the picture should know: its kind, and what it shows.

    Raises:
        ValueError: the figure has no title, numbers without a label, or ``alt`` says nothing.
    """
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    if not any(titles):
        raise ValueError("The figure has no title. State its message: axes.set(title=...).")
    for name, label in (("x", figure.get_supxlabel()), ("y", figure.get_supylabel())):
        numbered = [axes for axes in figure.axes if axes.axison and _has_numbers(axes, name)]
        if numbered and not label and not any(getattr(a, f"get_{name}label")() for a in numbered):
            raise ValueError(
                f"The {name} axis has numbers but no label. Name the quantity and its unit: "
                f"axes.set({name}label=...)."
            )
    if not alt.strip():
        raise ValueError("Describe the figure in `alt` for those who cannot see it.")
    figure.set_layout_engine("constrained")
    for text in figure.findobj(Text):
        if float(text.get_fontsize()) < MIN_LETTERS_PT:
            text.set_fontsize(MIN_LETTERS_PT)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DPI)
    plt.close(figure)  # or it would be shown once more at the end of the cell
    data = {"image/png": png.getvalue(), "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)  # type: ignore[no-untyped-call]


def _has_numbers(axes: Axes, name: str) -> bool:
    """Whether an axis has ticks that are numbers, not names."""
    axis = axes.xaxis if name == "x" else axes.yaxis
    names = (FixedFormatter, NullFormatter, StrCategoryFormatter)
    return len(axis.get_ticklocs()) > 0 and not isinstance(axis.get_major_formatter(), names)
