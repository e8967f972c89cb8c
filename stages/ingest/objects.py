"""Masks as the source gives them -> objects under canonical labels."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np

from stages.ingest.card import Card
from stages.ingest.faults import Fault

# Codes that mean "nothing here" unless the card lists them as a label.
BACKGROUND = frozenset({"0", "#000000"})


@dataclass(frozen=True)
class ObjectMask:
    """One object, or one semantic region: boolean mask (height, width), or (z, y, x) before slicing."""

    label: str
    source: str
    semantic: bool
    mask: np.ndarray


def labels_of(source: str, card: Card, file: str) -> list[str]:
    """Canonical labels of a source name; none when the card ignores it on purpose.

    Raises:
        Fault: the card does not know the name; the nearest ones are given.
    """
    table = card.canonical_of()
    if source not in table:
        near = ", ".join(difflib.get_close_matches(source, list(table), n=3, cutoff=0.0))
        cause = f"label {source!r} is not in the card {card.name}; nearest: {near}. Add it there under `labels` or `ignored_sources`"
        raise Fault("unknown_label", file, cause)
    return table[source]


def from_codes(codes: np.ndarray, names: dict[int, str], card: Card, file: str) -> list[ObjectMask]:
    """One object per label of the card that occurs in a label map; ``names`` gives the source name of each code.

    Raises:
        Fault: a code that the card does not know, or nothing but background.
    """
    table = card.canonical_of()
    present = {code: name for code, name in names.items() if name in table or name not in BACKGROUND}
    for name in present.values():
        labels_of(name, card, file)
    objects = []
    for label, entry in card.labels.items():
        wanted = {str(source) for source in entry.sources}
        chosen = {code: name for code, name in present.items() if name in wanted}
        if chosen:
            mask = np.isin(codes, list(chosen))
            objects.append(ObjectMask(label, "+".join(chosen.values()), entry.semantic, mask))
    if not objects:
        raise Fault("empty_mask", file, "the label map holds nothing but background: add the annotation, or take the pair out")
    return objects


def unite_semantic(objects: list[ObjectMask]) -> list[ObjectMask]:
    """Masks of one semantic label united into one region; instances stay apart. Order of first appearance."""
    groups: dict[tuple[str, int], list[ObjectMask]] = {}
    for number, item in enumerate(objects):
        groups.setdefault((item.label, -1 if item.semantic else number), []).append(item)
    return [_union(group) for group in groups.values()]


def _union(group: list[ObjectMask]) -> ObjectMask:
    if len(group) == 1:
        return group[0]
    source = "+".join(sorted({item.source for item in group}))
    return ObjectMask(group[0].label, source, group[0].semantic, np.logical_or.reduce([item.mask for item in group]))
