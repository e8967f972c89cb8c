"""Masks to runs: (row, start, stop) of every maximal stretch of one object's pixels in one row.

All geometry and all grey levels of the pass are read from runs, so its time grows with pixels scanned once plus runs.
A function called with a number in one place and a variable in another is compiled for both, so numbers come in their types.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_BLOCK, _PART = 32, 8


@njit(error_model="numpy", nogil=True)
def _end_of_run(row: np.ndarray, start: int, value: int) -> int:
    """First column after ``start`` whose label is not ``value``; whole blocks are compared at once."""
    column, width = start, row.size
    while column + _BLOCK <= width:
        block = row[column : column + _BLOCK]
        differ = np.int32(0)
        for k in range(_BLOCK):
            differ |= block[k] ^ value
        if differ != 0:
            break
        column += _BLOCK
    while column + _PART <= width:
        part = row[column : column + _PART]
        differ = np.int32(0)
        for k in range(_PART):
            differ |= part[k] ^ value
        if differ != 0:
            break
        column += _PART
    while column < width and row[column] == value:
        column += 1
    return column


@njit(error_model="numpy", nogil=True)
def _resized(table: np.ndarray, used: int, size: int) -> np.ndarray:
    """The first ``used`` rows in a table of ``size``. A loop: to assign a slice, its error messages get compiled as well."""
    other = np.empty((size, 4), np.int32)
    for i in range(used):
        for k in range(4):
            other[i, k] = table[i, k]
    return other


@njit(cache=True, error_model="numpy", nogil=True)
def scan(labels: np.ndarray) -> np.ndarray:
    """Runs (m, 4) of a C-contiguous int32 label map as (label, row, start, stop), in raster order; 0 is background."""
    height, width = labels.shape
    table = np.empty((8 * height + 64, 4), np.int32)
    n = np.int64(0)
    for y in range(height):
        row = labels[y]
        column = _end_of_run(row, np.int64(0), np.int32(0))
        while column < width:
            value = row[column]
            stop = _end_of_run(row, column, value)
            if n == table.shape[0]:
                table = _resized(table, n, 2 * n)
            table[n, 0], table[n, 1], table[n, 2], table[n, 3] = value, y, column, stop
            n += 1
            column = stop if stop < width and row[stop] != 0 else _end_of_run(row, stop, np.int32(0))
    return _resized(table, n, n)


@njit(cache=True, error_model="numpy", nogil=True)
def grouped(table: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels present (n,), where the runs of each begin (n + 1,), and the runs (m, 3) as (row, start, stop).

    ``table`` is that of ``scan`` with labels from 1 to ``largest``. A counting sort: linear in runs plus ``largest``.
    """
    place = np.zeros(largest + 2, np.int64)
    for i in range(table.shape[0]):
        place[table[i, 0] + 1] += 1
    n = 0
    for value in range(1, largest + 1):
        n += place[value + 1] > 0
    present, offsets = np.empty(n, np.int32), np.zeros(n + 1, np.int64)
    n = 0
    for value in range(1, largest + 1):
        count = place[value + 1]
        place[value + 1] += place[value]
        if count > 0:
            present[n] = value
            offsets[n + 1] = offsets[n] + count
            n += 1
    runs = np.empty((table.shape[0], 3), np.int32)
    for i in range(table.shape[0]):
        at = place[table[i, 0]]
        place[table[i, 0]] += 1
        runs[at, 0], runs[at, 1], runs[at, 2] = table[i, 1], table[i, 2], table[i, 3]
    return present, offsets, runs


@njit(error_model="numpy", nogil=True)
def _count_runs(pixels: np.ndarray, width: int) -> int:
    """Number of runs in a mask stored row by row in ``pixels``."""
    n = 0
    for i in range(pixels.size):
        n += pixels[i] != 0 and (i % width == 0 or pixels[i - 1] == 0)
    return n


@njit(cache=True, error_model="numpy", nogil=True)
def runs_of_crops(pixels: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the runs of each crop begin (n + 1,), and the runs (m, 3) as (row, start, stop) of the image.

    ``pixels`` holds the crops' masks (uint8, 0 or 1) one after the other, ``frames`` (n, 4, int64) the row and column
    of each crop's upper left pixel in the image, its height and its width.
    """
    n = frames.shape[0]
    offsets = np.zeros(n + 1, np.int64)
    at = 0
    for i in range(n):
        size = frames[i, 2] * frames[i, 3]
        offsets[i + 1] = offsets[i] + _count_runs(pixels[at : at + size], frames[i, 3])
        at += size
    runs = np.empty((offsets[n], 3), np.int32)
    at, k = 0, 0
    for i in range(n):
        top, left, height, width = frames[i]
        for y in range(height):
            row = pixels[at : at + width]
            at += width
            x = 0
            while x < width:
                if row[x] == 0:
                    x += 1
                    continue
                start = x
                while x < width and row[x] != 0:
                    x += 1
                runs[k, 0], runs[k, 1], runs[k, 2] = top + y, left + start, left + x
                k += 1
    return offsets, runs
