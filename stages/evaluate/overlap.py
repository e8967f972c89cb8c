"""How two boxes lie to each other, beyond IoU (``core.geometry``). Boxes are ``box_xyxy_px``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stages.core.geometry import box_area, iou

Box = Sequence[float]


def giou(a: Box, b: Box) -> float:
    """Generalised IoU (Rezatofighi et al., CVPR 2019): IoU minus the share of the common hull that neither box covers.

    In (-1, 1], symmetric, at most the IoU, 1 for equal boxes; unlike the IoU it tells far from near where boxes are apart.
    """
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    overlap = iou(a, b)
    union = (box_area(a) + box_area(b)) / (1 + overlap)
    return overlap - max(0.0, hull - union) / hull


def centre(box: Box) -> tuple[float, float]:
    """x and y of the box's middle, in pixels."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def points_into(answer: Box, target: Box) -> bool:
    """Whether the middle of the answer lies in the target: the pointing game (Zhang et al., ECCV 2016) of a box."""
    x, y = centre(answer)
    return target[0] <= x < target[2] and target[1] <= y < target[3]


def centre_distance_mm(a: Box, b: Box, spacing_mm: Sequence[float]) -> float:
    """Distance between the middles of two boxes in millimetres; ``spacing_mm`` is [row, column]."""
    (ax, ay), (bx, by) = centre(a), centre(b)
    return math.hypot((ax - bx) * spacing_mm[1], (ay - by) * spacing_mm[0])
