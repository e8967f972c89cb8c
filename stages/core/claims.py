"""The claim language executed: which objects of an image satisfy what a referring expression says.

``core.claim`` lists the kinds of claims and their values, ``core.margins`` scores each claim on every anchor by a signed
margin: at least +1 is true, at most -1 is false, between lies too close to call. A query is the conjunction of its
claims; ordinals ("second largest") rank the anchors that satisfy the other claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stages.core.claim import ALL_KINDS, DIRECTIONS, KINDS, NOT, OPPOSITE, RANK_ATTRIBUTES, READ_ONLY_KINDS, Claim, is_relative
from stages.core.margins import FALSE, TRUE, between_margin, margins, touching_margin
from stages.core.scene import Scene, Thresholds, scene_of

__all__ = [
    "ALL_KINDS", "DIRECTIONS", "FALSE", "KINDS", "NOT", "OPPOSITE", "RANK_ATTRIBUTES", "READ_ONLY_KINDS", "TRUE", "Claim", "Scene",
    "Selection", "Thresholds", "are_exact", "between_margin", "is_relative", "margins", "rank_range", "scene_of", "select",
    "select_all", "touching_margin",
]  # fmt: skip

Places = TypeVar("Places", int, np.ndarray)


@dataclass(frozen=True)
class Selection:
    """Anchor ids that satisfy a conjunction for certain, and those that may (certain ones included)."""

    certain: frozenset[str]
    possible: frozenset[str]

    def is_exactly(self, targets: Sequence[str]) -> bool:
        """Whether the targets, and nothing else, satisfy it, with nothing too close to call."""
        return self.certain == self.possible == frozenset(targets)


def select(claims: Sequence[Claim], scene: Scene, t: Thresholds) -> Selection:
    """Which anchors satisfy all the claims; see ``select_all``."""
    certain, possible = select_all([claims], scene, t)
    ids = scene.ids
    return Selection(
        frozenset(ids[place] for place in np.flatnonzero(certain[0]).tolist()),
        frozenset(ids[place] for place in np.flatnonzero(possible[0]).tolist()),
    )


def are_exact(conjunctions: Sequence[Sequence[Claim]], targets: np.ndarray, scene: Scene, t: Thresholds) -> np.ndarray:
    """For each of q conjunctions whether it selects exactly its row of ``targets``, boolean (q, n), with nothing too close."""
    certain, possible = select_all(conjunctions, scene, t)
    return ((certain == possible) & (certain == targets)).all(axis=1)


def select_all(conjunctions: Sequence[Sequence[Claim]], scene: Scene, t: Thresholds) -> tuple[np.ndarray, np.ndarray]:
    """(certain, possible), boolean arrays (q, n): which of the n anchors satisfy each of the q conjunctions.

    Filters are applied first; a rank then orders what is left ("the largest lesion on the left" is the largest of
    those on the left). Where a filter is too close for some anchor, ranks are taken with and without it.
    A count that the selection cannot meet leaves nothing, one that it may or may not meet leaves nothing certain.
    """
    score = _conjunction(conjunctions, scene, t)
    certain, possible = score >= TRUE, score > FALSE
    for claim, rows in _by_turn([[claim for claim in claims if is_relative(claim)] for claims in conjunctions]):
        certain[rows], possible[rows] = _apply_rank(claim, scene, t, certain[rows], possible[rows])
    for row, claims in enumerate(conjunctions):
        counts = {int(claim.number) for claim in claims if claim.kind == "count" and claim.number is not None}
        if counts:
            _count(counts, certain[row], possible[row])
    return certain, possible


def _conjunction(conjunctions: Sequence[Sequence[Claim]], scene: Scene, t: Thresholds) -> np.ndarray:
    """(q, n): least margin of the claims that filter. A crowd may hold what is meant, and is never exactly that."""
    rows = [np.where(scene.crowds, 0.0, np.inf)]
    known: dict[Claim, int] = {}
    places, starts = [], []
    for claims in conjunctions:
        starts.append(len(places))
        places.append(0)
        for claim in claims:
            if claim.kind == "count" or is_relative(claim):
                continue
            place = known.get(claim)
            if place is None:
                place = known[claim] = len(rows)
                rows.append(margins(claim, scene, t))
            places.append(place)
    if not starts:
        return np.zeros((0, len(scene.anchors)))
    return np.minimum.reduceat(np.stack(rows)[places], starts, axis=0)


def _by_turn(relative: Sequence[Sequence[Claim]]) -> Iterator[tuple[Claim, list[int]]]:
    """Each rank with the conjunctions that it is the first, then the second ... rank of: ranks apply one after another."""
    for turn in range(max(map(len, relative), default=0)):
        rows: dict[Claim, list[int]] = {}
        for row, claims in enumerate(relative):
            if turn < len(claims):
                rows.setdefault(claims[turn], []).append(row)
        yield from rows.items()


def _count(counts: set[int], certain: np.ndarray, possible: np.ndarray) -> None:
    """Apply counts to one selection, in place."""
    least, most = int(certain.sum()), int(possible.sum())
    impossible = len(counts) > 1 or not least <= min(counts) <= most
    if impossible:
        possible[:] = False
    if impossible or least < most:
        certain[:] = False


def _apply_rank(claim: Claim, scene: Scene, t: Thresholds, certain: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sure_low, may_low = _ranked(claim, scene, t, certain)
    sure_high, may_high = _ranked(claim, scene, t, possible)
    return sure_low & sure_high, (may_low | may_high) & possible


def _ranked(claim: Claim, scene: Scene, t: Thresholds, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(certain, possible) anchors that hold the claimed rank among the candidates, each (q, n)."""
    before = _comes_before(claim, scene, t)
    if claim.kind == "relation" and not scene.with_label(claim.other or "").any():
        return np.zeros_like(candidates), np.zeros_like(candidates)
    among = candidates.astype(np.float32)
    n = candidates.sum(axis=1)[:, None]
    first, last = rank_range(claim.value, n) if claim.kind == "rank" else (1, 1)
    held = candidates & (first >= np.ones_like(n)) & (last <= n)
    best = 1 + among @ before
    worst = n - among @ before.T
    return held & (best >= first) & (worst <= last), held & (best <= last) & (worst >= first)


