"""Which slices of a volume become samples."""

from __future__ import annotations

import numpy as np


def choose_slices(areas_px: np.ndarray, max_slices: int, min_gap: int, min_object_px: int) -> list[int]:
    """Indices of the slices that show most, in ascending order, at least ``min_gap`` apart.

    ``areas_px`` is (labels, slices). A slice's worth is the sum over labels of its area relative to the label's
    largest slice; each time a label has been shown, it counts half as much, so that the next slice shows others.
    Areas below ``min_object_px`` count nothing, except when no slice reaches it. Ties go to the lower index.
    """
    counted = np.where(areas_px >= min_object_px, areas_px, 0)
    if not counted.any():
        counted = areas_px
    largest = counted.max(axis=1, keepdims=True)
    share = np.divide(counted, largest, out=np.zeros(counted.shape), where=largest > 0)
    weight = np.ones(len(share))
    allowed = share.any(axis=0)
    chosen: list[int] = []
    while allowed.any() and len(chosen) < max_slices:
        worth = np.where(allowed, weight @ share, -1.0)
        best = int(np.argmax(np.round(worth, 9)))
        chosen.append(best)
        weight = np.where(share[:, best] > 0, weight / 2, weight)
        allowed[max(0, best - min_gap + 1) : best + min_gap] = False
    return sorted(chosen)
