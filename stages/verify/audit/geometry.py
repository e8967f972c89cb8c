"""Faults that the masks decide: wrong sides, ranks, shapes, labels, relations, numbers, targets."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from stages.core.claims import OPPOSITE, Claim
from stages.knowledge import words
from stages.knowledge.labels import labels
from stages.verify.audit.plant import Ground, Plant, is_false, swapped
from stages.verify.audit.wording import after_noun, before_noun, fault_words, noun_in, noun_of, opposites, without_claim
from stages.verify.context import is_kin


def _flipped(ground: Ground, kinds: Iterable[str], words_of: str) -> Iterator[Plant]:
    """One word replaced by its opposite, and the claim that it carries with it."""
    for claim in ground.claims:
        turned = _turned(claim, words_of) if claim.kind in kinds else None
        if turned is not None:
            for text, old, new in opposites(ground.query.text, words_of):
                yield from ground.said(text, ground.with_claim(claim, turned), f"{old} -> {new}")


def _turned(claim: Claim, words_of: str) -> Claim | None:
    """The claim as it reads when its word of the kind is replaced by the opposite; None where it has none."""
    if claim.kind == "rank":
        attribute, place = claim.value.split(":")
        if {"size": "size", "x": "place_x", "y": "place_y"}.get(attribute) != words_of:
            return None
        return dataclasses.replace(claim, value=f"{attribute}:{place[1:] if place.startswith('-') else '-' + place}")
    if claim.kind == "relation" and (claim.value in ("left_of", "right_of")) != (words_of == "beside"):
        return None
    if claim.kind == "cell":
        parts = claim.value.split()
        at = 0 if words_of == "vertical" else 1
        return None if len(parts) < 2 else Claim("cell", " ".join(OPPOSITE[part] if place == at else part for place, part in enumerate(parts)))
    return dataclasses.replace(claim, value=OPPOSITE[claim.value]) if claim.value in OPPOSITE else None


def image_side(ground: Ground) -> Iterator[Plant]:
    """Left and right of the picture exchanged."""
    yield from _flipped(ground, ("image_side", "cell"), "side")


def patient_side(ground: Ground) -> Iterator[Plant]:
    """Left and right of the patient exchanged."""
    yield from _flipped(ground, ("patient_side",), "side")


def vertical(ground: Ground) -> Iterator[Plant]:
    """Upper and lower exchanged."""
    yield from _flipped(ground, ("vertical", "cell"), "vertical")


def size_rank(ground: Ground) -> Iterator[Plant]:
    """Largest and smallest exchanged."""
    yield from _flipped(ground, ("rank",), "size")


def place_rank(ground: Ground) -> Iterator[Plant]:
    """Leftmost and rightmost, topmost and lowest exchanged."""
    yield from _flipped(ground, ("rank",), "place_x")
    yield from _flipped(ground, ("rank",), "place_y")


def relation_flipped(ground: Ground) -> Iterator[Plant]:
    """Left of and right of, above and below exchanged."""
    yield from _flipped(ground, ("relation",), "beside")
    yield from _flipped(ground, ("relation",), "over")


def relation_other(ground: Ground) -> Iterator[Plant]:
    """A relation to something else than what it holds to."""
    for claim in ground.claims:
        noun = noun_in(ground.query.text, claim.other) if claim.kind == "relation" and claim.other else None
        for name in _labels_of_image(ground) if noun else []:
            text = swapped(ground.query.text, noun or "", labels()[name].names[0])
            if text is not None and name not in (claim.other or "").split("|"):
                yield from ground.said(text, ground.with_claim(claim, dataclasses.replace(claim, other=name)), f"{noun} -> {name}")


def ordinal(ground: Ground) -> Iterator[Plant]:
    """The second called the third, the largest the second largest."""
    names = fault_words()["ordinals"]
    for claim in ground.claims:
        found = re.fullmatch(r"(\w+):(-?)(\d)", claim.value) if claim.kind == "rank" else None
        if found is None or found[1] == "brightness":
            continue
        place = int(found[3])
        for other in sorted(set(names) - {place}):
            if place in names:
                text = swapped(ground.query.text, names[place], names[other])
            else:
                text = swapped(ground.query.text, "smallest" if found[2] else "largest", f"{names[other]} {'smallest' if found[2] else 'largest'}")
            if text is not None:
                new = dataclasses.replace(claim, value=f"{found[1]}:{found[2]}{other}")
                yield from ground.said(text, ground.with_claim(claim, new), f"{place} -> {other}")


def shape(ground: Ground) -> Iterator[Plant]:
    """A shape that the object does not have."""
    yield from _adjective(ground, "shape", words.shapes())


def appearance(ground: Ground) -> Iterator[Plant]:
    """Bright for dark and dark for bright, in the modality's own words."""
    entry = words.modality(ground.context.sample.modality)
    yield from _adjective(ground, "appearance", {"bright": entry.bright, "dark": entry.dark})


