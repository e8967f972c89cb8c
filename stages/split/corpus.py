"""Examples of the corpus: an accepted query with its boxes, split and tags."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from stages.core.records import Example, Query
from stages.core.splits import in_reading_order
from stages.core.stage import StageError

# Mean target box area as a share of the image: below the first small, above the second large.
SMALL_BELOW, LARGE_ABOVE = 0.01, 0.08
_OPPOSITE = {"left": "right", "right": "left"}


@dataclass
class Picture:
    """What the corpus needs of one sample; ``boxes_xyxy_px`` and ``labels`` of its anchors are keyed by their ids."""

    sample_id: str
    dataset: str
    patient_id: str
    modality: str
    width: int
    height: int
    licence: str
    source_split: str | None = None
    spacing_mm: list[float] | None = None
    boxes_xyxy_px: dict[str, list[float]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @cached_property
    def label_counts(self) -> Counter[str]:
        """Objects of each label; to be asked when all anchors are in."""
        return Counter(self.labels.values())


def example_of(query: Query, pictures: Mapping[str, Picture], split: str, unseen: bool = False) -> Example:
    """The example of an accepted query.

    Raises:
        StageError: a target of the query is no anchor of its sample (tables of different runs).
    """
    picture = pictures[query.sample_id]
    missing = [anchor_id for anchor_id in query.anchor_ids if anchor_id not in picture.boxes_xyxy_px]
    if missing:
        raise StageError(f"{query.query_id}: target {missing[0]!r} is not in data/anchors: the tables are of different runs, run `dvc repro`")
    boxes = in_reading_order([picture.boxes_xyxy_px[anchor_id] for anchor_id in query.anchor_ids])
    return Example(
        example_id=query.query_id,
        sample_id=query.sample_id,
        dataset=picture.dataset,
        patient_id=picture.patient_id,
        modality=picture.modality,
        text=query.text,
        label=query.label,
        boxes_xyxy_px=boxes,
        width=picture.width,
        height=picture.height,
        split=split,
        kind=query.kind,
        # A query about a pair names two classes, "left kidney|right kidney": neither is more than itself.
        n_same_label=max(picture.label_counts[name] for name in query.label.split("|")),
        size_bin=size_bin(boxes, picture.width, picture.height),
        claim_kinds=claim_kinds(query.claims),
        licence=picture.licence,
        difficulty=query.difficulty,
        spacing_mm=picture.spacing_mm,
        distractors_xyxy_px=in_reading_order([picture.boxes_xyxy_px[anchor_id] for anchor_id in distractors(query, picture.labels)]),
        unseen=unseen,
    )


def distractors(query: Query, labels: Mapping[str, str]) -> list[str]:
    """Anchors that are no target of the query and yet of its class, or of the class on the other side ("left kidney" for "right kidney")."""
    asked = set(query.label.split("|"))
    alike = asked | {other_side(label) for label in asked}
    return [anchor_id for anchor_id, label in labels.items() if label in alike and anchor_id not in query.anchor_ids]


def other_side(label: str) -> str:
    """The label with its first word exchanged, left for right; itself when that is neither."""
    side, _, rest = label.partition(" ")
    return f"{_OPPOSITE[side]} {rest}" if side in _OPPOSITE and rest else label


def size_bin(boxes: Sequence[Sequence[float]], width: int, height: int) -> str:
    """small | medium | large by the mean box area as a share of the image; none without a box."""
    if not boxes:
        return "none"
    share = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes) / len(boxes) / (width * height)
    return "small" if share < SMALL_BELOW else "large" if share > LARGE_ABOVE else "medium"


def claim_kinds(claims: Sequence[str] | None) -> list[str]:
    """Sorted kinds of the claims that the writer gave; empty when it gave none."""
    return sorted({json.loads(claim)["kind"] for claim in claims or []})
