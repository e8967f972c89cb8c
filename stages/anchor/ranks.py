"""Places of objects among those of their label, with ties declared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.core.claims import Thresholds
from stages.core.records import Ranks


def ranks_of(labels: Sequence[str], areas_px: Sequence[int], centroids_xy_px: Sequence[Sequence[float]], width: int, height: int, t: Thresholds) -> list[Ranks]:
    """Ranks of every object of an image of ``width`` x ``height`` pixels among the objects of its label.

    Equal values share the better place. Two objects are tied when nothing may be said of their order: areas within
    ``rank_size_ratio`` of each other, centroids less than ``rank_position`` of the image's side apart.
    """
    names = np.array(labels, dtype=object)
    areas, centroids = np.array(areas_px, float), np.array(centroids_xy_px, float).reshape(-1, 2)
    ranks: list[Ranks | None] = [None] * len(labels)
    for name in dict.fromkeys(labels):
        same = np.flatnonzero(names == name)
        columns = (
            *_placed(-areas[same], -areas[same] * t.rank_size_ratio, -areas[same] / t.rank_size_ratio),
            *_placed_along(centroids[same, 0], t.rank_position * width),
            *_placed_along(centroids[same, 1], t.rank_position * height),
        )
        for index, (size, size_tied, x, x_tied, y, y_tied) in zip(same, np.stack(columns, axis=1).tolist(), strict=True):
            ranks[index] = Ranks(len(same), size, x, y, size_tied, x_tied, y_tied)
    return [rank for rank in ranks if rank is not None]


def _placed_along(values: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    return _placed(values, values - margin, values + margin)


def _placed(values: np.ndarray, certainly_before: np.ndarray, certainly_after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (n,) by ascending values, and how many others (n,) lie strictly between the two certain limits."""
    ordered = np.sort(values)
    places = 1 + np.searchsorted(ordered, values, side="left")
    within = np.searchsorted(ordered, certainly_after, side="left") - np.searchsorted(ordered, certainly_before, side="right")
    return places, within - 1
