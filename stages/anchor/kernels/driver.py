"""All measures of all objects of one picture, one row of a structured array an object."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from stages.anchor.kernels.greys import count_inside, count_ring, count_ring_of_simple, neighbours, paint, reach_of, statistics
from stages.anchor.kernels.outline import enclosed_px, feret, hull, hull_area, hull_crossings, moments, row_extremes
from stages.anchor.kernels.runs import grouped, runs_of_crops, scan

__all__ = ["grouped", "measure_runs", "runs_of_crops", "scan"]


@njit(cache=True, error_model="numpy", nogil=True)
def measure_runs(runs: np.ndarray, offsets: np.ndarray, groups: np.ndarray, grey: np.ndarray, ring_px: int, row_mm: float, column_mm: float, out: np.ndarray) -> None:
    """Fill ``out`` (n,) of ``measure.FIELDS`` for the objects whose runs lie between ``offsets`` (n + 1).

    ``runs`` (m, 3) int32 are sorted by row and start within an object. ``groups`` (n,) are class numbers from 0 to n - 1:
    rings leave out all objects of their class. ``row_mm`` and ``column_mm`` are NaN where the spacing is unknown. ``grey``
    is (height, width) uint8. Every object has at least one run.
    """
    n = offsets.size - 1
    order, begins = _by_group(runs, offsets, groups, grey.shape[0])
    most = 0
    for i in range(n):
        most = max(most, offsets[i + 1] - offsets[i])
    extremes = np.empty((3, most), np.int32)
    work = np.empty((4, 2 * most + 4), np.int64)
    stretches = np.empty((2, grey.shape[1] + 2), np.int64)
    counts = np.zeros((2, 256), np.int32)
    canvas = np.zeros(grey.shape, np.uint8)
    reach = reach_of(ring_px)
    for group in range(begins.size - 1):
        for k in range(begins[group], begins[group + 1]):
            paint(runs[offsets[order[k]] : offsets[order[k] + 1]], canvas, np.uint8(1))
        for k in range(begins[group], begins[group + 1]):
            own = runs[offsets[order[k]] : offsets[order[k] + 1]]
            rows, simple = _geometry(own, extremes, work, row_mm, column_mm, out[order[k]])
            _neighbourhood(own, grey, row_mm, column_mm, out[order[k]])
            count_inside(own, grey, counts)
            _inside(counts, out[order[k]])
            if simple:
                count_ring_of_simple(extremes[0, :rows], extremes[1, :rows], extremes[2, :rows], reach, grey, canvas, counts)
            else:
                count_ring(own, reach, grey, canvas, counts, stretches[0], stretches[1])
            _ring(counts, out[order[k]])
        for k in range(begins[group], begins[group + 1]):
            paint(runs[offsets[order[k]] : offsets[order[k] + 1]], canvas, np.uint8(0))


@njit(error_model="numpy", nogil=True)
def _by_group(runs: np.ndarray, offsets: np.ndarray, groups: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Objects sorted by group, then by their first row, and where each group begins.

    From top to bottom, so that a large picture passes through the processor's cache once.
    """
    first_rows = np.empty(groups.size, np.int64)
    for i in range(groups.size):
        first_rows[i] = runs[offsets[i], 0]
    from_top, _ = _counting_sort(np.arange(groups.size), first_rows, height)
    last = -1
    for i in range(groups.size):
        last = max(last, groups[i])
    return _counting_sort(from_top, groups, last + 1)


