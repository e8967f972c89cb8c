"""How hard a referring expression must be: the least number of claims that single out its target."""

from __future__ import annotations

import numpy as np

from stages.core.claims import TRUE, Claim, Scene, margins, select
from stages.generate.candidates import group_of, rank_claim
from stages.knowledge import words
from stages.knowledge.labels import label

RANKED = ("size", "x", "y", "brightness")


def place_of(scene: Scene, anchor_id: str) -> int:
    """Index of an anchor in its scene."""
    return next(place for place, anchor in enumerate(scene.anchors) if anchor.anchor_id == anchor_id)


def difficulty(scene: Scene, anchor_ids: tuple[str, ...], claims: tuple[Claim, ...]) -> int:
    """How many claims beside the label are needed to single out a target: 0 to 3, 3 for three or more.

    For one anchor: the least number of claims (places, shapes, looks, relations, ranks; no lengths) of which some set
    selects exactly it, so the same whoever wrote the text. For several anchors or none: the claims that were made.
    """
    if len(anchor_ids) != 1:
        return min(3, sum(claim.kind not in ("label", "count") for claim in claims))
    thresholds = words.thresholds()
    index = place_of(scene, anchor_ids[0])
    group = group_of(scene, label(scene.anchors[index].label), thresholds)
    if group.members.sum() == 1:
        return 0
    filters = [(c.certain & group.members, c.possible & group.members) for c in group.true_of(index)]
    only = np.zeros(len(scene.anchors), bool)
    only[index] = True
    if any(np.array_equal(possible, only) for _, possible in filters) or _ranked_first(scene, group.claim, [], index):
        return 1
    pairs = ((a, b) for place, (_, a) in enumerate(filters) for _, b in filters[place + 1 :])
    if any(np.array_equal(a & b, only) for a, b in pairs):
        return 2
    return 2 if any(_ranked_first(scene, group.claim, [c.claim], index) for c in group.true_of(index)) else 3


def _ranked_first(scene: Scene, of_label: Claim, filters: list[Claim], index: int) -> bool:
    """Whether the label, the filters and one rank select exactly the anchor."""
    thresholds = words.thresholds()
    among = np.min([margins(claim, scene, thresholds) for claim in [of_label, *filters]], axis=0) >= TRUE
    ranks = [rank_claim(scene, attribute, among, index) for attribute in RANKED] if among[index] else []
    wanted = [scene.anchors[index].anchor_id]
    return any(rank and select([of_label, *filters, rank], scene, thresholds).is_exactly(wanted) for rank in ranks)
