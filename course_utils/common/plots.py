"""What the plots of all reports share: colours, labels of any text, common bins, PNG files."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

BINS = 40
SEEN = 0.95  # of either side's values that are drawn however long the tails are
FINEST = 1e-9  # of the values' magnitude; narrower bins float64 can hardly tell apart
OLD, NEW = "#9fb7cf", "#8c2d04"
SMALL = 8.5  # points
Floats = NDArray[np.float64]

# Asked for the characters that matplotlib's own font lacks; those with outlines, which it can draw.
FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "PingFang SC"),
    *("Hiragino Sans GB", "Arial Unicode MS", "Microsoft YaHei", "Malgun Gothic"),
    *("Segoe UI Emoji", "Noto Emoji"),
)


class Labels:
    """Text from the data, made fit for a picture."""

    def __init__(self) -> None:
        installed = set(font_manager.get_font_names())
        families = [*rcParams["font.family"], *(name for name in FALLBACKS if name in installed)]
        files = [font_manager.findfont(FontProperties(family=[name])) for name in families]
        self.known = {code for f in files for code in font_manager.get_font(f).get_charmap()}
        self.style: dict[str, Any] = {"fontfamily": families, "parse_math": False, "usetex": False}
        """For matplotlib's text: a ``$`` is a dollar."""

    def __call__(self, text: str, length: int = 26) -> str:
        """Without line breaks and what no font has, at most ``length`` characters, cut amid."""
        text = " ".join(text.split()) or "(no name)"
        if len(text) > length:
            text = f"{text[: length // 2]}…{text[len(text) - (length - 1) // 2 :]}"
        box = "□" if ord("□") in self.known else "?"
        return "".join(letter if ord(letter) in self.known else box for letter in text)

    def all(self, texts: Sequence[str], length: int = 26) -> list[str]:
        """The same for several that stand together and should differ."""
        short = {text: self(text, length) for text in texts}
        alike = [text for text, cut in short.items() if list(short.values()).count(cut) > 1]
        if alike:
            pairs = zip(min(alike), max(alike), strict=False)
            same = next((i for i, (a, b) in enumerate(pairs) if a != b), len(min(alike)))
            for text in alike if same > 5 else ():
                short[text] = self(f"{text[:4]}…{text[same:]}", length)
        return [short[text] for text in texts]


def plain(ax: Axes) -> None:
    """Take away the lines that say nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)


@dataclass(frozen=True)
class Histogram:
    """Two samples in common bins; densities over all values, those outside the bins included."""

    edges: Floats
    densities: tuple[Floats, Floats]
    outside: float
    """Share of both samples' values that lie outside, infinite ones among them."""


def histogram(old: Floats, new: Floats) -> Histogram | None:
    """Common bins that a few far outliers do not stretch; None where nothing is finite."""
    sides = [side[~np.isnan(side)] for side in (old, new)]
    finite = [side[np.isfinite(side)].clip(-1e300, 1e300) for side in sides]  # spans must not burst
    values = np.concatenate(finite)
    if not len(values):
        return None
    edges = _edges(values, *reach(finite))
    counts = [np.histogram(side, edges)[0] for side in finite]
    densities = [
        count / max(len(side), 1) / np.diff(edges)
        for count, side in zip(counts, sides, strict=True)
    ]
    inside, rows = sum(int(count.sum()) for count in counts), sum(map(len, sides))
    return Histogram(edges, (densities[0], densities[1]), 1 - inside / rows)


def reach(samples: list[Floats]) -> tuple[float, float]:
    """Where finite samples lie: all values, or without the tails where these are long."""
    sides = [side for side in samples if len(side)]
    low, high = min(side.min() for side in sides), max(side.max() for side in sides)
    lows, highs = zip(*(_fences(side) for side in sides), strict=True)
    inner_low, inner_high = max(low, min(lows)), min(high, max(highs))
    if 0 < 2 * (inner_high - inner_low) < high - low:
        return float(inner_low), float(inner_high)
    return float(low), float(high)


def _fences(side: Floats) -> tuple[float, float]:
    """Tukey's far fences, three interquartile ranges out; never without the bulk of the values."""
    tail = (1 - SEEN) / 2
    least, first, third, most = np.quantile(side, [tail, 0.25, 0.75, 1 - tail])
    return min(least, first - 3 * (third - first)), max(most, third + 3 * (third - first))


def _edges(values: Floats, low: float, high: float) -> Floats:
    """Bins of one width; where the values lie on a grid, each holds as many of its points."""
    bins = int(np.clip(2 * len(values) ** (1 / 3), 8, BINS))  # Rice's rule
    values = np.unique(values[(low <= values) & (values <= high)])
    step = float(np.diff(values).min()) if len(values) > 1 else 0.0
    least = FINEST * max(abs(low), abs(high), FINEST)
    if step > least and (high - low) / step <= 10 * BINS:
        width = step * np.ceil((high - low) / step / bins)
        return np.arange(low - step / 2, high + width, width)
    if high - low <= bins * least:
        middle, half = (low + high) / 2, 0.5 if low == high == 0 else bins * least
        return np.linspace(middle - half, middle + half, bins + 1)
    return np.linspace(low, high, bins + 1)


def png(figure: Figure, dpi: float = 100) -> bytes:
    """The figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()
