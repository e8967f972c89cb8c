"""One-to-one matching of predicted boxes with target boxes. Boxes are ``box_xyxy_px``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from stages.core.geometry import iou_matrix

Boxes = Sequence[Sequence[float]]


def matched_ious(predicted: Boxes, targets: Boxes) -> np.ndarray:
    """IoUs of the one-to-one matching whose sum is largest (Kuhn, 1955), in descending order; shape (min(n, m),)."""
    if len(predicted) == 0 or len(targets) == 0:
        return np.zeros(0)
    overlaps = iou_matrix(np.asarray(predicted, float), np.asarray(targets, float))
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return np.sort(overlaps[rows, columns])[::-1]


def example_iou(predicted: Boxes, targets: Boxes) -> float:
    """Sum of the matched IoUs over the larger of the two counts, so that missing and extra boxes both cost.

    Nothing asked and nothing drawn is 1, as in gIoU of generalised referring expressions (He et al., GREC, 2023).
    """
    longer = max(len(predicted), len(targets))
    return float(matched_ious(predicted, targets).sum() / longer) if longer else 1.0


def floor_iou(predicted: Boxes, targets: Boxes) -> float:
    """The highest threshold t at which the answer is right as a whole; 0 when it never is.

    Right at t: as many boxes as targets, and a one-to-one matching in which each pair has an IoU of at least t. It is a
    bottleneck matching, not the largest sum: one threshold then has one answer, whatever the order of the boxes.
    """
    if len(predicted) != len(targets):
        return 0.0
    if not targets:
        return 1.0
    overlaps = iou_matrix(np.asarray(predicted, float), np.asarray(targets, float))
    steps = np.unique(overlaps)
    low, high = 0, len(steps)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _all_matched(overlaps >= steps[middle]) else (low, middle)
    return float(steps[low]) if _all_matched(overlaps >= steps[low]) else 0.0


def _all_matched(allowed: np.ndarray) -> bool:
    """Whether a boolean (n, n) matrix holds a perfect matching."""
    rows, columns = linear_sum_assignment(allowed, maximize=True)
    return bool(allowed[rows, columns].all())
