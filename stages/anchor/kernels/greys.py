"""Grey levels of one object and of its ring, from its runs: histograms first, every statistic from them.

Counts are integers, so the results are exact whatever the order of the pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(error_model="numpy", nogil=True)
def count_inside(runs: np.ndarray, grey: np.ndarray, counts: np.ndarray) -> None:
    """Add the object's grey levels to ``counts`` (2, 256); two rows, because equal neighbours wait for one another."""
    even, odd = counts[0], counts[1]
    for i in range(runs.shape[0]):
        levels = grey[runs[i, 0], runs[i, 1] : runs[i, 2]]
        for k in range(levels.size // 2):
            even[levels[2 * k]] += 1
            odd[levels[2 * k + 1]] += 1
        if levels.size % 2:
            even[levels[levels.size - 1]] += 1


@njit(error_model="numpy", nogil=True)
def neighbours(runs: np.ndarray, grey: np.ndarray) -> tuple[int, int, int, int, int]:
    """Pairs of pixels inside the object along columns and both diagonals; sum of grey differences and number of 4-neighbour pairs.

    Runs of a row are compared with those of the next one, two pointers side by side.
    """
    below, falling, rising, differences, pairs, j = 0, 0, 0, np.int64(0), 0, 0
    n = runs.shape[0]
    for i in range(n):
        y, a, b = runs[i]
        differences += _difference(grey[y, a : b - 1], grey[y, a + 1 : b])
        pairs += b - a - 1
        while j < n and (runs[j, 0] <= y or (runs[j, 0] == y + 1 and runs[j, 2] < a)):
            j += 1
        t = j
        while t < n and runs[t, 0] == y + 1 and runs[t, 1] <= b:
            c, d = runs[t, 1], runs[t, 2]
            start, stop = max(a, c), min(b, d)
            if stop > start:
                below += stop - start
                differences += _difference(grey[y, start:stop], grey[y + 1, start:stop])
            falling += max(0, min(b + 1, d) - max(a + 1, c))
            rising += max(0, min(b - 1, d) - max(a - 1, c))
            t += 1
    return below, falling, rising, differences, pairs + below


@njit(error_model="numpy", nogil=True)
def _difference(one: np.ndarray, other: np.ndarray) -> int:
    total = np.int32(0)
    for k in range(one.size):
        total += abs(np.int32(one[k]) - np.int32(other[k]))
    return total


@njit(error_model="numpy", nogil=True)
def paint(runs: np.ndarray, canvas: np.ndarray, value: int) -> None:
    """Set the object's pixels of ``canvas`` (height, width) to ``value``."""
    for i in range(runs.shape[0]):
        canvas[runs[i, 0], runs[i, 1] : runs[i, 2]] = value


@njit(error_model="numpy", nogil=True)
def reach_of(radius: int) -> np.ndarray:
    """How far a disc of the integer radius reaches along each of its 2 radius + 1 rows."""
    reach = np.zeros(2 * radius + 1, np.int32)
    for dy in range(-radius, radius + 1):
        dx = 0
        while (dx + 1) * (dx + 1) + dy * dy <= radius * radius:
            dx += 1
        reach[dy + radius] = dx
    return reach


@njit(error_model="numpy", nogil=True)
def _count_free(grey: np.ndarray, canvas: np.ndarray, y: int, start: int, stop: int, counts: np.ndarray) -> None:
    """Add the grey levels of row ``y`` from ``start`` to ``stop``, cut at the image's border, where the canvas is 0."""
    start, stop = max(start, 0), min(stop, grey.shape[1])
    if stop <= start:
        return
    levels, taken = grey[y, start:stop], canvas[y, start:stop]
    even, odd = counts[0], counts[1]
    for k in range(levels.size // 2):
        even[levels[2 * k]] += 1 - np.int32(taken[2 * k])
        odd[levels[2 * k + 1]] += 1 - np.int32(taken[2 * k + 1])
    if levels.size % 2:
        even[levels[levels.size - 1]] += 1 - np.int32(taken[levels.size - 1])


@njit(error_model="numpy", nogil=True)
def count_ring_of_simple(rows: np.ndarray, first: np.ndarray, last: np.ndarray, reach: np.ndarray, grey: np.ndarray, canvas: np.ndarray, counts: np.ndarray) -> None:
    """Ring of an object with one run a row, each touching the next: its dilation by a disc has one run a row as well."""
    radius, n, top = reach.size // 2, rows.size, np.int64(rows[0])
    for y in range(max(0, top - radius), min(np.int64(grey.shape[0]), top + n + radius)):
        low, high = max(0, y - radius - top), min(n, y + radius + 1 - top)
        # Slices, so that the loop's indices are known to be positive and it runs on vectors.
        begins, ends, wide = first[low:high], last[low:high], reach[low + top + radius - y : high + top + radius - y]
        start, stop = begins[0], ends[0]
        for k in range(begins.size):
            start = min(start, np.int32(begins[k] - wide[k]))
            stop = max(stop, np.int32(ends[k] + wide[k]))
        own = y - top
        if 0 <= own < n:
            _count_free(grey, canvas, y, np.int64(start), np.int64(first[own]), counts)
            _count_free(grey, canvas, y, np.int64(last[own]), np.int64(stop), counts)
        else:
            _count_free(grey, canvas, y, np.int64(start), np.int64(stop), counts)


@njit(error_model="numpy", nogil=True)
def count_ring(runs: np.ndarray, reach: np.ndarray, grey: np.ndarray, canvas: np.ndarray, counts: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> None:
    """Ring of any object: the runs of its dilation by a disc, row by row, without the painted pixels of ``canvas``.

    ``starts`` and ``stops`` (image width + 1) are scratch: the disjoint stretches of one row of the dilation.
    """
    radius, n, height = reach.size // 2, runs.shape[0], grey.shape[0]
    low, high = 0, 0
    y = max(0, np.int64(runs[0, 0]) - radius)
    while y < height:
        while low < n and runs[low, 0] < y - radius:
            low += 1
        if low == n:
            return
        y = max(y, np.int64(runs[low, 0]) - radius)
        while high < n and runs[high, 0] <= y + radius:
            high += 1
        i, start, stop = low, grey.shape[1], 0
        while i < high:
            wide = reach[runs[i, 0] - y + radius]
            a, b = runs[i, 1] - wide, runs[i, 2] + wide
            if i > low and (a > stop or b < start):
                break
            start, stop = min(start, a), max(stop, b)
            i += 1
        if i == high:  # One stretch, as in most rows of most objects.
            _count_free(grey, canvas, y, start, stop, counts)
        else:
            found = np.int64(0)
            for i in range(low, high):
                wide = reach[runs[i, 0] - y + radius]
                found = _insert(starts, stops, found, runs[i, 1] - wide, runs[i, 2] + wide)
            for i in range(found):
                _count_free(grey, canvas, y, starts[i], stops[i], counts)
        y += 1


@njit(error_model="numpy", nogil=True)
def _insert(starts: np.ndarray, stops: np.ndarray, n: int, start: int, stop: int) -> int:
    """Unite [start, stop) with n sorted, disjoint stretches in place; return how many there are then."""
    i = 0
    while i < n and stops[i] < start:
        i += 1
    if i == n or starts[i] > stop:
        for k in range(n, i, -1):
            starts[k], stops[k] = starts[k - 1], stops[k - 1]
        starts[i], stops[i] = start, stop
        return n + 1
    j = i
    starts[i] = min(starts[i], start)
    while j + 1 < n and starts[j + 1] <= stop:
        j += 1
    stops[i] = max(stops[j], stop)
    for k in range(j + 1, n):
        starts[k - j + i], stops[k - j + i] = starts[k], stops[k]
    return n - (j - i)


@njit(error_model="numpy", nogil=True)
def statistics(counts: np.ndarray) -> tuple[int, float, float, float, float]:
    """Number, mean, standard deviation, median and median absolute deviation of the levels in ``counts`` (2, 256).

    The counts are summed up and set back to zero. NaN where there is no level. Sums are taken about the median, so
    that equal levels have a deviation of exactly 0. The median of an even number is the mean of the middle two.
    """
    levels = np.empty(256, np.int64)
    n = np.int64(0)
    for g in range(256):
        levels[g] = np.int64(counts[0, g]) + counts[1, g]
        counts[0, g], counts[1, g] = 0, 0
        n += levels[g]
    if n == 0:
        return 0, np.nan, np.nan, np.nan, np.nan
    lower, upper, seen, g = -1, -1, np.int64(0), 0
    while upper < 0:
        seen += levels[g]
        if lower < 0 and 2 * seen >= n:
            lower = g
        if 2 * seen > n:
            upper = g
        g += 1
    s1, s2 = np.int64(0), np.int64(0)
    for g in range(256):
        d = np.int64(g - lower)
        s1 += d * levels[g]
        s2 += d * d * levels[g]
    mean = s1 / n
    deviation = math.sqrt(max(0.0, s2 / n - mean * mean))
    return n, lower + mean, deviation, (lower + upper) / 2, _median_deviation(levels, n, lower + upper)


@njit(error_model="numpy", nogil=True)
def _median_deviation(levels: np.ndarray, n: int, twice_median: int) -> float:
    """Median of |level - median|; deviations are counted in halves, outwards from the median."""
    seen, lower, double = np.int64(0), -1, twice_median % 2
    while True:
        below, above = (twice_median - double) // 2, (twice_median + double) // 2
        if below >= 0:
            seen += levels[below]
        if double > 0 and above < 256:
            seen += levels[above]
        if lower < 0 and 2 * seen >= n:
            lower = double
        if 2 * seen > n:
            return (lower + double) / 4
        double += 2
