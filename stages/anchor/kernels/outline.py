"""Geometry of one object from its runs: moments, hull, Feret diameters, Crofton perimeter, enclosed background."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(error_model="numpy", nogil=True)
def moments(runs: np.ndarray, out: np.ndarray) -> None:
    """Area, box, centroid and axes of the ellipse with the same second moments, from closed sums over each run.

    Integer sums about the first run's start, so that nothing depends on where in the image the object lies. Every
    pixel is a unit square: its own second moment, 1/12, is added.
    """
    y0, x0 = np.int64(runs[0, 0]), np.int64(runs[0, 1])
    left, right = runs[0, 1], runs[0, 2]
    area, sx, sy, sxx, syy, sxy = 0, 0, 0, 0, 0, 0
    for i in range(runs.shape[0]):
        left, right = min(left, runs[i, 1]), max(right, runs[i, 2])
        n, a, y = np.int64(runs[i, 2] - runs[i, 1]), runs[i, 1] - x0, runs[i, 0] - y0
        along = n * a + n * (n - 1) // 2
        area += n
        sx += along
        sy += n * y
        sxx += n * a * a + a * n * (n - 1) + (n - 1) * n * (2 * n - 1) // 6
        syy += n * y * y
        sxy += y * along
    x, y = sx / area, sy / area
    xx, yy, xy = (sxx - sx * x) / area, (syy - sy * y) / area, -(sxy - sx * y) / area
    spread, mean = math.hypot((xx - yy) / 2, xy), (xx + yy) / 2
    large, small = mean + spread + 1 / 12, max(mean - spread, 0.0) + 1 / 12
    out.area_px = area
    out.x0, out.y0, out.x1, out.y1 = left, runs[0, 0], right, runs[runs.shape[0] - 1, 0] + 1
    out.centroid_x_px, out.centroid_y_px = x + x0 + 0.5, y + y0 + 0.5
    out.equivalent_diameter_px = math.sqrt(4 * area / math.pi)
    out.major_axis_px, out.minor_axis_px = 4 * math.sqrt(large), 4 * math.sqrt(small)
    out.orientation_deg = math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) % 180.0
    out.eccentricity = math.sqrt(max(0.0, 1 - small / large))
    if small - 1 / 12 >= 1e-9:
        out.elongation = math.sqrt(large / small)


@njit(error_model="numpy", nogil=True)
def row_extremes(runs: np.ndarray, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[int, bool]:
    """Fill row, least start and greatest stop of every row that has pixels; return their number and whether it is simple.

    Simple: every row of the box has one run, and runs of neighbouring rows touch, at a corner at least.
    """
    n, simple = 0, True
    for i in range(runs.shape[0]):
        y, a, b = runs[i]
        if n and rows[n - 1] == y:
            last[n - 1] = b
            simple = False
            continue
        if n and (rows[n - 1] != y - 1 or a > last[n - 1] or first[n - 1] > b):
            simple = False
        rows[n], first[n], last[n] = y, a, b
        n += 1
    return n, simple


@njit(error_model="numpy", nogil=True)
def hull(rows: np.ndarray, first: np.ndarray, last: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
    """Corners of the convex hull of the pixel squares into ``x`` and ``y``, down its left side and up its right one.

    Andrew's monotone chain (1979) over the extremes of the rows, which are sorted already; returns the number of corners.
    """
    m = _side(rows, first, x, y, np.int64(0), np.int64(1))
    k = _side(rows, last, x, y, m, np.int64(-1))
    for i in range((k - m) // 2):
        p, q = m + i, k - 1 - i
        x[p], x[q], y[p], y[q] = x[q], x[p], y[q], y[p]
    return k


@njit(error_model="numpy", nogil=True)
def _side(rows: np.ndarray, edge: np.ndarray, x: np.ndarray, y: np.ndarray, begin: int, sign: int) -> int:
    """One side of the hull from top to bottom, written from ``begin`` on; ``sign`` is 1 for the left one, -1 for the right."""
    n, k = rows.size, begin
    for i in range(n):
        joined = i > 0 and rows[i - 1] == rows[i] - 1
        for lower in range(2):
            if lower == 0:
                px = sign * edge[i]
                if joined:
                    px = min(px, sign * edge[i - 1])
            elif i + 1 < n and rows[i + 1] == rows[i] + 1:
                continue
            else:
                px = sign * edge[i]
            py = np.int64(rows[i]) + lower
            while k - begin >= 2 and (sign * x[k - 1] - sign * x[k - 2]) * (py - y[k - 1]) >= (px - sign * x[k - 1]) * (y[k - 1] - y[k - 2]):
                k -= 1
            x[k], y[k] = sign * px, py
            k += 1
    return k


@njit(error_model="numpy", nogil=True)
def feret(x: np.ndarray, y: np.ndarray, row_size: float, column_size: float) -> tuple[float, float]:
    """Greatest and least caliper width of a convex polygon whose unit squares measure ``row_size`` by ``column_size``.

    Rotating calipers (Shamos 1978; Toussaint 1983). Which corners face each other does not change with the sizes, so
    the integer polygon decides it exactly.
    """
    n = x.size
    far, longest, least = np.int64(1), 0.0, np.inf
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        ex, ey = x[j] - x[i], y[j] - y[i]
        height = abs(ex * (y[far] - y[i]) - ey * (x[far] - x[i]))
        while True:
            after = far + 1 if far + 1 < n else 0
            next_height = abs(ex * (y[after] - y[i]) - ey * (x[after] - x[i]))
            if next_height <= height:
                break
            height, far = next_height, after
        longest = max(longest, _squared(x, y, i, far, row_size, column_size), _squared(x, y, j, far, row_size, column_size))
        least = min(least, np.float64(height) * height / ((ex * column_size) ** 2 + (ey * row_size) ** 2))
    return math.sqrt(longest), math.sqrt(least) * row_size * column_size


@njit(error_model="numpy", nogil=True)
def _squared(x: np.ndarray, y: np.ndarray, i: int, j: int, row_size: float, column_size: float) -> float:
    return ((x[i] - x[j]) * column_size) ** 2 + ((y[i] - y[j]) * row_size) ** 2


@njit(error_model="numpy", nogil=True)
def hull_area(x: np.ndarray, y: np.ndarray) -> float:
    """Area of a simple polygon by the shoelace formula."""
    twice = np.int64(0)
    for i in range(x.size):
        j = i + 1 if i + 1 < x.size else 0
        twice += x[i] * y[j] - x[j] * y[i]
    return abs(twice) / 2


@njit(error_model="numpy", nogil=True)
def hull_crossings(rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> float:
    """Crossings of the hull with rows and columns, plus those with both diagonals over sqrt(2).

    Every line that meets a convex outline crosses it twice, so the lines between the extremes are counted (Cauchy).
    """
    left, right = first[0], last[0]
    low, high, low_sum, high_sum = rows[0] - last[0], rows[0] - first[0], rows[0] + first[0], rows[0] + last[0]
    for i in range(rows.size):
        left, right = min(left, first[i]), max(right, last[i])
        low, high = min(low, rows[i] - last[i]), max(high, rows[i] - first[i])
        low_sum, high_sum = min(low_sum, rows[i] + first[i]), max(high_sum, rows[i] + last[i])
    straight = rows[rows.size - 1] - rows[0] + 1 + right - left
    return 2 * straight + 2 * (high - low + high_sum - low_sum) / math.sqrt(2)


@njit(error_model="numpy", nogil=True)
def enclosed_px(runs: np.ndarray, rows: np.ndarray, first: np.ndarray, last: np.ndarray, parent: np.ndarray, begins: np.ndarray) -> int:
    """Pixels of background that no 4-connected path leads out of: a union-find over the gaps between runs of a row.

    ``parent`` (runs + 1) and ``begins`` (rows + 1) are scratch; element 0 of ``parent`` is the outside. Gap k lies between
    runs k - 1 and k, when both are in one row.
    """
    m = rows.size
    k = 0
    for i in range(m):
        begins[i] = k
        while k < runs.shape[0] and runs[k, 0] == rows[i]:
            parent[k] = k
            k += 1
    begins[m] = k
    parent[0] = 0
    for i in range(m):
        for side in (-1, 1):
            other = i + side
            near = 0 <= other < m and rows[other] == rows[i] + side
            for gap in range(begins[i] + 1, begins[i + 1]):
                if not near or runs[gap - 1, 2] < first[other] or runs[gap, 1] > last[other]:
                    parent[_root(parent, gap)] = 0
        if i > 0 and rows[i - 1] == rows[i] - 1:
            _join_gaps(runs, parent, begins[i - 1] + 1, begins[i], begins[i] + 1, begins[i + 1])
    enclosed = 0
    for i in range(m):
        for gap in range(begins[i] + 1, begins[i + 1]):
            if _root(parent, gap) != 0:
                enclosed += runs[gap, 1] - runs[gap - 1, 2]
    return enclosed


@njit(error_model="numpy", nogil=True)
def _join_gaps(runs: np.ndarray, parent: np.ndarray, p: int, p_end: int, q: int, q_end: int) -> None:
    """Unite gaps p.. of one row with gaps q.. of the next where they share a column."""
    while p < p_end and q < q_end:
        if max(runs[p - 1, 2], runs[q - 1, 2]) < min(runs[p, 1], runs[q, 1]):
            a, b = _root(parent, p), _root(parent, q)
            parent[max(a, b)] = min(a, b)
        if runs[p, 1] < runs[q, 1]:
            p += 1
        else:
            q += 1


@njit(error_model="numpy", nogil=True)
def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
