"""Content selection for several targets, for none, and for bare names."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np

from stages.core.claims import Claim, Scene, Thresholds, select
from stages.generate.candidates import Candidate, Group, conflict
from stages.knowledge.labels import Label, label, labels, members

# More boxes than this are no longer an answer that one points with.
MAX_TARGETS = 8
_RANGES = ("size:1-2", "size:1-2", "size:1-3", "size:-1-2", "x:1-2", "x:-1-2", "y:1-2", "y:-1-2")
_ATTEMPTS = 8
_COUNTED = 5
_SHARE_COUNTED = 0.4


def multi(groups: list[Group], rng: Random, t: Thresholds) -> tuple[list[Claim], list[str]] | None:
    """Claims that select two to ``MAX_TARGETS`` anchors, and their ids; None when nothing fits."""
    pairs = _pairs(groups)
    plural = [group for group in groups if group.members.sum() >= 2 and group.label.plural]
    for _ in range(_ATTEMPTS):
        if pairs and (not plural or rng.random() < 0.3):
            claims = rng.choice(pairs)
        elif plural:
            claims = rng.choice([_whole, _filtered, _filtered, _range])(rng.choice(plural), rng)
        else:
            return None
        targets = _exact(claims, groups[0].scene, t) if claims else None
        if claims and targets:
            return claims, targets
    return None


def _exact(claims: list[Claim], scene: Scene, t: Thresholds) -> list[str] | None:
    """The anchors that the claims select, in the scene's order; None when it is not certain, or not 2 to MAX_TARGETS."""
    selection = select(claims, scene, t)
    if selection.certain != selection.possible or not 2 <= len(selection.certain) <= MAX_TARGETS:
        return None
    return [anchor.anchor_id for anchor in scene.anchors if anchor.anchor_id in selection.certain]


def _pairs(groups: list[Group]) -> list[list[Claim]]:
    """Both halves of a paired structure, where each occurs once."""
    once = {group.label.name: group.label for group in groups if group.members.sum() == 1}
    names = sorted(name for name, entry in once.items() if entry.pair)
    halves = [(a, b) for a in names for b in names if a < b and once[a].pair == once[b].pair]
    return [[Claim("label", f"{a}|{b}"), counted(2)] for a, b in halves]


def counted(number: int) -> Claim:
    """The claim that the expression speaks of so many objects."""
    return Claim("count", str(number), None, float(number))


def _whole(group: Group, rng: Random) -> list[Claim] | None:
    """All of a label with their number: without it, that is a bare name."""
    n = int(group.members.sum())
    return [group.claim, counted(n)] if n <= _COUNTED else None


def _filtered(group: Group, rng: Random) -> list[Claim] | None:
    """The label and one claim that some of the group satisfy and the others do not, nothing between."""
    n = int(group.members.sum())
    chosen = [candidate for candidate in group.candidates if 2 <= (group.members & candidate.certain).sum() == (group.members & candidate.possible).sum() < n]
    if not chosen:
        return None
    pick: Candidate = rng.choice(chosen)
    return _with_count([group.claim, pick.claim], int((group.members & pick.certain).sum()), rng)


def _with_count(claims: list[Claim], n: int, rng: Random) -> list[Claim]:
    return [*claims, counted(n)] if n == 2 or (n <= _COUNTED and rng.random() < _SHARE_COUNTED) else claims


def _range(group: Group, rng: Random) -> list[Claim] | None:
    """The two or three first in a rank, of more."""
    value = rng.choice(_RANGES)
    n = int(value[-1])
    return [group.claim, Claim("rank", value), counted(n)] if group.members.sum() > n else None


def bare(group: Group, rng: Random) -> tuple[list[Claim], list[str]] | None:
    """The label alone: the only object of its label, or all of them."""
    named = [anchor for anchor, member in zip(group.scene.anchors, group.members, strict=True) if member]
    if len(named) > MAX_TARGETS or (len(named) > 1 and group.label.plural is None) or any(anchor.crowd for anchor in named):
        return None
    return [group.claim], [anchor.anchor_id for anchor in named]


def nothing(scene: Scene, groups: list[Group], rng: Random, t: Thresholds) -> list[Claim] | None:
    """Claims that provably no anchor satisfies, of a label that the source marks completely; None when none is found."""
    marked = [group for group in groups if group.label.name in scene.annotated_labels]
    makers: list[Callable[[], list[Claim] | None]] = [lambda: _absent(scene, groups, rng)] * 2
    if marked:
        makers += [lambda: _altered(rng.choice(marked), rng), lambda: _beyond(rng.choice(marked), rng)] * 2
    for _ in range(_ATTEMPTS):
        claims = rng.choice(makers)()
        if claims and not select(claims, scene, t).possible:
            return claims
    return None


def _absent(scene: Scene, groups: list[Group], rng: Random) -> list[Claim] | None:
    """A label that the source would have marked and did not. A kidney is there where a left or a right one is."""
    present = {group.label.name for group in groups if group.members.any()}
    absent = [name for name in scene.annotated_labels if name in labels() and present.isdisjoint(members(name))]
    return [Claim("label", rng.choice(absent))] if absent else None


def _altered(group: Group, rng: Random) -> list[Claim] | None:
    """A label that is there with a claim that is false of every object of it, sometimes beside a true one."""
    false = [c for c in group.candidates if not (group.members & c.possible).any() and _is_plausible(c.claim, group.label)]
    if not false:
        return None
    kinds = sorted({candidate.claim.kind for candidate in false})
    kind = rng.choices(kinds, [0.2 if kind == "border" else 1.0 for kind in kinds])[0]
    claims = [group.claim, rng.choice([candidate.claim for candidate in false if candidate.claim.kind == kind])]
    index = int(rng.choice(np.flatnonzero(group.members).tolist()))
    extra = [c.claim for c in group.true_of(index) if not conflict([*claims, c.claim])]
    return [*claims, rng.choice(extra)] if extra and rng.random() < 0.3 else claims


def _is_plausible(claim: Claim, entry: Label) -> bool:
    """Whether the claim might have been true: nobody looks for the liver on the patient's left, or in the other kidney."""
    if entry.side is not None or entry.expect is not None:
        return claim.kind in ("vertical", "border") or (claim.kind == "relation" and claim.value in ("above", "below"))
    if claim.kind == "relation" and claim.value == "inside":
        other = label(claim.other or "")
        return other.name in (entry.inside or [])
    return True


def _beyond(group: Group, rng: Random) -> list[Claim] | None:
    """An ordinal that the image does not reach: the third largest of two."""
    n = int(group.members.sum())
    if not group.label.several or n > 2:
        return None
    attribute, sign = rng.choice(("size", "size", "x", "y")), rng.choice(("", "", "-"))
    return [group.claim, Claim("rank", f"{attribute}:{sign}{rng.randint(n + 1, 3)}")]
