"""What a model is asked to write about: the grammar's choice of targets, with the claims that single each one out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from stages.core.claims import Claim, Scene, select
from stages.core.params import GenerateParams
from stages.core.records import ItemError
from stages.generate.candidates import group_of, rank_claim, size_claim
from stages.generate.difficulty import RANKED, place_of
from stages.generate.grammar import draft_or_error
from stages.knowledge import words
from stages.knowledge.labels import label

_MOST_SIBLINGS = 6


@dataclass(frozen=True)
class Target:
    """One target of a scene. ``claims`` select exactly ``anchor_ids`` (nothing, for the kind ``none``), the label first."""

    sample_id: str
    kind: str
    anchor_ids: tuple[str, ...]
    claims: tuple[Claim, ...]

    @property
    def owner(self) -> str:
        """Anchor or sample that its queries are numbered under."""
        return self.anchor_ids[0] if len(self.anchor_ids) == 1 else self.sample_id


def plan_scene(scene: Scene, params: GenerateParams, seed: int) -> tuple[list[Target], list[ItemError]]:
    """Targets of a scene: those that the grammar would write about, each once, in its order; and why there are none.

    So the shares of kinds and the proof that nothing matches a counterfactual are the same for every writer.
    """
    draft = draft_or_error(scene, params, seed)
    found: dict[tuple[str, tuple[str, ...], tuple[Claim, ...]], Target] = {}
    for query in draft.queries:
        claims = tuple(Claim.from_json(text) for text in query.claims or [])
        ids = tuple(query.anchor_ids)
        found.setdefault((query.kind, ids, claims if not ids else ()), Target(scene.sample_id, query.kind, ids, claims))
    return list(found.values()), draft.errors


def plain(claim: Claim) -> dict[str, object]:
    """A claim as the prompt and the answer write it, absent fields left out."""
    return json.loads(claim.to_json())


def facts(scene: Scene, target: Target) -> list[dict[str, object]]:
    """All that is true of a single target for certain, beside what singles it out; nothing for several or none."""
    if len(target.anchor_ids) != 1:
        return []
    thresholds = words.thresholds()
    index = place_of(scene, target.anchor_ids[0])
    group = group_of(scene, label(scene.anchors[index].label), thresholds)
    claims = [candidate.claim for candidate in group.true_of(index)]
    ranks = [rank_claim(scene, attribute, group.members, index) for attribute in RANKED]
    alone = [claim for claim in ranks if claim and select([group.claim, claim], scene, thresholds).is_exactly(target.anchor_ids)]
    size = size_claim(scene, index)
    return [plain(claim) for claim in [*claims, *alone, *([size] if size else [])] if claim not in target.claims]


def siblings(scene: Scene, target: Target) -> list[str]:
    """A few words about other objects of the target's label, the largest first, so that a text can keep clear of them."""
    names = target.claims[0].value.split("|")
    others = [anchor for anchor in scene.anchors if anchor.label in names and anchor.anchor_id not in target.anchor_ids]
    largest = sorted(others, key=lambda anchor: (-anchor.area_px, anchor.anchor_id))
    own = max((scene.anchors[place_of(scene, anchor_id)].area_px for anchor_id in target.anchor_ids), default=0)
    told = [f"{a.location.cell} of the image" + (f", {a.area_px / own:.1f} times its size" if own else "") for a in largest[:_MOST_SIBLINGS]]
    return told + ([f"and {len(largest) - _MOST_SIBLINGS} more"] if len(largest) > _MOST_SIBLINGS else [])


def also_there(scene: Scene, target: Target) -> dict[str, int]:
    """Other labels of the picture and how often they occur."""
    counts = Counter(anchor.label for anchor in scene.anchors if anchor.label not in target.claims[0].value.split("|"))
    return dict(sorted(counts.items()))
