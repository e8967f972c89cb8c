"""The image judge: is the target visible where its mask says, and does it look as the text says?"""

from __future__ import annotations

from stages.core.records import Anchor, Query, Verdict
from stages.verify.context import Context
from stages.verify.reasons import passed, rejected
from stages.verify.visibility import Visibility, visibility

CHECK = "evidence"


def check_evidence(query: Query, context: Context) -> Verdict:
    """Every target is visible enough (``verify.min_visibility``), and appearance claims hold when measured anew."""
    targets = context.targets(query)
    if not targets:
        return passed(query, CHECK, evidence="no target to look at")
    found = {anchor.anchor_id: judged(anchor, context) for anchor in targets}
    margins = {anchor.anchor_id: found[anchor.anchor_id].score - context.params.min_visibility for anchor in targets}
    faintest = min(margins, key=lambda anchor_id: (margins[anchor_id], anchor_id))
    seen, margin = found[faintest], margins[faintest]
    measured = f"{faintest}: visibility {seen.score:.2f} (least {seen.score - margin:.2f}), ring difference {seen.ring_difference:.2f}, edge z {seen.edge_z:.1f}"
    if margin < 0:
        return rejected(query, CHECK, "not_visible", measured, margin)
    contradiction = _appearance_fault(query, found, context)
    if contradiction:
        return rejected(query, CHECK, "appearance_contradicted", contradiction)
    return passed(query, CHECK, margin, measured)


def judged(anchor: Anchor, context: Context) -> Visibility:
    """Visibility of an anchor by the norms of its class, where there are any; measured once per image."""
    if anchor.anchor_id not in context.visibilities:
        mask = context.masks[anchor.anchor_id]
        seen = visibility(context.picture, mask, context.siblings(anchor) | mask, with_traits=bool(context.norms.models))
        context.visibilities[anchor.anchor_id] = context.norms.judged(seen, anchor.label, context.sample.patient_id)
    return context.visibilities[anchor.anchor_id]


def _appearance_fault(query: Query, found: dict[str, Visibility], context: Context) -> str:
    """What the picture says against "bright" or "dark", with a ring of another width; empty when the opposite would not hold."""
    limit = context.thresholds.contrast_grey - context.thresholds.contrast_margin_grey
    for claim in context.parsed(query).claims:
        if claim.kind != "appearance":
            continue
        for anchor_id, seen in found.items():
            contrast = seen.contrast_grey or 0.0
            if (contrast if claim.value == "bright" else -contrast) <= -limit:
                return f"{claim.value} is claimed of {anchor_id}, which differs from its ring by {contrast:+.1f} grey levels"
    return ""