def _adjective(ground: Ground, kind: str, table: dict[str, list[str]]) -> Iterator[Plant]:
    """Another adjective for the one that the text has, or one before its noun where it has none."""
    claimed = next((claim for claim in ground.claims if claim.kind == kind), None)
    values = sorted(set(table) - {claimed.value if claimed else ""})
    for value in ground.rng.sample(values, len(values)):
        new, word = Claim(kind, value), ground.rng.choice(table[value])
        if claimed is None:
            if not any(claim.kind == "rank" for claim in ground.claims):
                text = before_noun(ground, word)
                yield from ground.said(text or ground.query.text, [*ground.claims, new], f"{word} added")
            continue
        for old in table[claimed.value]:
            text = swapped(ground.query.text, old, word)
            if text is not None:
                yield from ground.said(text, ground.with_claim(claimed, new), f"{old} -> {word}")


def label_of_image(ground: Ground) -> Iterator[Plant]:
    """The name of something else that is in the image."""
    yield from _renamed(ground, _labels_of_image(ground))


def label_foreign(ground: Ground) -> Iterator[Plant]:
    """The name of something that is not in the image and that its source does not mark."""
    known = ground.context.known_labels
    others = [name for name in sorted(labels()) if name not in known and not any(is_kin(name, there) for there in known)]
    yield from _renamed(ground, ground.rng.sample(others, min(3, len(others))))


def _renamed(ground: Ground, names: list[str]) -> Iterator[Plant]:
    noun, own = noun_of(ground), next((claim for claim in ground.claims if claim.kind == "label"), None)
    for name in names if noun and own else []:
        entry = labels()[name]
        new = entry.names[0] if len(ground.query.anchor_ids) < 2 else entry.plural
        text = swapped(ground.query.text, noun or "", new) if new else None
        if text is not None and own is not None and not any(is_kin(name, there) for there in own.value.split("|")):
            yield from ground.said(text, ground.with_claim(own, Claim("label", name)), f"{noun} -> {new}")


def _labels_of_image(ground: Ground) -> list[str]:
    names = sorted({anchor.label for anchor in ground.context.anchors})
    return ground.rng.sample(names, len(names))


def words_dropped(ground: Ground) -> Iterator[Plant]:
    """The words that tell the target from its like left out, so that the text fits others too."""
    droppable = [claim for claim in ground.claims if claim.kind not in ("label", "count")]
    for claim in ground.rng.sample(droppable, len(droppable)):
        text = without_claim(ground.query.text, claim, ground.context.sample.modality)
        if text is not None:
            yield from ground.said(text, [other for other in ground.claims if other != claim], f"without {claim.kind} {claim.value}")
    noun = noun_of(ground)
    if noun is not None and droppable:
        yield from ground.said(f"the {noun}", [claim for claim in ground.claims if claim.kind == "label"], "the bare noun")


