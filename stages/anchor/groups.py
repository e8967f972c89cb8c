"""Groups: all anchors of one label in an image, and both halves of a pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.anchor.components import paste
from stages.anchor.regions import Region
from stages.core.records import Anchor, AnchorGroup, Sample
from stages.knowledge.labels import label as label_of


def groups_of(sample: Sample, anchors: Sequence[Anchor], regions: Sequence[Region]) -> list[AnchorGroup]:
    """A group for every label with two or more anchors, and for every pair of which each half occurs; sorted by id.

    ``regions`` are those of the anchors, in their order. The label of a pair is "a|b", as in the claim language.
    """
    by_label: dict[str, list[int]] = {}
    for index, anchor in enumerate(anchors):
        by_label.setdefault(anchor.label, []).append(index)
    members = {name: found for name, found in by_label.items() if len(found) >= 2}
    for left in by_label:
        for right in by_label:
            a, b = label_of(left), label_of(right)
            if a.pair is not None and a.pair == b.pair and (a.side, b.side) == ("left", "right"):
                members[f"{left}|{right}"] = [*by_label[left], *by_label[right]]
    return [_group(sample, name, members[name], anchors, regions) for name in sorted(members)]


def is_complete(name: str, annotated_labels: Sequence[str]) -> bool:
    """Whether the source marks every object of a label, under its own name or under that of its pair."""
    return name in annotated_labels or label_of(name).pair in annotated_labels


def _group(sample: Sample, name: str, members: list[int], anchors: Sequence[Anchor], regions: Sequence[Region]) -> AnchorGroup:
    box, area_px = _union([regions[index] for index in members])
    return AnchorGroup(
        group_id=f"{sample.sample_id}#{name}*",
        sample_id=sample.sample_id,
        label=name,
        anchor_ids=[anchors[index].anchor_id for index in members],
        n=len(members),
        n_crowds=sum(anchors[index].crowd for index in members),
        box_xyxy_px=box,
        area_px=area_px,
        complete=all(is_complete(part, sample.annotated_labels) for part in name.split("|")),
    )


def _union(regions: list[Region]) -> tuple[list[float], int]:
    """Box and number of pixels of the union."""
    boxes = np.array([region.box_xyxy_px for region in regions])
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    union = np.zeros((int(bottom - top), int(right - left)), bool)
    for region in regions:
        paste(union, region.mask, region.row - int(top), region.column - int(left))
    return [float(left), float(top), float(right), float(bottom)], int(np.count_nonzero(union))
