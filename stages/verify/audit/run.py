"""One image's audit: its clean queries judged, and faults planted in the accepted ones, each judged by the same cascade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from stages.core.params import VerifyParams
from stages.core.records import Anchor, ItemError, Query, Sample
from stages.core.stage import seed_for
from stages.verify.audit import evidence, form, geometry, priors
from stages.verify.audit.plant import EVIDENCE, FORMAT, GEOMETRY, PRIORS, Ground, Plant, Planter, ground_of
from stages.verify.cascade import ACCEPTED, Judged, judge
from stages.verify.context import Context
from stages.verify.norms import Norms

CLEAN = "clean"
PLANTERS: dict[str, tuple[str, Planter]] = {
    name: (group, planter)
    for group, planters in (
        (FORMAT, form.PLANTERS),
        (GEOMETRY, geometry.PLANTERS),
        (PRIORS, priors.PLANTERS),
        (EVIDENCE, evidence.PLANTERS),
    )
    for name, planter in planters.items()
}


@dataclass(frozen=True)
class AuditJob:
    """One image with its anchors, all its queries, and the norms of its dataset that may judge its patient."""

    sample: Sample
    anchors: list[Anchor]
    queries: list[Query]
    norms: Norms


@dataclass(frozen=True)
class Trial:
    """One judged query of the audit. ``fault`` is "clean" for an untouched one.

    ``check`` is the check that decided (the last one for an accepted query), ``changed`` what was planted.
    """

    trial_id: str
    fault: str
    group: str
    dataset: str
    modality: str
    query_id: str
    text: str
    changed: str
    fate: str
    check: str
    reason: str
    evidence: str

    @property
    def accepted(self) -> bool:
        """Whether the cascade let it through."""
        return self.fate == ACCEPTED


def audit_image(job: AuditJob, params: VerifyParams, queries_planted: int, seed: int) -> list[Trial | ItemError]:
    """Clean and planted trials of an image; an image that cannot be read is an error value."""
    context = Context(job.sample, job.anchors, params, norms=job.norms)
    if context.fault is not None:
        kind, cause = context.fault
        return [ItemError(job.sample.sample_id, "audit", kind, "", cause)]
    judged = [judge(query, context) for query in sorted(job.queries, key=lambda query: query.query_id)]
    trials: list[Trial | ItemError] = [_trial(item, CLEAN, "", item.query, "") for item in judged]
    accepted = [item.query for item in judged if item.fate == ACCEPTED]
    accepted.sort(key=lambda query: seed_for(seed, "audit", query.query_id))
    looked_at: set[str] = set()
    for query in accepted[:queries_planted]:
        trials += _planted(query, context, looked_at, seed)
    return trials


def _planted(query: Query, context: Context, looked_at: set[str], seed: int) -> list[Trial]:
    """One plant of every fault that can be planted in the query; faults of the picture once per target."""
    trials = []
    for fault, (group, planter) in PLANTERS.items():
        if group == EVIDENCE and looked_at & set(query.anchor_ids):
            continue
        ground = ground_of(query, context, Random(seed_for(seed, "audit", fault, query.query_id)))
        plant = next(planter(ground), None)
        if plant is not None:
            trials.append(_trial(judge_plant(plant, ground), fault, group, query, plant.changed))
    looked_at.update(query.anchor_ids)
    return trials


def judge_plant(plant: Plant, ground: Ground) -> Judged:
    """The cascade's judgement of a plant, as if no other query of the image had been there but ``before``."""
    context = ground.context
    if plant.sample is not None or plant.anchors:
        context = altered(plant, context)
    context.texts.clear()
    for query in plant.before:
        judge(query, context)
    return judge(plant.query, context)


def altered(plant: Plant, context: Context) -> Context:
    """The context of the altered image; what was seen of untouched anchors in an untouched picture stays."""
    changed = {anchor.anchor_id: anchor for anchor in plant.anchors}
    anchors = [changed.get(anchor.anchor_id, anchor) for anchor in context.anchors]
    same_picture = plant.sample is None or plant.sample.image is context.sample.image
    seen = {each: sight for each, sight in context.visibilities.items() if same_picture and not _looks_other(each, changed, context)}
    return Context(plant.sample or context.sample, anchors, context.params, norms=context.norms, visibilities=seen)


def _looks_other(anchor_id: str, changed: dict[str, Anchor], context: Context) -> bool:
    return anchor_id in changed and changed[anchor_id].mask_rle != context.by_id[anchor_id].mask_rle


def _trial(judged: Judged, fault: str, group: str, query: Query, changed: str) -> Trial:
    deciding = judged.deciding
    return Trial(
        f"{query.query_id}/{fault}", fault, group, judged.dataset, judged.modality, query.query_id, judged.query.text, changed,
        judged.fate, deciding.check, deciding.reason, deciding.evidence,
    )  # fmt: skip


def chosen_images(sample_ids: Sequence[str], images: int, seed: int) -> list[str]:
    """A seeded choice of images, in the order of their ids."""
    return sorted(sorted(sample_ids, key=lambda sample_id: seed_for(seed, "audit", sample_id))[:images])

