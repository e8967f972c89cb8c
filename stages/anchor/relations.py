"""Relations between the regions of one image: containment, contact, nearest neighbour, between."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.anchor.outlines import Outlines
from stages.anchor.regions import Region
from stages.core.claims import FALSE, Thresholds, between_margin
from stages.core.records import Relation

LEAST_OVERLAP_INSIDE = 0.5
TOUCHING_GAP_PX = 3.0
# A limit in millimetres is recorded up to this many times of it: from there on nothing touches.
_TOUCHING_MM_REACH = 2.0
_DIGITS = 4


@dataclass(frozen=True)
class Frame:
    """What lengths in an image are compared with: its size in pixels, and [row, column] spacing or None."""

    width: int
    height: int
    spacing_mm: list[float] | None

    @property
    def mm_xy(self) -> tuple[float, float] | None:
        """Millimetres a pixel along x and y, None without spacing."""
        return None if self.spacing_mm is None else (self.spacing_mm[1], self.spacing_mm[0])


def relations_of(regions: Sequence[Region], anchor_ids: Sequence[str], centroids_xy_px: Sequence[Sequence[float]], frame: Frame, t: Thresholds) -> list[list[Relation]]:
    """Relations of every region to the others, as ``core.records.Relation`` defines them, sorted by (kind, other).

    Of two regions the one with the smaller filled area is the inner one. A region that contains another, or lies
    in it, is neither its neighbour nor in touch with it, nor between it and a third: "inside" says more. Equal
    gaps of the nearest go to the closer box centre, then to the first in order; ``tied`` says that another's gap is no
    more than ``nearest_ratio`` times as wide.
    """
    outlines = Outlines(regions)
    near = outlines.pairs_within(_reach_px(frame, t))
    overlaps, inner = _overlaps(outlines, near)
    gaps_px = outlines.gaps(near)
    gaps_mm = _in_millimetres(outlines, near, gaps_px, frame)
    nested = (overlaps >= LEAST_OVERLAP_INSIDE) & (inner[:, 0] != inner[:, 1])
    touching = ~nested & _may_touch(gaps_px, gaps_mm, t)
    record = _Recorder(outlines, anchor_ids, centroids_xy_px, frame)
    for index in np.flatnonzero(nested):
        measures = float(gaps_px[index]), float(gaps_mm[index]), float(overlaps[index])
        record.add("inside", *inner[index].tolist(), *measures)
        record.add("containing", *inner[index, ::-1].tolist(), *measures)
    for index in np.flatnonzero(touching):
        measures = float(gaps_px[index]), float(gaps_mm[index]), float(overlaps[index])
        record.add("touching", *near[index].tolist(), *measures)
        record.add("touching", *near[index, ::-1].tolist(), *measures)
    contained = np.concatenate([inner[nested], inner[nested][:, ::-1]])
    _record_nearest(record, outlines, contained, dict(zip(map(tuple, near.tolist()), overlaps.tolist(), strict=True)), t)
    _record_between(record, outlines, [region.label for region in regions], contained, t)
    return [sorted(relations, key=lambda relation: (relation.kind, relation.other)) for relations in record.found]


def _reach_px(frame: Frame, t: Thresholds) -> float:
    """How far apart boxes may lie for their masks to be worth measuring."""
    if t.touching_mm is None or frame.spacing_mm is None:
        return TOUCHING_GAP_PX
    return max(TOUCHING_GAP_PX, _TOUCHING_MM_REACH * t.touching_mm / min(frame.spacing_mm))


def _overlaps(outlines: Outlines, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share (k,) of the inner region's pixels that lie in the filled outer one, and (inner, outer) (k, 2), which is
    twice the same index where the filled areas are equal."""
    filled = outlines.filled(np.unique(pairs))
    areas = filled.area_px[pairs]
    ordered = np.where(areas[:, :1] <= areas[:, 1:], pairs, pairs[:, ::-1])
    overlaps = filled.shared_px(ordered) / outlines.area_px[ordered[:, 0]]
    return overlaps, np.where(areas[:, :1] == areas[:, 1:], pairs[:, :1], ordered)


def _in_millimetres(outlines: Outlines, pairs: np.ndarray, gaps_px: np.ndarray, frame: Frame) -> np.ndarray:
    """Gaps (k,) in millimetres; NaN without spacing. Where pixels are no squares, another pair of pixels may be nearest."""
    if frame.mm_xy is None:
        return np.full(len(pairs), np.nan)
    x, y = frame.mm_xy
    return gaps_px * x if math.isclose(x, y, rel_tol=1e-9) else outlines.gaps(pairs, frame.mm_xy)


def _may_touch(gaps_px: np.ndarray, gaps_mm: np.ndarray, t: Thresholds) -> np.ndarray:
    in_px = gaps_px <= TOUCHING_GAP_PX
    return in_px if t.touching_mm is None else in_px | (gaps_mm <= _TOUCHING_MM_REACH * t.touching_mm)


