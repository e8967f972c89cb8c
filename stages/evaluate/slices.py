"""Acc@0.5 on many small parts of the test. Exploratory: with so many slices, some intervals miss the truth by chance alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.records import Example, Score
from stages.evaluate.bootstrap import Bootstrap, Estimate, Patients, estimates

# Slices in this order where they have one; other names follow alphabetically.
ORDER = ("tiny", "small", "medium", "large", "none", "single", "multi", "name")
MOST_SIBLINGS, MOST_CLAIMS = 4, 3


def slices_of(example: Example) -> list[tuple[str, str]]:
    """The (slice kind, slice) pairs that an example belongs to; several of kind "claim". Unseen ones have slices of their own."""
    if example.unseen:
        return [("unseen dataset", example.dataset), ("unseen modality", example.modality)]
    siblings = str(example.n_same_label) if example.n_same_label < MOST_SIBLINGS else f"{MOST_SIBLINGS} or more"
    return [
        ("modality", example.modality),
        ("dataset", example.dataset),
        ("size", example.size_bin),
        ("query", example.kind),
        ("objects of the class", siblings),
        ("difficulty", _difficulty(example.difficulty)),
        *[("claim", kind) for kind in sorted(set(example.claim_kinds)) or ["no claim"]],
    ]


def _difficulty(claims: int | None) -> str:
    """Claims beside the label that are needed to single the target out."""
    if claims is None:
        return "not counted"
    return f"{claims} claim{'' if claims == 1 else 's'}" if claims < MOST_CLAIMS else f"{MOST_CLAIMS} claims or more"


@dataclass(frozen=True)
class SliceRow:
    """Acc@0.5 of one contender on one slice."""

    slice_kind: str
    slice: str
    contender: str
    acc_at_50: Estimate


def slice_table(examples: Sequence[Example], scores: Mapping[str, Sequence[Score]], patients: Patients, bootstrap: Bootstrap) -> list[SliceRow]:
    """Acc@0.5 per slice and contender; ``examples`` in the order of the scores."""
    members: dict[tuple[str, str], list[int]] = {}
    for index, example in enumerate(examples):
        for key in slices_of(example):
            members.setdefault(key, []).append(index)
    hits = {name: np.array([score.hit_at_50 for score in listed], float) for name, listed in scores.items()}
    cells, ratios = [], []
    for key in sorted(members, key=_slice_key):
        inside = np.zeros(len(examples))
        inside[members[key]] = 1.0
        for name in scores:
            cells.append((*key, name))
            ratios.append(patients.ratio(hits[name], inside))
    return [SliceRow(*cell, found) for cell, found in zip(cells, estimates(ratios, bootstrap), strict=True)]


def _slice_key(key: tuple[str, str]) -> tuple[str, int, str]:
    kind, value = key
    return kind, ORDER.index(value) if value in ORDER else len(ORDER), value
