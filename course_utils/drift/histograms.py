"""Two samples in common bins, as they are drawn before and after."""

from dataclasses import dataclass

import numpy as np

from course_utils.drift.tables import Floats

MAX_BINS = 40
DRAWN_SHARE = 0.95  # of either side's values that are drawn however long the tails are
MIN_RELATIVE_WIDTH = 1e-9  # of a bin, to the values; narrower ones float64 can hardly tell apart


@dataclass(frozen=True)
class Histogram:
    """Two samples in common bins; densities over all values, those outside the bins included."""

    edges: Floats
    densities: tuple[Floats, Floats]
    outside: float
    """Share of both samples' values that lie outside, infinite ones among them."""


def count_in_bins(old: Floats, new: Floats) -> Histogram | None:
    """Count in bins that a few far outliers do not stretch; None where nothing is finite."""
    sides = [side[~np.isnan(side)] for side in (old, new)]
    finite = [side[np.isfinite(side)] for side in sides]
    values = np.concatenate(finite)
    if not len(values):
        return None
    edges = _choose_edges(values, *_choose_range(finite))
    counts = [np.histogram(side, edges)[0] for side in finite]
    densities = [
        count / max(len(side), 1) / np.diff(edges)
        for count, side in zip(counts, sides, strict=True)
    ]
    inside, rows = sum(int(count.sum()) for count in counts), sum(map(len, sides))
    return Histogram(edges, (densities[0], densities[1]), 1 - inside / rows)


def _choose_range(samples: list[Floats]) -> tuple[float, float]:
    """Where finite samples lie: all values, or without the tails where these are long."""
    sides = [side for side in samples if len(side)]
    low, high = min(side.min() for side in sides), max(side.max() for side in sides)
    lows, highs = zip(*(_find_fences(side) for side in sides), strict=True)
    inner_low, inner_high = max(low, min(lows)), min(high, max(highs))
    if 0 < 2 * (inner_high - inner_low) < high - low:
        return float(inner_low), float(inner_high)
    return float(low), float(high)


def _find_fences(side: Floats) -> tuple[float, float]:
    """Tukey's far fences, three interquartile ranges out; never without the bulk of the values."""
    tail = (1 - DRAWN_SHARE) / 2
    least, first, third, most = np.quantile(side, [tail, 0.25, 0.75, 1 - tail])
    return min(least, first - 3 * (third - first)), max(most, third + 3 * (third - first))


def _choose_edges(values: Floats, low: float, high: float) -> Floats:
    """Bins of one width; where the values lie on a grid, each holds as many of its points."""
    bins = int(np.clip(2 * len(values) ** (1 / 3), 8, MAX_BINS))  # Rice's rule
    values = np.unique(values[(low <= values) & (values <= high)])
    step = float(np.diff(values).min()) if len(values) > 1 else 0.0
    least = MIN_RELATIVE_WIDTH * max(abs(low), abs(high), 1e-9)
    if step > least and (high - low) / step <= 10 * MAX_BINS:
        width = step * np.ceil((high - low) / step / bins)
        return np.arange(low - step / 2, high + width, width)
    # Values that are all but equal fill the bin in the middle.
    margin = max(0.5, bins * least) if high - low <= bins * least else 0.0
    return np.linspace(low - margin, high + margin, bins + 1)