def rank_range(value: str, n: Places) -> tuple[Places, Places]:
    """First and last place (1-based) that a rank value such as "size:2", "x:-1" or "size:1-2" means among ``n``, a number or an array."""
    places = value.split(":")[1]
    from_end = places.startswith("-")
    low, _, high = places.lstrip("-").partition("-")
    if from_end:
        return n + 1 - int(high or low), n + 1 - int(low)
    return n * 0 + int(low), n * 0 + int(high or low)


def _comes_before(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """(n, n) of 0 and 1: row anchor comes before the column anchor by more than the margin; computed once per scene.

    For nearest and farthest before means nearer to, or farther from, the other thing by a clear ratio.
    """
    key = claim.value.split(":")[0], claim.other
    _, known = scene.memo.setdefault(("before", id(t)), (t, {}))
    if key not in known:
        known[key] = _order(*key, scene, t).astype(np.float32)
    return known[key]


def _order(attribute: str, other: str | None, scene: Scene, t: Thresholds) -> np.ndarray:
    columns = scene.columns
    if attribute in ("nearest", "farthest"):
        distance = _distance_to(scene, other or "")
        nearer = (distance[:, None] * t.nearest_ratio <= distance[None, :]) & (distance[:, None] < distance[None, :])
        return nearer if attribute == "nearest" else nearer.T
    if attribute == "size":
        return columns["size"][:, None] >= t.rank_size_ratio * columns["size"][None, :]
    if attribute == "brightness":
        return columns["brightness"][:, None] >= columns["brightness"][None, :] + t.rank_brightness_grey
    if attribute in ("x", "y"):
        position = columns["cx"] / scene.width if attribute == "x" else columns["cy"] / scene.height
        return position[:, None] <= position[None, :] - t.rank_position
    raise ValueError(f"unknown rank attribute {attribute!r}; known: {', '.join(RANK_ATTRIBUTES)}")


def _distance_to(scene: Scene, other: str) -> np.ndarray:
    """Distance in pixels from each centroid to the nearest centroid of a label; infinite where there is none."""
    columns, there = scene.columns, scene.with_label(other)
    gaps = np.hypot(columns["cx"][:, None] - columns["cx"][there], columns["cy"][:, None] - columns["cy"][there])
    return gaps.min(axis=1) if there.any() else np.full(len(scene.anchors), np.inf)