def count(ground: Ground) -> Iterator[Plant]:
    """A number of objects that is not theirs."""
    numbers, n = fault_words()["numbers"], len(ground.query.anchor_ids)
    wrong = ground.rng.choice(sorted(set(numbers) - {n}))
    said = [claim for claim in ground.claims if claim.kind == "count"]
    kept = [claim for claim in ground.claims if claim.kind != "count"]
    claims = [*kept, Claim("count", str(wrong), None, float(wrong))]
    ranked = any(claim.kind == "rank" for claim in ground.claims)
    for old, new in (("both", f"all {numbers[wrong]}"), (numbers.get(n, "?"), numbers[wrong])) if said and not ranked else ():
        text = swapped(ground.query.text, old, new)
        if text is not None:
            yield from ground.said(text, claims, f"{old} -> {new}")
    noun = noun_of(ground)
    if n > 1 and not said and noun is not None and not ranked:
        yield from ground.said(before_noun(ground, numbers[wrong]) or ground.query.text, claims, f"{numbers[wrong]} added")


def millimetres(ground: Ground) -> Iterator[Plant]:
    """A length that is wrong by two fifths or more."""
    said = next((claim for claim in ground.claims if claim.kind == "size_mm"), None)
    factor = ground.rng.choice((0.5, 0.6, 1.6, 2.0))
    if said is not None and said.number:
        wrong = float(round(said.number * factor))
        text = swapped(ground.query.text, f"{said.number:g}", f"{wrong:g}")
        yield from ground.said(text or ground.query.text, ground.with_claim(said, dataclasses.replace(said, number=wrong)), f"{said.number:g} -> {wrong:g} mm")
    elif len(ground.targets) == 1 and (ground.targets[0].length_mm or 0) >= 8:
        wrong = float(round((ground.targets[0].length_mm or 0) * factor))
        text = after_noun(ground, f"about {wrong:g} mm across")
        yield from ground.said(text or ground.query.text, [*ground.claims, Claim("size_mm", "about", None, wrong)], f"{wrong:g} mm added")


def sibling(ground: Ground) -> Iterator[Plant]:
    """Another object of the label in the target's place."""
    if len(ground.targets) == 1:
        alike = [other.anchor_id for other in ground.context.anchors if other.label == ground.targets[0].label]
        others = [other for other in alike if other != ground.targets[0].anchor_id]
        for other in ground.rng.sample(others, len(others)):
            yield from _retargeted(ground, [other], "single", f"target is {other}")


def target_lost(ground: Ground) -> Iterator[Plant]:
    """One of several targets left out."""
    ids = list(ground.query.anchor_ids)
    if len(ids) > 1:
        lost = ground.rng.choice(ids)
        kept = [other for other in ids if other != lost]
        yield from _retargeted(ground, kept, "multi" if len(kept) > 1 else "single", f"{lost} is no target any more")


def target_denied(ground: Ground) -> Iterator[Plant]:
    """The object is said not to be there."""
    if ground.query.anchor_ids:
        yield from _retargeted(ground, [], "none", "no target")


def target_invented(ground: Ground) -> Iterator[Plant]:
    """An object for what is not there."""
    if not ground.query.anchor_ids:
        ids = [anchor.anchor_id for anchor in ground.context.anchors if not anchor.crowd]
        for other in ground.rng.sample(ids, min(3, len(ids))):
            yield from _retargeted(ground, [other], "single", f"target is {other}")


def _retargeted(ground: Ground, ids: list[str], kind: str, changed: str) -> Iterator[Plant]:
    if is_false(ground.claims, ids, ground.scene, ground.thresholds):
        yield Plant(dataclasses.replace(ground.query, anchor_ids=ids, kind=kind, claims=None), changed)


PLANTERS = {
    "image_side": image_side, "patient_side": patient_side, "vertical": vertical, "size_rank": size_rank,
    "place_rank": place_rank, "ordinal": ordinal, "shape": shape, "appearance": appearance,
    "label_of_image": label_of_image, "label_foreign": label_foreign, "relation_flipped": relation_flipped,
    "relation_other": relation_other, "words_dropped": words_dropped, "count": count, "millimetres": millimetres,
    "sibling": sibling, "target_lost": target_lost, "target_denied": target_denied, "target_invented": target_invented,
}  # fmt: skip
