"""A notebook's figures: legible from the last row, and in words for who cannot see them."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_LETTERS_PT = 11.0
DPI = 100


def show_figure(figure: "Figure", alt: str) -> None:
    """Show a figure below the cell, with its text alternative, and close it.

    Letters smaller than eleven points are enlarged. The text goes where screen readers and
    converters of notebooks look for it (``alt`` of the picture), and is the output's plain text.

    Args:
        figure: of matplotlib; it has a title of its own or of one of its axes.
        alt: what a reader who cannot see the picture should know: its kind, and what it shows.

    Raises:
        ValueError: the figure has no title, or ``alt`` says nothing.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display
    from matplotlib.text import Text

    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    if not any(titles):
        raise ValueError("The figure has no title. State its message: axes.set(title=...).")
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
