"""Anchors of boxes alone. What a box does not tell is left unknown, so that claims about it are too close to call.

A box tells where its object lies, which borders of the picture it touches, and what it cannot touch or lie in (boxes
apart). Its centre stands for the object's centroid. Its area bounds the object's: an object is taken to fill at least
``LEAST_FILL`` of its box, so that one box has to be that much larger than another before its object is called the larger.
Shape, grey levels, lengths and organ zones are unknown.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from stages.core.claims import Thresholds
from stages.core.geometry import check_box, encode_mask
from stages.core.records import Anchor, Appearance, Location, Ranks, Relation, Sample, Shape
from stages.knowledge.labels import canonical
from stages.knowledge.words import thresholds
from stages.verify.context import Context

LEAST_FILL = 0.5
_APART_PX = 3.0


class BoxContext(Context):
    """A context whose anchors are boxes: sizes are compared with the room that an unknown filling leaves."""

    @functools.cached_property
    def thresholds(self) -> Thresholds:
        """Where words begin, for boxes."""
        plain = thresholds()
        return dataclasses.replace(plain, rank_size_ratio=plain.rank_size_ratio / LEAST_FILL)


def box_anchors(sample: Sample, objects: Sequence[tuple[str, Sequence[float]]]) -> list[Anchor]:
    """Anchors of (label as its source names it, box_xyxy_px) pairs, boxes widened to whole pixels, in the order given.

    Raises:
        UnknownLabelError: no canonical label for a name; the nearest ones are named.
        ValueError: a box is empty, reversed or outside the image.
    """
    boxes = []
    for number, (_, box) in enumerate(objects):
        x0, y0, x1, y1 = check_box(box, sample.width, sample.height, f"{sample.sample_id}, box {number}")
        boxes.append([math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)])
    ids = [f"{sample.sample_id}#{number}" for number in range(len(boxes))]
    return [_anchor(sample, ids[number], name, boxes[number], _relations(number, boxes, ids, sample)) for number, (name, _) in enumerate(objects)]


def _anchor(sample: Sample, anchor_id: str, name: str, box: list[int], relations: list[Relation]) -> Anchor:
    label = canonical(name)
    x0, y0, x1, y1 = box
    area = (x1 - x0) * (y1 - y0)
    mask = np.zeros((sample.height, sample.width), bool)
    mask[y0:y1, x0:x1] = True
    contact = {"left": x0 <= 0, "right": x1 >= sample.width, "top": y0 <= 0, "bottom": y1 >= sample.height}
    return Anchor(
        anchor_id=anchor_id, sample_id=sample.sample_id, label=label.name, kind=label.kind, instance=0,
        box_xyxy_px=[float(side) for side in box], area_px=area, area_mm2=None, length_mm=None,
        centroid_xy_px=[(x0 + x1) / 2, (y0 + y1) / 2], fraction_of_image=area / (sample.width * sample.height),
        shape=Shape(math.nan, math.nan, math.nan, None, None, None, None, None),
        appearance=Appearance(math.nan, math.nan, None, None, None, None),
        location=Location("", "", "", None, [border for border, touched in contact.items() if touched]),
        ranks=Ranks(1, 1, 1, 1), relations=relations, mask_rle=encode_mask(mask),
    )  # fmt: skip


def _relations(number: int, boxes: Sequence[Sequence[int]], ids: Sequence[str], sample: Sample) -> list[Relation]:
    """What the boxes do not rule out, recorded on the very threshold: neither true nor false."""
    t = thresholds()
    x0, y0, x1, y1 = boxes[number]
    found = []
    for other, (u0, v0, u1, v1) in enumerate(boxes):
        gap = math.hypot(max(0, u0 - x1, x0 - u1), max(0, v0 - y1, y0 - v1))
        if other == number or gap >= _APART_PX:
            continue
        offset = ((u0 + u1 - x0 - x1) / 2 / sample.width, (v0 + v1 - y0 - y1) / 2 / sample.height)
        ratio = (x1 - x0) * (y1 - y0) / ((u1 - u0) * (v1 - v0))
        found.append(Relation("touching", ids[other], t.touching_px + 1, 0.0, *offset, ratio))
        if gap == 0:
            found += [Relation(kind, ids[other], 0.0, t.inside, *offset, ratio) for kind in ("inside", "containing")]
    return found
