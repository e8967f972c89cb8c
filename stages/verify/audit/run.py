"""One image's audit: its clean queries judged, and faults planted in the accepted ones, each judged by the same cascade."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from stages.core.params import Params, VerifyParams
from stages.core.records import Anchor, ItemError, Query, Sample
from stages.core.stage import seed_for
from stages.verify.audit import evidence, form, geometry, priors
from stages.verify.audit.plant import EVIDENCE, FORMAT, GEOMETRY, PRIORS, Ground, Plant, Planter, ground_of
from stages.verify.audit.trial import CLEAN, Trial, half_of, trial_of
from stages.verify.cascade import ACCEPTED, Judged, judge
from stages.verify.context import Context
from stages.verify.judges.judge import Case, Judge
from stages.verify.judges.panel import Sitting, passed_cheap_checks, sit_over
from stages.verify.norms import Norms

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
class Attempt:
    """One judged query of an image: the untouched query, what was planted in it (None: nothing), what the cascade said.

    ``sample`` and ``anchors`` are those that were judged, where a model is still to be asked about them; else None.
    """

    fault: str
    group: str
    query: Query
    plant: Plant | None
    judged: Judged
    untouched: Sample
    half: str
    sample: Sample | None = None
    anchors: list[Anchor] | None = None

    @property
    def trial_id(self) -> str:
        """Id of its row."""
        return f"{self.query.query_id}/{self.fault}"

    def trial(self, judged: Judged) -> Trial:
        """Its row, with what was judged in the end."""
        return trial_of(judged, self.fault, self.group, self.query, self.untouched, self.plant, self.half)


def audit_image(job: AuditJob, params: VerifyParams, queries_planted: int, seed: int, models: bool = False) -> list[Attempt | ItemError]:
    """Clean and planted attempts at an image; an image that cannot be read is an error value.

    With ``models``, attempts that a model is to be asked about keep their sample and anchors.
    """
    context = Context(job.sample, job.anchors, params, norms=job.norms)
    if context.fault is not None:
        kind, cause = context.fault
        return [ItemError(job.sample.sample_id, "audit", kind, "", cause)]
    half = half_of(job.norms.folds.get(job.sample.patient_id, 0))
    judged = [judge(query, context) for query in sorted(job.queries, key=lambda query: query.query_id)]
    attempts: list[Attempt | ItemError] = [_attempt(item, CLEAN, "", item.query, None, context, half, models) for item in judged]
    accepted = [item.query for item in judged if item.fate == ACCEPTED]
    accepted.sort(key=lambda query: seed_for(seed, "audit", query.query_id))
    looked_at: set[str] = set()
    for query in accepted[:queries_planted]:
        attempts += _planted(query, context, looked_at, seed, half, models)
    return attempts


def asked(attempts: Sequence[Attempt], judges: dict[str, Judge], params: Params) -> Sitting:
    """The judgement of every attempt with what the judges that are models say about those that passed the cheap checks."""
    if not judges:
        return Sitting([attempt.judged for attempt in attempts])
    cases = [
        Case(dataclasses.replace(attempt.judged.query, query_id=attempt.trial_id), Context(attempt.sample, attempt.anchors, params.verify))
        if attempt.sample is not None and attempt.anchors is not None
        else None
        for attempt in attempts
    ]
    return sit_over([attempt.judged for attempt in attempts], cases, judges, params)


def _planted(query: Query, context: Context, looked_at: set[str], seed: int, half: str, models: bool) -> list[Attempt]:
    """One plant of every fault that can be planted in the query; faults of the picture once per target."""
    attempts = []
    for fault, (group, planter) in PLANTERS.items():
        if group == EVIDENCE and looked_at & set(query.anchor_ids):
            continue
        ground = ground_of(query, context, Random(seed_for(seed, "audit", fault, query.query_id)))
        plant = next(planter(ground), None)
        if plant is not None:
            attempts.append(_attempt(judge_plant(plant, ground), fault, group, query, plant, context, half, models))
    looked_at.update(query.anchor_ids)
    return attempts


def _attempt(judged: Judged, fault: str, group: str, query: Query, plant: Plant | None, context: Context, half: str, models: bool) -> Attempt:
    attempt = Attempt(fault, group, query, plant, judged, context.sample, half)
    if not models or not passed_cheap_checks(judged):
        return attempt
    sample = (plant.sample if plant else None) or context.sample
    return dataclasses.replace(attempt, sample=sample, anchors=anchors_after(plant, context) if plant else context.anchors)


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
    same_picture = plant.sample is None or plant.sample.image is context.sample.image
    seen = {each: sight for each, sight in context.visibilities.items() if same_picture and not _looks_other(each, changed, context)}
    return Context(plant.sample or context.sample, anchors_after(plant, context), context.params, norms=context.norms, visibilities=seen)


def anchors_after(plant: Plant, context: Context) -> list[Anchor]:
    """The image's anchors with the altered ones in their places."""
    changed = {anchor.anchor_id: anchor for anchor in plant.anchors}
    return [changed.get(anchor.anchor_id, anchor) for anchor in context.anchors]


def _looks_other(anchor_id: str, changed: dict[str, Anchor], context: Context) -> bool:
    return anchor_id in changed and changed[anchor_id].mask_rle != context.by_id[anchor_id].mask_rle


def chosen_images(sample_ids: Sequence[str], images: int, seed: int) -> list[str]:
    """A seeded choice of images, in the order of their ids."""
    return sorted(sorted(sample_ids, key=lambda sample_id: seed_for(seed, "audit", sample_id))[:images])
