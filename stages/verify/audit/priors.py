"""Faults that medicine decides: impossible anatomy, other modalities' words, diagnoses that no mask shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from stages.core.claims import Claim
from stages.core.records import Anchor
from stages.knowledge import words
from stages.knowledge.labels import label, labels
from stages.verify.audit.plant import Ground, Plant
from stages.verify.audit.wording import after_noun, before_noun, fault_words

# An organ lies on a side when its centroid is at least this share of the picture's width from the middle.
_BESIDE = 0.12
_OTHER = {"patient_left": "patient_right", "patient_right": "patient_left"}


def mirrored(ground: Ground) -> Iterator[Plant]:
    """A picture whose orientation is read the wrong way round: the organ lies on the patient's other side."""
    sample = ground.context.sample
    if sample.halves_are is not None and any(_is_lateral(anchor, ground) for anchor in ground.targets):
        turned = dataclasses.replace(sample, image_left_is=_OTHER[sample.halves_are])
        yield Plant(ground.query, f"image left is {turned.image_left_is}", sample=turned)


def halves_swapped(ground: Ground) -> Iterator[Plant]:
    """Left and right of a pair exchanged by whoever drew the masks."""
    halves = {anchor.label: anchor for anchor in ground.context.anchors if label(anchor.label).pair}
    if len(ground.targets) != 1 or ground.context.sample.halves_are is None or not _is_lateral(ground.targets[0], ground):
        return
    target = ground.targets[0]
    for name, other in sorted(halves.items()):
        alone = [anchor.label for anchor in ground.context.anchors].count
        if name != target.label and label(name).pair == label(target.label).pair and alone(name) == alone(target.label) == 1:
            relabelled = dataclasses.replace(target, label=name), dataclasses.replace(other, label=target.label)
            query = dataclasses.replace(ground.query, anchor_ids=[other.anchor_id])
            yield Plant(query, f"{target.label} and {name} exchanged", anchors=relabelled)


def _is_lateral(anchor: Anchor, ground: Ground) -> bool:
    """Whether the organ belongs on one side of the patient, and lies there rather than near the middle."""
    entry = label(anchor.label)
    away = anchor.centroid_xy_px[0] / ground.context.sample.width - 0.5
    return (entry.side or entry.expect) in ("left", "right") and abs(away) >= _BESIDE


def wrong_organ(ground: Ground) -> Iterator[Plant]:
    """A place in an organ that never holds it and that is not in the image."""
    if not ground.query.anchor_ids or any(claim.kind == "relation" for claim in ground.claims):
        return
    own = {name for claim in ground.claims if claim.kind == "label" for name in claim.value.split("|")}
    holders = {holder for name in own for holder in label(name).inside or []}
    organs = [entry for entry in labels().values() if entry.kind == "organ" and entry.name not in holders | own | ground.context.known_labels]
    entry = ground.rng.choice(sorted(organs, key=lambda entry: entry.name))
    text = after_noun(ground, f"in the {entry.names[0]}")
    yield from ground.said(text or ground.query.text, [*ground.claims, Claim("relation", "inside", entry.name)], f"in the {entry.names[0]}")


def foreign_word(ground: Ground) -> Iterator[Plant]:
    """A word of another kind of picture."""
    modality = ground.context.sample.modality
    entry = words.modality(modality)
    own = {*entry.own, *entry.bright, *entry.dark, *fault_words()["foreign"].get(modality, [])}
    others = sorted({word for name, listed in fault_words()["foreign"].items() if name != modality for word in listed} - own)
    yield from _inserted(ground, ground.rng.choice(others))


def diagnosis(ground: Ground) -> Iterator[Plant]:
    """A disease that the mask does not show; a label that names it itself is left alone."""
    named = " ".join(name for claim in ground.claims if claim.kind == "label" for part in claim.value.split("|") for name in label(part).names)
    yield from _inserted(ground, ground.rng.choice([word for word in fault_words()["diagnoses"] if word not in named]))


def _inserted(ground: Ground, word: str) -> Iterator[Plant]:
    text = before_noun(ground, word)
    if text is not None:
        yield Plant(dataclasses.replace(ground.query, text=text, claims=None), f"{word} added")


PLANTERS = {
    "mirrored": mirrored, "halves_swapped": halves_swapped, "wrong_organ": wrong_organ, "foreign_word": foreign_word,
    "diagnosis": diagnosis,
}  # fmt: skip
