"""Relations between the regions of one image: containment, contact, nearest neighbour.

Only pairs whose boxes are close enough are measured on their masks: boxes bound every gap from below.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.spatial import cKDTree

from stages.anchor.regions import Region
from stages.core.records import Relation

LEAST_OVERLAP_INSIDE = 0.5
TOUCHING_GAP_PX = 3.0
_DIGITS = 4


def relations_of(regions: Sequence[Region], anchor_ids: Sequence[str]) -> list[list[Relation]]:
    """Relations of every region to the others, as ``core.records.Relation`` defines them, sorted by (kind, other).

    Of two regions the one with the smaller filled area is the inner one. A region that contains another, or lies
    in it, is neither its neighbour nor in touch with it: "inside" says more. Ties of the nearest go to the closer
    box centre, then to the first in order.
    """
    measure = _Measure(regions)
    found: list[list[Relation]] = [[] for _ in regions]
    contained: set[tuple[int, int]] = set()

    def record(kind: str, source: int, target: int, overlap: float) -> None:
        gap = round(measure.gap_px(source, target), _DIGITS)
        found[source].append(Relation(kind, anchor_ids[target], gap, round(overlap, _DIGITS)))

    for first, second in measure.pairs_within(TOUCHING_GAP_PX):
        inner, outer = measure.inner_and_outer(first, second)
        overlap = measure.overlap(first, second)
        if overlap >= LEAST_OVERLAP_INSIDE and inner != outer:
            contained |= {(inner, outer), (outer, inner)}
            record("inside", inner, outer, overlap)
            record("containing", outer, inner, overlap)
        elif measure.gap_px(first, second) <= TOUCHING_GAP_PX:
            record("touching", first, second, overlap)
            record("touching", second, first, overlap)
    for source in range(len(regions)):
        target = measure.nearest(source, contained)
        if target is not None:
            record("nearest", source, target, measure.overlap(source, target))
    return [sorted(relations, key=lambda relation: (relation.kind, relation.other)) for relations in found]


class _Outline:
    """What the measures need of one region, each made once and only when asked for."""

    def __init__(self, region: Region) -> None:
        self.region = region

    @functools.cached_property
    def area_px(self) -> int:
        return int(np.count_nonzero(self.region.mask))

    @functools.cached_property
    def filled(self) -> np.ndarray:
        return filled(self.region.mask)

    @functools.cached_property
    def filled_area_px(self) -> int:
        return int(np.count_nonzero(self.filled))

    @functools.cached_property
    def corners(self) -> np.ndarray:
        return boundary_corners(self.region)

    @functools.cached_property
    def tree(self) -> cKDTree:
        return cKDTree(self.corners)


class _Measure:
    """Gaps and overlaps of the regions of one image, each computed once and only when asked for."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._outlines = [_Outline(region) for region in regions]
        self._boxes = np.array([region.box_xyxy_px for region in regions], float).reshape(-1, 4)
        low = np.maximum(self._boxes[:, None, :2], self._boxes[None, :, :2])
        high = np.minimum(self._boxes[:, None, 2:], self._boxes[None, :, 2:])
        self._box_gaps = np.hypot(*np.moveaxis(np.clip(low - high, 0, None), 2, 0))
        self._gaps: dict[tuple[int, int], float] = {}
        self._overlaps: dict[tuple[int, int], float] = {}

    def pairs_within(self, gap_px: float) -> list[tuple[int, int]]:
        """Pairs (smaller index first) whose boxes are at most ``gap_px`` apart, so that their masks may be."""
        first, second = np.nonzero(np.triu(self._box_gaps <= gap_px, k=1))
        return [(int(i), int(j)) for i, j in zip(first, second, strict=True)]

    def inner_and_outer(self, first: int, second: int) -> tuple[int, int]:
        """The region with the smaller filled area, then the other; twice the same index when they are equal."""
        areas = self._outlines[first].filled_area_px, self._outlines[second].filled_area_px
        if areas[0] == areas[1]:
            return first, first
        return (first, second) if areas[0] < areas[1] else (second, first)

    def overlap(self, first: int, second: int) -> float:
        """Share of the inner region's pixels that lie in the outer one with its holes filled; in [0, 1]."""
        key = (min(first, second), max(first, second))
        if key not in self._overlaps:
            inner, outer = self.inner_and_outer(*key)
            a, b = self._outlines[inner], self._outlines[key[1] if inner == outer else outer]
            self._overlaps[key] = _shared_px(a.region, b.region, b.filled) / a.area_px
        return self._overlaps[key]

    def gap_px(self, first: int, second: int) -> float:
        """Least distance in pixels between the two masks as unions of unit squares; 0 when they touch or overlap."""
        key = (min(first, second), max(first, second))
        if key not in self._gaps:
            few, many = sorted((self._outlines[index] for index in key), key=lambda outline: len(outline.corners))
            self._gaps[key] = 0.0 if self._share_pixels(*key) else float(many.tree.query(few.corners)[0].min())
        return self._gaps[key]

    def nearest(self, source: int, contained: set[tuple[int, int]]) -> int | None:
        """Index of the neighbour with the least gap; candidates come by box gap until none can be nearer."""
        best: tuple[float, float, int] | None = None
        for target in np.argsort(self._box_gaps[source], kind="stable").tolist():
            if target == source or (source, target) in contained:
                continue
            if best is not None and self._box_gaps[source, target] > best[0]:
                break
            candidate = (self.gap_px(source, target), self._centre_distance(source, target), target)
            best = candidate if best is None else min(best, candidate)
        return None if best is None else best[2]

    def _share_pixels(self, first: int, second: int) -> bool:
        a, b = self._outlines[first].region, self._outlines[second].region
        return self._box_gaps[first, second] == 0 and _shared_px(a, b, b.mask) > 0

    def _centre_distance(self, first: int, second: int) -> float:
        a, b = self._boxes[first], self._boxes[second]
        return round(math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2, _DIGITS)


def filled(mask: np.ndarray) -> np.ndarray:
    """The boolean mask with its holes filled (a hole is background that no 4-connected path leads out of)."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), contours, -1, 1, cv2.FILLED).astype(bool)


def boundary_corners(region: Region) -> np.ndarray:
    """Corners (n, 2), as (x, y) of the image, of the pixels on the region's boundary, each once.

    Two grid-aligned unit squares are nearest at a pair of corners, so these points give exact gaps between masks.
    """
    padded = np.pad(region.mask.view(np.uint8), 1)
    boundary = (padded - cv2.erode(padded, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))))[1:-1, 1:-1]
    rows, columns = np.nonzero(boundary)
    stride = region.mask.shape[1] + 1
    codes = rows * stride + columns
    codes = np.unique(np.concatenate([codes, codes + 1, codes + stride, codes + stride + 1]))
    return np.stack([codes % stride + region.column, codes // stride + region.row], axis=1)


def _shared_px(a: Region, b: Region, mask_of_b: np.ndarray) -> int:
    """Number of pixels of ``a`` that lie in ``mask_of_b``, a mask on b's crop."""
    top, left = max(a.row, b.row), max(a.column, b.column)
    bottom = min(a.row + a.mask.shape[0], b.row + b.mask.shape[0])
    right = min(a.column + a.mask.shape[1], b.column + b.mask.shape[1])
    if top >= bottom or left >= right:
        return 0
    part_a = a.mask[top - a.row : bottom - a.row, left - a.column : right - a.column]
    part_b = mask_of_b[top - b.row : bottom - b.row, left - b.column : right - b.column]
    return int(np.count_nonzero(part_a & part_b))
