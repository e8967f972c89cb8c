"""Semantic masks to targets: connected components, strays merged or dropped, pairs split by side, crowds told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.anchor.outlines import Outlines
from stages.core.params import AnchorParams
from stages.core.records import Sample
from stages.knowledge.labels import Label, labels

# A median of fewer components says nothing about the usual size of one object.
LEAST_FOR_A_MEDIAN = 4
# Of two touching vessels: width of the smaller one over that of the larger, area of both over that of their hull.
LEAST_LOBE = 0.3
LEAST_SOLIDITY_OF_LOBES = 0.8
_STEPS = 32


@dataclass(frozen=True)
class Piece:
    """A tight boolean crop whose upper left pixel is (``row``, ``column``) of the image."""

    row: int
    column: int
    mask: np.ndarray
    area_px: int
    crowd: bool = False

    @property
    def columns(self) -> tuple[int, int]:
        """First column, and the one after the last."""
        return self.column, self.column + self.mask.shape[1]


def targets_of(whole: Piece, known: Label, sample: Sample, params: AnchorParams) -> tuple[list[tuple[str, Piece]], Counter[str]]:
    """Targets of a semantic mask with at least one pixel, as (label, piece), and counts by reason.

    A label that comes in several gives one target per 8-connected component, any other label one without its strays
    (``split_organs``: one per component). A paired organ under an unsided name becomes its two halves where the
    picture's halves are the patient's sides and components lie on both sides of the middle, none across it.
    Components stand in the order of their top row, then left column.

    Counts: dropped.<limit> and merged.<limit> for strays below a limit, unsplit_pair.
    """
    pieces, counts = _kept(whole, sample.spacing_mm, params)
    halves = _halves_of(known.name)
    by_side = _by_side(pieces, halves, sample) if halves else None
    counts["unsplit_pair"] += bool(halves and pieces and by_side is None)
    if by_side is not None:
        targets = by_side
    elif known.several or params.split_organs:
        targets = [(known.name, piece) for piece in _with_crowds(pieces, known, params)]
    else:
        targets = [(known.name, _joined(pieces))] if pieces else []
    return targets, +counts


def paste(canvas: np.ndarray, crop: np.ndarray, row: int, column: int) -> None:
    """Or a boolean crop into a boolean canvas, in place; the crop must lie inside the canvas."""
    canvas[row : row + crop.shape[0], column : column + crop.shape[1]] |= crop


def _kept(whole: Piece, spacing_mm: Sequence[float] | None, params: AnchorParams) -> tuple[list[Piece], Counter[str]]:
    """Components that are no strays, with the strays near them, in reading order; and what became of the strays."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(whole.mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    corner = whole.row, whole.column
    areas = stats[1:, cv2.CC_STAT_AREA]
    pixel_mm2 = 0.0 if spacing_mm is None else spacing_mm[0] * spacing_mm[1]
    limits = {
        "below_min_px": areas < params.min_component_px,
        "below_min_mm2": areas * pixel_mm2 < params.min_component_mm2 if spacing_mm is not None else np.zeros(areas.shape, bool),
        "below_min_fraction": areas < params.min_component_fraction * areas.max(),
    }
    reasons = np.full(areas.shape, "", dtype=object)
    for reason, below in reversed(limits.items()):
        reasons[below] = reason
    order = np.lexsort((areas, stats[1:, cv2.CC_STAT_LEFT], stats[1:, cv2.CC_STAT_TOP]))
    kept = [_piece(labels, stats, number, corner) for number in order if not reasons[number]]
    strays = [number for number in order if reasons[number]]
    merged, hosts = _near_hosts(kept, [_piece(labels, stats, number, corner) for number in strays], params.merge_gap_px)
    counts = Counter(f"{'merged' if host >= 0 else 'dropped'}.{reasons[number]}" for number, host in zip(strays, hosts, strict=True))
    return sorted(merged, key=lambda piece: (piece.row, piece.column, piece.area_px)), counts


def _piece(labels: np.ndarray, stats: np.ndarray, number: int, corner: tuple[int, int]) -> Piece:
    column, row, width, height, area = (int(value) for value in stats[number + 1])
    mask = labels[row : row + height, column : column + width] == number + 1
    return Piece(corner[0] + row, corner[1] + column, mask, area)


def _near_hosts(kept: list[Piece], strays: list[Piece], gap_px: float) -> tuple[list[Piece], list[int]]:
    """The kept pieces with those strays that lie at most ``gap_px`` from them, and for each stray its host or -1.

    A stray goes to the host with the least gap, ties to the first one.
    """
    hosts = [-1] * len(strays)
    if not kept or not strays or gap_px <= 0:
        return kept, hosts
    outlines = Outlines([*kept, *strays])
    pairs = outlines.pairs_within(gap_px)
    pairs = pairs[(pairs[:, 0] < len(kept)) & (pairs[:, 1] >= len(kept))]
    best = [(gap_px, len(kept))] * len(strays)
    for (host, stray), gap in zip(pairs.tolist(), outlines.gaps(pairs).tolist(), strict=True):
        best[stray - len(kept)] = min(best[stray - len(kept)], (gap, host))
    guests: dict[int, list[Piece]] = {}
    for number, (_, host) in enumerate(best):
        if host < len(kept):
            hosts[number] = host
            guests.setdefault(host, []).append(strays[number])
    return [_joined([piece, *guests[place]]) if place in guests else piece for place, piece in enumerate(kept)], hosts


