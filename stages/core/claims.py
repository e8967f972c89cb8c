"""The claim language executed: which objects of an image satisfy what a referring expression says.

``core.claim`` lists the kinds of claims and their values, ``core.margins`` scores each claim on every anchor by a signed
margin: at least +1 is true, at most -1 is false, between lies too close to call. A query is the conjunction of its
claims; ordinals ("second largest") rank the anchors that satisfy the other claims.
"""

from __future__ import annotations

import functools
import itertools
import operator
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
    said = _numbered(conjunctions)
    state = _least(said, scene, t)
    certain, possible = state == 2, state > 0
    for rows, ranks in _by_turn(said):
        certain[rows], possible[rows] = _apply_ranks(ranks, scene, t, certain[rows], possible[rows])
    _apply_counts(said, certain, possible)
    return certain, possible


@dataclass(frozen=True)
class _Numbered:
    """Conjunctions as numbers of their distinct ``claims``: ``codes`` one after another, conjunction k has ``lengths[k]`` of them
    from ``starts[k]`` on. ``what`` each distinct claim does: FILTER, RANK or COUNT."""

    claims: list[Claim]
    what: np.ndarray
    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def of(self, what: int) -> tuple[np.ndarray, np.ndarray]:
        """(row, code) of every claim that does ``what``, in the order of the conjunctions."""
        if not (self.what == what).any():
            return _NONE, _NONE
        places = np.flatnonzero(self.what[self.codes] == what)
        return np.searchsorted(self.starts, places, side="right") - 1, self.codes[places]


_FILTER, _RANK, _COUNT = range(3)
_NONE = np.zeros(0, np.intp)
_FIELDS = operator.attrgetter("kind", "value", "other", "number")


def _numbered(conjunctions: Sequence[Sequence[Claim]]) -> _Numbered:
    flat = list(itertools.chain.from_iterable(conjunctions))
    # By identity first, which is far quicker to look up than a claim's value: writers and readers share claims.
    identities = list(map(id, flat))
    by_identity = dict(zip(identities, flat, strict=True))
    known: dict[tuple[str, str, str | None, float | None], int] = {}
    numbers = {identity: known.setdefault(fields, len(known)) for identity, fields in zip(by_identity, map(_FIELDS, by_identity.values()), strict=True)}
    codes = np.fromiter(map(numbers.__getitem__, identities), np.intp, len(flat))
    lengths = np.fromiter(map(len, conjunctions), np.intp, len(conjunctions))
    claims = [Claim(*fields) for fields in known]
    what = [_COUNT if claim.kind == "count" else _RANK if is_relative(claim) else _FILTER for claim in claims]
    return _Numbered(claims, np.array(what, np.intp), codes, np.cumsum(lengths) - lengths, lengths)


def _least(said: _Numbered, scene: Scene, t: Thresholds) -> np.ndarray:
    """(q, n) int8: 2 where all claims that filter are true, 0 where one is false, else 1. A crowd may hold what is meant,
    and is never exactly that."""
    crowd = np.where(scene.crowds, 1, 2).astype(np.int8)
    out = np.repeat(crowd[None], len(said.lengths), axis=0)
    if said.claims:
        scores = np.array([margins(claim, scene, t) for claim in said.claims])
        states = (scores >= TRUE).astype(np.int8) + (scores > FALSE)
        some = said.lengths > 0
        filled = np.minimum.reduceat(states[said.codes], said.starts[some], axis=0)
        out[some] = np.minimum(filled, crowd)
    return out


@dataclass(frozen=True)
class _Ranks:
    """One rank for each of r rows, rows of one order next to each other. ``orders``: (claim, first row, row after the last);
    ``places``: least, greatest, counted from the end, float32 (3, r)."""

    orders: list[tuple[Claim, int, int]]
    places: np.ndarray


