"""The claim language executed: which objects of an image satisfy what a referring expression says.

``core.claim`` lists the kinds of claims and their values, ``core.margins`` scores each claim on every anchor by a signed
margin: at least +1 is true, at most -1 is false, between lies too close to call. A query is the conjunction of its
claims; ordinals ("second largest") rank the anchors that satisfy the other claims.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.claim import ALL_KINDS, DIRECTIONS, KINDS, NOT, OPPOSITE, RANK_ATTRIBUTES, READ_ONLY_KINDS, Claim, is_relative
from stages.core.margins import FALSE, TRUE, between_margin, margins, touching_margin
from stages.core.scene import Scene, Thresholds, scene_of

__all__ = [
    "ALL_KINDS", "DIRECTIONS", "FALSE", "KINDS", "NOT", "OPPOSITE", "RANK_ATTRIBUTES", "READ_ONLY_KINDS", "TRUE", "Claim", "Scene",
    "Selection", "Thresholds", "are_exact", "between_margin", "is_relative", "margins", "prepare", "rank_range", "scene_of", "select",
    "select_all", "touching_margin",
]  # fmt: skip


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
    _, prepared = scene.memo.get(("selections", id(t)), (t, {}))
    found = prepared.get(tuple(claims)) if prepared else None
    return found or _selections([claims], scene, t)[0]


def prepare(conjunctions: Sequence[Sequence[Claim]], scene: Scene, t: Thresholds) -> None:
    """Select for many conjunctions at once, so that ``select`` need only look each of them up."""
    _, prepared = scene.memo.setdefault(("selections", id(t)), (t, {}))
    prepared.update(zip(map(tuple, conjunctions), _selections(conjunctions, scene, t), strict=True))


def _selections(conjunctions: Sequence[Sequence[Claim]], scene: Scene, t: Thresholds) -> list[Selection]:
    certain, possible = (chosen.tolist() for chosen in select_all(conjunctions, scene, t))
    ids = scene.ids
    return [Selection(frozenset(itertools.compress(ids, sure)), frozenset(itertools.compress(ids, may))) for sure, may in zip(certain, possible, strict=True)]


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
    sorted_out = _sort_out(conjunctions)
    score = _least(sorted_out, scene, t)
    certain, possible = score >= TRUE, score > FALSE
    for claims, rows in _by_turn(sorted_out.ranks):
        certain[rows], possible[rows] = _apply_ranks(claims, scene, t, certain[rows], possible[rows])
    for row, counts in sorted_out.counts.items():
        _count(counts, certain[row], possible[row])
    return certain, possible


@dataclass(frozen=True)
class _SortedOut:
    """Conjunctions by what their claims do: ``filters`` (distinct), ``places`` of each conjunction's filters among them from
    its ``starts`` on (0 is no filter, k the k-th), ``ranks`` and ``counts`` by row."""

    filters: list[Claim]
    places: list[int]
    starts: list[int]
    ranks: dict[int, list[Claim]]
    counts: dict[int, set[int]]


def _sort_out(conjunctions: Sequence[Sequence[Claim]]) -> _SortedOut:
    out = _SortedOut([], [], [], {}, {})
    known: dict[Claim, int] = {}
    seen: dict[int, int] = {}  # the same by identity, which is far quicker to look up than a claim's value
    for row, claims in enumerate(conjunctions):
        out.starts.append(len(out.places))
        out.places.append(0)
        for claim in claims:
            place = seen.get(id(claim))
            if place is None:
                place = known.get(claim)
                if place is None and (claim.kind == "count" or is_relative(claim)):
                    place = -1
                elif place is None:
                    out.filters.append(claim)
                    place = len(out.filters)
                known[claim] = seen[id(claim)] = place
            if place > 0:
                out.places.append(place)
            elif claim.kind != "count":
                out.ranks.setdefault(row, []).append(claim)
            elif claim.number is not None:
                out.counts.setdefault(row, set()).add(int(claim.number))
    return out


def _least(sorted_out: _SortedOut, scene: Scene, t: Thresholds) -> np.ndarray:
    """(q, n): least margin of the claims that filter. A crowd may hold what is meant, and is never exactly that."""
    if not sorted_out.starts:
        return np.zeros((0, len(scene.anchors)))
    rows = np.array([np.where(scene.crowds, 0.0, np.inf), *(margins(claim, scene, t) for claim in sorted_out.filters)])
    return np.minimum.reduceat(rows[sorted_out.places], sorted_out.starts, axis=0)


def _by_turn(ranks: dict[int, list[Claim]]) -> Iterator[tuple[list[Claim], list[int]]]:
    """Ranks of one order (by size, by distance to one thing) with their rows, first those that come first in their
    conjunction, then those that come second ...: ranks apply one after another."""
    for turn in range(max(map(len, ranks.values()), default=0)):
        groups: dict[tuple[str, str | None], tuple[list[Claim], list[int]]] = {}
        for row, claims in ranks.items():
            if turn < len(claims):
                claim = claims[turn]
                ordered, rows = groups.setdefault((claim.value.partition(":")[0], claim.other), ([], []))
                ordered.append(claim)
                rows.append(row)
        yield from groups.values()


def _count(counts: set[int], certain: np.ndarray, possible: np.ndarray) -> None:
    """Apply counts to one selection, in place."""
    least, most = int(certain.sum()), int(possible.sum())
    impossible = len(counts) > 1 or not least <= min(counts) <= most
    if impossible:
        possible[:] = False
    if impossible or least < most:
        certain[:] = False


def _apply_ranks(claims: Sequence[Claim], scene: Scene, t: Thresholds, certain: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who holds the row's rank among those that are certain, and among those that are possible: sure of both, else of one."""
    q = len(certain)
    sure, may = _ranked(claims, scene, t, np.concatenate([certain, possible]))
    return sure[:q] & sure[q:], (may[:q] | may[q:]) & possible


def _ranked(claims: Sequence[Claim], scene: Scene, t: Thresholds, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(certain, possible) anchors that hold the claimed ranks among the candidates, each (2 q, n); claims of one order, q of them."""
    before = _comes_before(claims[0], scene, t)
    if claims[0].kind == "relation" and not scene.with_label(claims[0].other or "").any():
        return np.zeros_like(candidates), np.zeros_like(candidates)
    among = candidates.astype(np.float32)
    n = among.sum(axis=1, keepdims=True)
    low, high, from_end = np.array([_places(claim.value) for claim in claims] * 2, np.float32).T[:, :, None]
    first, last = np.where(from_end, n + 1 - high, low), np.where(from_end, n + 1 - low, high)
    held = candidates & (first >= 1) & (last <= n)
    best, worst = 1 + among @ before, n - among @ before.T
    return held & (best >= first) & (worst <= last), held & (best <= last) & (worst >= first)


@functools.cache
def _places(value: str) -> tuple[int, int, bool]:
    """(least, greatest, counted from the end) of a rank value; nearest and farthest are the first place."""
    places = value.partition(":")[2] or "1"
    low, _, high = places.lstrip("-").partition("-")
    return int(low), int(high or low), places.startswith("-")


def rank_range(value: str, n: int) -> tuple[int, int]:
    """First and last place (1-based) that a rank value such as "size:2", "x:-1" or "size:1-2" means among ``n``."""
    low, high, from_end = _places(value)
    return (n + 1 - high, n + 1 - low) if from_end else (low, high)


def _comes_before(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """(n, n) of 0 and 1: row anchor comes before the column anchor by more than the margin; computed once per scene.

    For nearest and farthest before means nearer to, or farther from, the other thing by a clear ratio.
    """
    key = claim.value.partition(":")[0], claim.other
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
