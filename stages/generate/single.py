"""Content selection for one target: true claims that, together, single it out among all anchors of the image.

The incremental algorithm of Dale and Reiter (1995, "Computational interpretations of the Gricean maxims in the
generation of referring expressions", Cognitive Science 19, 233-263): attributes are tried in an order of preference,
one is taken when it rules out a distractor that is left, until none is. Here the order is drawn anew for every
expression, so that texts vary; claims that turn out to be unnecessary are dropped again, so that it is minimal.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np

from stages.core.claims import FALSE, TRUE, Claim, Thresholds, margins, select
from stages.generate.candidates import Candidate, Group, conflict, nearest_claims, rank_claim, size_claim

# How readily an attribute is tried; what a radiologist says first, and what a mask shows best, comes first.
PREFERENCE = {
    "rank:size": 1.6, "rank:x": 1.0, "rank:y": 0.8, "rank:brightness": 0.5, "nearest": 0.5, "patient_side": 1.6,
    "image_side": 0.8, "vertical": 1.0, "cell": 1.2, "shape": 0.8, "appearance": 0.9, "relation": 1.0, "border": 0.25,
    "size_mm": 0.4,
}  # fmt: skip
# Attributes that describe an object which is alone of its label anyway.
DESCRIPTIVE = {
    "patient_side": 1.6, "image_side": 0.8, "vertical": 1.0, "cell": 1.2, "shape": 0.7, "appearance": 0.9,
    "relation": 0.6, "border": 0.3, "size_mm": 0.4,
}  # fmt: skip
_ATTEMPTS = 6
_SHARE_EXTRA = 0.12
_SHARE_SECOND = 0.3

Step = Candidate | str


def single_out(group: Group, index: int, max_claims: int, rng: Random, t: Thresholds, used: set[frozenset[Claim]]) -> list[Claim] | None:
    """Claims, the label first, that exactly the anchor satisfies; None when several orders of preference find no new set.

    ``used`` holds the sets of claims already spent on this anchor; at most ``max_claims`` beside the label.
    """
    for _ in range(_ATTEMPTS):
        claims = _incremental(group, index, max_claims, rng, t)
        if claims is None:
            continue
        if len(claims) <= max_claims and rng.random() < _SHARE_EXTRA:
            claims = _with_extra(group, index, claims, rng, t)
        if frozenset(claims) not in used:
            return claims
    return None


def describe(group: Group, index: int, max_claims: int, rng: Random, t: Thresholds, used: set[frozenset[Claim]]) -> list[Claim] | None:
    """The label of an object that is alone of its label, and one or two true claims; None when all have been used."""
    for _ in range(_ATTEMPTS):
        claims = [group.claim]
        wanted = min(max_claims, 2 if rng.random() < _SHARE_SECOND else 1)
        for step in _order(group, index, rng, DESCRIPTIVE, t):
            if len(claims) <= wanted and isinstance(step, Candidate) and not conflict([*claims, step.claim]):
                claims.append(step.claim)
        if len(claims) > 1 and frozenset(claims) not in used:
            return claims
    return None


def is_exactly(claims: list[Claim], group: Group, index: int, t: Thresholds) -> bool:
    """Whether the claims select this anchor and nothing else."""
    return select(claims, group.scene, t).is_exactly([group.scene.anchors[index].anchor_id])


def _order(group: Group, index: int, rng: Random, weights: dict[str, float], t: Thresholds) -> list[Step]:
    """What may be said of the anchor, in a random order of preference (weighted draws without replacement)."""
    steps: list[Step] = [*group.true_of(index), *(name for name in weights if name.startswith("rank:") or name == "nearest")]
    size = size_claim(group.scene, index)
    if size is not None and "size_mm" in weights:
        steps.append(_measured(group, size, t))
    kinds = [step if isinstance(step, str) else step.claim.kind for step in steps]
    # One kind with many true claims (relations to ten organs) is not preferred for that.
    shares = [weights.get(kind, 0.0) / math.sqrt(kinds.count(kind)) for kind in kinds]
    keyed = [(-math.log(1.0 - rng.random()) / share, place) for place, share in enumerate(shares) if share > 0]
    return [steps[place] for _, place in sorted(keyed)]


def _measured(group: Group, claim: Claim, t: Thresholds) -> Candidate:
    """A length as a candidate. It is measured on the fly: every target has its own."""
    score = margins(claim, group.scene, t)
    return Candidate(claim, score >= TRUE, score > FALSE)


def _incremental(group: Group, index: int, max_claims: int, rng: Random, t: Thresholds) -> list[Claim] | None:
    claims, left = [group.claim], group.members
    order = _order(group, index, rng, PREFERENCE, t)
    for step in order:
        if left.sum() == 1 or len(claims) > max_claims:
            break
        if isinstance(step, str):
            ranked = _ranked(group, index, claims, left, step, rng)
            if ranked is not None and is_exactly(ranked, group, index, t):
                return _pruned(ranked, group, index, t)
            continue
        narrower = left & step.possible
        if narrower.sum() < left.sum() and not conflict([*claims, step.claim]):
            claims, left = [*claims, step.claim], narrower
    if is_exactly(claims, group, index, t):
        return _pruned(claims, group, index, t)
    return _ranked_at_last(group, index, claims[:max_claims], [step for step in order if isinstance(step, str)], rng, t)


def _ranked_at_last(group: Group, index: int, claims: list[Claim], ranks: list[str], rng: Random, t: Thresholds) -> list[Claim] | None:
    """A rank among the few that the other claims leave, where none could be said of the many; a crowd needs it."""
    chosen = {candidate.claim: candidate for candidate in group.true_of(index)}
    left = group.members
    for claim in claims[1:]:
        left = left & (chosen[claim].possible if claim in chosen else _measured(group, claim, t).possible)
    for step in ranks:
        ranked = _ranked(group, index, claims, left, step, rng)
        if ranked is not None and is_exactly(ranked, group, index, t):
            return _pruned(ranked, group, index, t)
    return None


def _ranked(group: Group, index: int, claims: list[Claim], left: np.ndarray, step: str, rng: Random) -> list[Claim] | None:
    """The claims with a rank among what is left, or a nearest claim, added; None where none can be said."""
    if step == "nearest":
        options = nearest_claims(group.scene, group.label)
        claim = rng.choice(options) if options else None
    else:
        claim = rank_claim(group.scene, step.split(":")[1], left, index)
    return None if claim is None or conflict([*claims, claim]) else [*claims, claim]


def _pruned(claims: list[Claim], group: Group, index: int, t: Thresholds) -> list[Claim]:
    """The claims without those that are not needed, the earliest preferred."""
    for claim in reversed(claims[1:]):
        fewer = [other for other in claims if other != claim]
        if len(fewer) > 1 and is_exactly(fewer, group, index, t):
            claims = fewer
    return claims


def _with_extra(group: Group, index: int, claims: list[Claim], rng: Random, t: Thresholds) -> list[Claim]:
    """One true claim more than needed, as people say it ("the largest hypodense lesion"), where it keeps the target."""
    for step in _order(group, index, rng, {"shape": 1.0, "appearance": 1.0, "size_mm": 0.3, "vertical": 0.3}, t):
        if isinstance(step, Candidate) and not conflict([*claims, step.claim]) and is_exactly([*claims, step.claim], group, index, t):
            return [*claims, step.claim]
    return claims