@njit(error_model="numpy", nogil=True)
def _counting_sort(items: np.ndarray, keys: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """``items`` by ``keys[item]``, otherwise in the order given, and where each key begins (n_keys + 1,)."""
    begins = np.zeros(n_keys + 1, np.int64)
    for i in range(items.size):
        begins[keys[items[i]] + 1] += 1
    for key in range(n_keys):
        begins[key + 1] += begins[key]
    order, place = np.empty(items.size, np.int64), begins.copy()
    for i in range(items.size):
        order[place[keys[items[i]]]] = items[i]
        place[keys[items[i]]] += 1
    return order, begins


@njit(error_model="numpy", nogil=True)
def _blank(out: np.ndarray) -> None:
    """NaN in the fields that not every object gets a value for."""
    out.area_mm2, out.equivalent_diameter_mm, out.feret_max_mm, out.feret_min_mm, out.perimeter_mm = np.nan, np.nan, np.nan, np.nan, np.nan
    out.elongation, out.texture, out.contrast_to_noise, out.robust_contrast_to_noise = np.nan, np.nan, np.nan, np.nan


@njit(error_model="numpy", nogil=True)
def _geometry(runs: np.ndarray, extremes: np.ndarray, work: np.ndarray, row_mm: float, column_mm: float, out: np.ndarray) -> tuple[int, bool]:
    """Box, moments, hull, Feret diameters and enclosed background of one object; its number of rows, and whether it is simple."""
    _blank(out)
    moments(runs, out)
    n, simple = row_extremes(runs, extremes[0], extremes[1], extremes[2])
    rows, first, last = extremes[0, :n], extremes[1, :n], extremes[2, :n]
    corners = hull(rows, first, last, work[0], work[1])
    x, y = work[0, :corners], work[1, :corners]
    out.solidity = out.area_px / hull_area(x, y)
    out.feret_max_px, out.feret_min_px = feret(x, y, 1.0, 1.0)
    if not math.isnan(row_mm):
        out.area_mm2 = out.area_px * row_mm * column_mm
        out.equivalent_diameter_mm = math.sqrt(4 * out.area_mm2 / math.pi)
        out.feret_max_mm, out.feret_min_mm = feret(x, y, row_mm, column_mm)
    # Held here until the perimeter is known.
    out.convexity = math.pi / 8 * hull_crossings(rows, first, last)
    enclosed = 0 if simple else enclosed_px(runs, rows, first, last, work[2], work[3])
    out.enclosed_share = enclosed / (enclosed + out.area_px)
    return n, simple


@njit(error_model="numpy", nogil=True)
def _neighbourhood(runs: np.ndarray, grey: np.ndarray, row_mm: float, column_mm: float, out: np.ndarray) -> None:
    """Crofton perimeter and what follows from it, texture, contact with the border."""
    below, falling, rising, differences, pairs = neighbours(runs, grey)
    area = np.int64(out.area_px)
    along, down, diagonal = 2 * runs.shape[0], 2 * (area - below), 4 * area - 2 * (falling + rising)
    out.perimeter_px = math.pi / 8 * (along + down + diagonal / math.sqrt(2))
    out.circularity = min(1.0, 4 * math.pi * area / out.perimeter_px**2)
    out.convexity = min(1.0, out.convexity / out.perimeter_px)
    if not math.isnan(row_mm):
        slope = math.atan2(row_mm, column_mm) / math.pi
        between = row_mm * column_mm / math.hypot(row_mm, column_mm)
        out.perimeter_mm = math.pi / 2 * (slope * row_mm * along + (0.5 - slope) * column_mm * down + 0.25 * between * diagonal)
    if pairs > 0:
        out.texture = differences / pairs
    height, width = grey.shape
    out.border = (out.x0 == 0) + 2 * (out.x1 == width) + 4 * (out.y0 == 0) + 8 * (out.y1 == height)
    out.fraction_of_image = area / (height * width)


@njit(error_model="numpy", nogil=True)
def _inside(counts: np.ndarray, out: np.ndarray) -> None:
    _, out.mean, out.std, out.median, out.mad = statistics(counts)


@njit(error_model="numpy", nogil=True)
def _ring(counts: np.ndarray, out: np.ndarray) -> None:
    """Grey levels of the ring, and contrasts to it; NaN where the ring is empty or even."""
    out.ring_px, out.ring_mean, out.ring_std, out.ring_median, out.ring_mad = statistics(counts)
    out.contrast = out.mean - out.ring_mean
    out.robust_contrast = out.median - out.ring_median
    if out.ring_std > 0:
        out.contrast_to_noise = out.contrast / out.ring_std
    if out.ring_mad > 0:
        out.robust_contrast_to_noise = out.robust_contrast / (1.4826 * out.ring_mad)