def _joined(pieces: list[Piece]) -> Piece:
    """One piece that holds all of them: an organ stays whole when the plane cuts it twice."""
    if len(pieces) == 1:
        return pieces[0]
    row, column = min(piece.row for piece in pieces), min(piece.column for piece in pieces)
    bottom = max(piece.row + piece.mask.shape[0] for piece in pieces)
    right = max(piece.columns[1] for piece in pieces)
    whole = np.zeros((bottom - row, right - column), bool)
    for piece in pieces:
        paste(whole, piece.mask, piece.row - row, piece.column - column)
    return Piece(row, column, whole, sum(piece.area_px for piece in pieces))


def _halves_of(name: str) -> dict[str, Label]:
    """The labels of the left and the right half of the pair of that name; empty where it is no pair's name."""
    return {entry.side: entry for entry in labels().values() if entry.pair == name and entry.side is not None}


def _by_side(pieces: list[Piece], halves: dict[str, Label], sample: Sample) -> list[tuple[str, Piece]] | None:
    """The two halves of a pair, the one at the picture's left first; None when they cannot be told apart."""
    middle = sample.width / 2
    at_left = [piece for piece in pieces if piece.columns[1] <= middle]
    at_right = [piece for piece in pieces if piece.columns[0] >= middle]
    if sample.halves_are is None or not at_left or not at_right or len(at_left) + len(at_right) < len(pieces):
        return None
    sides = ("right", "left") if sample.halves_are == "patient_right" else ("left", "right")
    return [(halves[sides[0]].name, _joined(at_left)), (halves[sides[1]].name, _joined(at_right))]


def _with_crowds(pieces: list[Piece], known: Label, params: AnchorParams) -> list[Piece]:
    """The pieces, those marked that are several objects which touch: cells by their size and bays, vessels by a neck.

    Only cells have a usual size: the largest of several lesions is no crowd. Only vessels that are cut across are round
    by nature: lesions and nerves grow necks of their own.
    """
    if known.kind == "vessel" and known.several:
        return [replace(piece, crowd=_has_neck(piece, params.crowd_neck)) for piece in pieces]
    if known.kind != "cell" or len(pieces) < LEAST_FOR_A_MEDIAN:
        return pieces
    least = params.crowd_area_ratio * float(np.median([piece.area_px for piece in pieces]))
    return [replace(piece, crowd=True) if piece.area_px >= least and _solidity(piece) <= params.crowd_solidity else piece for piece in pieces]


def _has_neck(piece: Piece, most: float) -> bool:
    """Whether the piece falls into two lobes whose neck is at most ``most`` times as wide as the smaller lobe.

    Widths are those of the largest discs inside: the piece is worn down from its border, step by step, until it comes
    apart (ultimate erosion; Serra 1982, Image Analysis and Mathematical Morphology). What was taken off by then is half
    the neck, the depth of a lobe half its width. A lobe below ``LEAST_LOBE`` of the larger one is a wart; a piece with
    larger bays than two round things side by side have (``LEAST_SOLIDITY_OF_LOBES``) is a tree that branches.
    """
    if most <= 0 or _solidity(piece) < LEAST_SOLIDITY_OF_LOBES:
        return False
    depth = cv2.distanceTransform(np.pad(piece.mask.view(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    deepest = float(depth.max())
    for worn in deepest * np.arange(1, _STEPS) / _STEPS:
        if worn > most * deepest:
            break
        count, lobes = cv2.connectedComponents((depth > worn).astype(np.uint8), connectivity=8)
        if count > 2:
            smaller = sorted(float(depth[lobes == lobe].max()) for lobe in range(1, count))[-2]
            if smaller >= LEAST_LOBE * deepest and worn <= most * smaller:
                return True
    return False


def _solidity(piece: Piece) -> float:
    """Area over the area of the convex hull through pixel corners."""
    rows = np.flatnonzero(piece.mask.any(axis=1))
    first, last = piece.mask[rows].argmax(axis=1), piece.mask.shape[1] - piece.mask[rows, ::-1].argmax(axis=1)
    corners = np.stack([np.concatenate([first, first, last, last]), np.concatenate([rows, rows + 1, rows, rows + 1])], axis=1)
    return piece.area_px / cv2.contourArea(cv2.convexHull(corners.astype(np.int32)))
