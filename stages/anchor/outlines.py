"""The masks of one image, packed for the compiled measures of gaps and overlaps (``kernels.gaps``).

``_starts`` points to each mask's crop in ``_pixels``; ``_columns`` and ``_rows`` are the boundary pixels of all masks in
raster order, and ``_pointers[_pointers[i] + r]`` says where row r of mask i begins among them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

import numpy as np

from stages.anchor.compiled import compiled


@functools.cache
def _kernels() -> ModuleType:
    return compiled("gaps", ("gaps",), _warm)


def _warm(kernels: ModuleType) -> None:
    """Call each entry once, on a single pixel."""
    boxes, pixels, starts = np.array([[0, 0, 1, 1]]), np.ones(1, np.uint8), np.array([0, 1])
    areas, *outline = kernels.boundaries(pixels, starts, boxes)
    packed, no_pairs = (boxes, pixels, starts, *outline), np.zeros((0, 2), np.int64)
    kernels.near_boxes(boxes, np.zeros(1, np.int64), 0.0)
    kernels.pair_gaps(no_pairs, *packed, 1.0, 1.0)
    kernels.nearest(*packed, np.zeros(0, np.int64), np.zeros(1, np.int64), np.ones(1, np.int64), 1.0)
    kernels.fill_holes(np.zeros(1, np.int64), boxes, pixels, starts, pixels, starts, areas)
    kernels.shared_counts(no_pairs, boxes, pixels, starts, pixels, starts)


class Crop(Protocol):
    """A boolean crop (height, width) whose upper left pixel is (``row``, ``column``) of the image."""

    @property
    def row(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def mask(self) -> np.ndarray: ...


class Outlines:
    """The masks of one image, packed for the compiled measures. Indices are places in the given sequence.

    ``boxes`` is int64 (n, 4), [x0, y0, x1, y1] as in ``box_xyxy_px``; ``area_px`` int64 (n,).
    """

    def __init__(self, crops: Sequence[Crop]) -> None:
        self.boxes = np.array([[c.column, c.row, c.column + c.mask.shape[1], c.row + c.mask.shape[0]] for c in crops], np.int64).reshape(-1, 4)
        sizes = (self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1])
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        parts = [crop.mask.ravel() for crop in crops]
        self._pixels = np.concatenate(parts).view(np.uint8) if parts else np.zeros(0, np.uint8)
        self.area_px, self._pointers, self._columns, self._rows = _kernels().boundaries(self._pixels, self._starts, self.boxes)

    def pairs_within(self, gap_px: float) -> np.ndarray:
        """Pairs (k, 2), smaller index first, in order, whose boxes are at most ``gap_px`` apart."""
        order = np.argsort(self.boxes[:, 0], kind="stable")
        pairs = _kernels().near_boxes(self.boxes, order, float(gap_px))
        return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]

    def filled(self, indices: np.ndarray) -> Filled:
        """The masks of some indices with their holes filled."""
        return Filled(self, indices)

    def gaps(self, pairs: np.ndarray, scale_xy: Sequence[float] = (1.0, 1.0)) -> np.ndarray:
        """Gap (k,) of each pair of (k, 2), in pixels or in the units of ``scale_xy`` a pixel; 0 when they touch or overlap."""
        return np.sqrt(_kernels().pair_gaps(pairs, *self._packed, float(scale_xy[0]), float(scale_xy[1])))

    def nearest(self, left_out: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each index its nearest other one (-1: none), the gap in pixels, and whether it is a tie.

        ``left_out`` (k, 2) lists pairs, in both orders, that are no neighbours. Equal gaps go to the closer box centre,
        then to the first in order. A tie: the gap of another one is at most ``ratio`` (from 1 on) times as wide.
        """
        n = len(self.boxes)
        keys = np.unique(left_out[:, 0] * n + left_out[:, 1]) if len(left_out) else np.zeros(0, np.int64)
        order = np.argsort(self.boxes[:, 0], kind="stable")
        reach = np.maximum.accumulate(self.boxes[order, 2])
        found, squared, tied = _kernels().nearest(*self._packed, keys.astype(np.int64), order, reach, float(ratio) ** 2)
        return found, np.sqrt(squared), tied

    @property
    def _packed(self) -> tuple[np.ndarray, ...]:
        return self.boxes, self._pixels, self._starts, self._pointers, self._columns, self._rows


class Filled:
    """Some masks of ``Outlines`` without their holes: background that no 4-connected path leads out of."""

    def __init__(self, outlines: Outlines, indices: np.ndarray) -> None:
        self._outlines, self._indices = outlines, indices
        boxes = outlines.boxes[indices]
        sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        self._starts = np.zeros(len(outlines.boxes), np.int64)
        self._starts[indices] = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(indices) else 0
        self._pixels = np.zeros(int(sizes.sum()), np.uint8)
        self.area_px = outlines.area_px.copy()
        _kernels().fill_holes(indices, outlines.boxes, outlines._pixels, outlines._starts, self._pixels, self._starts, self.area_px)

    def shared_px(self, pairs: np.ndarray) -> np.ndarray:
        """Pixels (k,) of each pair's first mask as it is that lie in the second one filled."""
        o = self._outlines
        return _kernels().shared_counts(pairs, o.boxes, o._pixels, o._starts, self._pixels, self._starts)
