"""The palette of a compressed tensor: few values that stand for many.

coremltools can cluster by itself, but takes a minute for MobileNet's 256 values a tensor; numbers
on a line need no search among all of them.
"""

import heapq

import numpy as np

ROUNDS = 200  # of Lloyd's algorithm; it settles before


def palette(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Cluster the numbers of a tensor by k-means (Lloyd 1982), from a start by splitting.

    Args:
        weight: floating point, of any shape.
        bits: 2 to this power is the number of clusters.

    Returns:
        The clusters' means, ``(2 ** bits,)`` in the type of ``weight``, and for each number of the
        flattened tensor the position of its own, in uint8.
    """
    rounded = weight.ravel().astype(np.float16).astype(np.float64)  # so that there are few
    values, position, counts = np.unique(rounded, return_inverse=True, return_counts=True)
    sums = [np.concatenate([[0], np.cumsum(counts * values**power)]) for power in (0, 1, 2)]
    edges = _split(values, sums, 1 << bits)
    for _ in range(ROUNDS):
        means = np.diff(sums[1][edges]) / np.diff(sums[0][edges])
        halfway = np.searchsorted(values, (means[1:] + means[:-1]) / 2)
        moved = np.concatenate([[0], halfway, [len(values)]])
        if np.array_equal(moved, edges) or not np.diff(moved).all():  # a cluster would be empty
            break
        edges = moved
    table = np.zeros(1 << bits, weight.dtype)
    table[: len(means)] = means
    nearest = np.repeat(np.arange(len(means)), np.diff(edges))
    return table, nearest[position].astype(np.uint8)


def _split(values: np.ndarray, sums: list[np.ndarray], clusters: int) -> np.ndarray:
    """Edges of the clusters: the one with the largest error is split at its mean, again and again.

    ``sums`` are the running sums of the counts, of the values and of their squares.
    """

    def segment(start: int, end: int) -> tuple[float, int, int, int]:
        """By error; where that is lost in rounding, by length: one value cannot be split."""
        number, total, squares = (s[end] - s[start] for s in sums)
        error = squares - total**2 / number if end - start > 1 else 0.0
        return (-max(error, 0.0), start - end, start, end)

    heap = [segment(0, len(values))]
    while len(heap) < min(clusters, len(values)):
        _, _, start, end = heapq.heappop(heap)
        mean = (sums[1][end] - sums[1][start]) / (sums[0][end] - sums[0][start])
        middle = start + int(np.searchsorted(values[start:end], mean, side="right"))
        middle = min(max(middle, start + 1), end - 1)
        heapq.heappush(heap, segment(start, middle))
        heapq.heappush(heap, segment(middle, end))
    return np.array([*sorted(start for _, _, start, _ in heap), len(values)])