def _by_turn(said: _Numbered) -> Iterator[tuple[np.ndarray, _Ranks]]:
    """The rows whose conjunction has a rank with their first ranks, then those that have a second one ...: ranks apply one
    after another."""
    rows, codes = said.of(_RANK)
    if not len(rows):
        return
    order_of, places, leading = _orders(said)
    turns = np.arange(len(rows)) - np.searchsorted(rows, rows)
    for turn in range(int(turns.max()) + 1):
        now = np.flatnonzero(turns == turn)
        now = now[np.argsort(order_of[codes[now]], kind="stable")]
        orders, ends = order_of[codes[now]], [*np.flatnonzero(np.diff(order_of[codes[now]])) + 1, len(now)]
        spans = [(leading[orders[first]], int(first), int(end)) for first, end in zip([0, *ends], ends, strict=False)]
        yield rows[now], _Ranks(spans, places[:, codes[now]])


def _orders(said: _Numbered) -> tuple[np.ndarray, np.ndarray, list[Claim]]:
    """(number of its order, its places) of each distinct claim, and a claim of each order."""
    known: dict[tuple[str, str | None], int] = {}
    order_of, places = np.zeros(len(said.claims), np.intp), np.zeros((3, len(said.claims)), np.float32)
    leading: list[Claim] = []
    for code in np.flatnonzero(said.what == _RANK):
        claim = said.claims[code]
        key = claim.value.partition(":")[0], claim.other
        if key not in known:
            known[key] = len(leading)
            leading.append(claim)
        order_of[code], places[:, code] = known[key], _places(claim.value)
    return order_of, places, leading


def _apply_counts(said: _Numbered, certain: np.ndarray, possible: np.ndarray) -> None:
    """Apply the counts of all rows, in place."""
    rows, codes = said.of(_COUNT)
    wanted: dict[int, set[int]] = {}
    for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
        number = said.claims[code].number
        if number is not None:
            wanted.setdefault(row, set()).add(int(number))
    for row, counts in wanted.items():
        _count(counts, certain[row], possible[row])


def _count(counts: set[int], certain: np.ndarray, possible: np.ndarray) -> None:
    """Apply counts to one selection, in place."""
    least, most = int(certain.sum()), int(possible.sum())
    impossible = len(counts) > 1 or not least <= min(counts) <= most
    if impossible:
        possible[:] = False
    if impossible or least < most:
        certain[:] = False


def _apply_ranks(ranks: _Ranks, scene: Scene, t: Thresholds, certain: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who holds the row's rank among those that are certain, and among those that are possible: sure of both, else of one."""
    sure, may = _ranked(ranks, scene, t, np.stack([certain, possible], axis=1))
    return np.asarray(sure.all(axis=1)), np.asarray(may.any(axis=1) & possible)


def _ranked(ranks: _Ranks, scene: Scene, t: Thresholds, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(certain, possible) anchors that hold the claimed ranks among the candidates, each (r, 2, n)."""
    r, _, size = candidates.shape
    among = candidates.astype(np.float32)
    n = among.sum(axis=2, keepdims=True)
    around = np.empty((r, 2, 2 * size), np.float32)  # so many candidates come before each anchor, and so many after it
    low, high, from_end = ranks.places[:, :, None, None]
    for claim, start, end in ranks.orders:
        np.matmul(among[start:end].reshape(2 * (end - start), size), _neighbours(claim, scene, t), out=around[start:end].reshape(2 * (end - start), 2 * size))
        if claim.kind == "relation" and not scene.with_label(claim.other or "").any():
            candidates[start:end] = False
    first, last = np.where(from_end, n + 1 - high, low), np.where(from_end, n + 1 - low, high)
    held = candidates & (first >= 1) & (last <= n)
    best, worst = 1 + around[:, :, :size], n - around[:, :, size:]
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


def _neighbours(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """(n, 2 n) of 0 and 1: row anchor comes before the column anchor by more than the margin, then after it; once per scene.

    For nearest and farthest before means nearer to, or farther from, the other thing by a clear ratio.
    """
    key = claim.value.partition(":")[0], claim.other
    _, known = scene.memo.setdefault(("before", id(t)), (t, {}))
    if key not in known:
        before = _order(*key, scene, t)
        known[key] = np.hstack([before, before.T]).astype(np.float32)
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