class _Recorder:
    """Collects the relations of each region, with what all kinds share."""

    def __init__(self, outlines: Outlines, anchor_ids: Sequence[str], centroids: Sequence[Sequence[float]], frame: Frame) -> None:
        self.found: list[list[Relation]] = [[] for _ in anchor_ids]
        self.centroids = np.array(centroids, float).reshape(-1, 2)
        self.areas = outlines.area_px.tolist()
        self.frame = frame
        self._ids = anchor_ids
        self._places = (self.centroids / [frame.width, frame.height]).tolist()

    def add(
        self, kind: str, source: int, target: int, gap_px: float, gap_mm: float, overlap: float,
        second: int | None = None, along: float | None = None, across: float | None = None, tied: bool | None = None,
    ) -> None:  # fmt: skip
        """Record a relation of ``source`` to ``target``; a NaN in ``gap_mm`` stands for no spacing."""
        (x, y), (other_x, other_y) = self._places[source], self._places[target]
        self.found[source].append(
            Relation(
                kind,
                self._ids[target],
                round(gap_px, _DIGITS),
                round(overlap, _DIGITS),
                round(other_x - x, _DIGITS),
                round(other_y - y, _DIGITS),
                round(self.areas[source] / self.areas[target], _DIGITS),
                None if math.isnan(gap_mm) else round(gap_mm, _DIGITS),
                None if second is None else self._ids[second],
                along,
                across,
                tied,
            )
        )


def _record_nearest(record: _Recorder, outlines: Outlines, contained: np.ndarray, overlaps: dict[tuple[int, ...], float], t: Thresholds) -> None:
    targets, gaps_px, tied = outlines.nearest(contained, t.nearest_ratio)
    sources = np.flatnonzero(targets >= 0)
    pairs = np.stack([sources, targets[sources]], axis=1)
    gaps_mm = _in_millimetres(outlines, pairs, gaps_px[sources], record.frame)
    for (source, target), gap_px, gap_mm in zip(pairs.tolist(), gaps_px[sources].tolist(), gaps_mm.tolist(), strict=True):
        overlap = overlaps.get((min(source, target), max(source, target)), 0.0)
        record.add("nearest", source, target, gap_px, gap_mm, overlap, tied=bool(tied[source]))


def _record_between(record: _Recorder, outlines: Outlines, labels: list[str], contained: np.ndarray, t: Thresholds) -> None:
    """For each region the pair of landmarks that it may lie between with the best margin, ties to the first pair."""
    pairs = _landmark_pairs(labels)
    n = len(labels)
    best, chosen = np.full(n, FALSE), np.full(n, -1)
    places = np.zeros((n, 2))
    nested = {tuple(pair) for pair in contained.tolist()}
    for number, (first, second) in enumerate(pairs):
        along, across = _between(record.centroids, first, second)
        margin = between_margin(along, across, t)
        margin[[first, second]] = -np.inf
        better = margin > best
        for index in np.flatnonzero(better):
            better[index] = (index, first) not in nested and (index, second) not in nested
        best, chosen = np.where(better, margin, best), np.where(better, number, chosen)
        places = np.where(better[:, None], np.stack([along, across], axis=1), places)
    sources = np.flatnonzero(chosen >= 0)
    ends = np.array([pairs[number] for number in chosen[sources]], np.int64).reshape(-1, 2)
    to_first = np.stack([sources, ends[:, 0]], axis=1)
    gaps_px = outlines.gaps(to_first)
    gaps_mm = _in_millimetres(outlines, to_first, gaps_px, record.frame)
    for place, source in enumerate(sources.tolist()):
        first, second = ends[place].tolist()
        along, across = (round(value, _DIGITS) for value in places[source].tolist())
        record.add("between", source, first, float(gaps_px[place]), float(gaps_mm[place]), 0.0, second, along, across)


def _landmark_pairs(labels: list[str]) -> list[tuple[int, int]]:
    """Pairs that a reader can tell from their names: two that are alone of their label each, or the only two of one."""
    counts = Counter(labels)
    alone = [index for index, name in enumerate(labels) if counts[name] == 1]
    twos = {name: [index for index, other in enumerate(labels) if other == name] for name in counts if counts[name] == 2}
    return [*itertools.combinations(alone, 2), *((pair[0], pair[1]) for pair in twos.values())]


def _between(centroids: np.ndarray, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """``Relation.along`` and ``across`` of every centroid (n, 2) for one pair; far outside where the two coincide."""
    line = centroids[second] - centroids[first]
    length2 = float(line @ line)
    if length2 == 0:
        return np.full(len(centroids), np.inf), np.full(len(centroids), np.inf)
    offsets = centroids - centroids[first]
    across = np.abs(offsets[:, 0] * line[1] - offsets[:, 1] * line[0])
    return offsets @ line / length2, across / length2
