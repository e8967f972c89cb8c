"""Medical priors: words that do not belong, and anatomy that cannot be. Data in stages/knowledge."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from stages.core.records import Anchor, Query, Verdict
from stages.knowledge import words
from stages.knowledge.labels import Label, labels
from stages.knowledge.priors import midline_margin, side_margin, unsupported_words
from stages.verify.context import Context
from stages.verify.lexicon import normalise, tokens_of
from stages.verify.reasons import Reason, passed, rejected


def check_words(query: Query, context: Context) -> Verdict:
    """No word of another modality, no finding that a mask cannot support, no patient's side without orientation."""
    padded = f" {' '.join(tokens_of(normalise(query.text)))} "
    for word in foreign_words(context.sample.modality):
        if f" {word} " in padded:
            return rejected(query, "words", "foreign_modality_word", f"{word!r} in {context.sample.modality}")
    for word in unsupported_words():
        if f" {normalise(word)} " in padded:
            return rejected(query, "words", "unsupported_finding", f"{word!r}: a mask does not show it")
    if context.sample.halves_are is None:
        for claim in context.parsed(query).claims:
            if claim.kind == "patient_side":
                return rejected(query, "words", "orientation_unknown", f"{claim.to_json()}: which side the picture shows left is unknown")
    return passed(query, "words")


@functools.cache
def foreign_words(modality: str) -> tuple[str, ...]:
    """Normalised words that belong to other modalities and not to this one."""
    entry = words.modality(modality)
    spoken = {*entry.own, *entry.bright, *entry.dark, *entry.brightest, *entry.darkest}
    others = {word for name, other in words.modalities().items() if name != modality for word in other.own}
    return tuple(sorted(normalise(word) for word in others - spoken))


def check_priors(query: Query, context: Context) -> Verdict:
    """Each target lies on a side, in a container and within a range of lengths that its label allows."""
    for anchor in context.targets(query):
        for reason, evidence in _anatomy_faults(anchor, labels()[anchor.label], context):
            return rejected(query, "priors", reason, f"{anchor.anchor_id}: {evidence}")
    return passed(query, "priors")


def _anatomy_faults(anchor: Anchor, label: Label, context: Context) -> Iterator[tuple[Reason, str]]:
    away = towards_patient_left(anchor, context)
    side = label.side or label.expect
    if away is not None and side is not None and not _on_side(side, away):
        yield "implausible_side", f"{label.name} is expected {side} of the patient, lies {away:+.2f} towards the patient's left"
    if label.inside and not _contained(anchor, label, context):
        yield "outside_container", f"{label.name} outside {' and '.join(label.inside)}"
    if label.length_mm and anchor.length_mm is not None:
        least, most = label.length_mm
        if not least <= anchor.length_mm <= most:
            yield "implausible_size", f"{label.name} of {anchor.length_mm:.1f} mm; plausible are {least:g} to {most:g} mm"


def towards_patient_left(anchor: Anchor, context: Context) -> float | None:
    """Centroid's distance from the picture's middle line towards the patient's left, as a share of the width; None when unknown."""
    if context.sample.halves_are is None:
        return None
    offset = anchor.centroid_xy_px[0] / context.sample.width - 0.5
    return -offset if context.sample.halves_are == "patient_left" else offset


def _on_side(side: str, towards_left: float) -> bool:
    if side == "midline":
        return abs(towards_left) <= midline_margin()
    return (towards_left if side == "left" else -towards_left) >= -side_margin()


def _contained(anchor: Anchor, label: Label, context: Context) -> bool:
    """In or at one of the label's containers, or none of them is in the picture to lie in.

    A mask that only touches its organ is no fault: in a projection an opacity lies behind the heart too, and two people's
    outlines of a lesion and its organ differ by a pixel.
    """
    containers = {other.anchor_id for other in context.anchors if other.label in (label.inside or [])}
    return not containers or any(relation.kind in ("inside", "touching") and relation.other in containers for relation in anchor.relations)
